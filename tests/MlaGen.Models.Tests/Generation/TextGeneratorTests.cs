using MlaGen.Models.Tests.Golden;

namespace MlaGen.Models.Tests.Generation;

public sealed class TextGeneratorTests
{
    private const string Name = "deepseek-v3";

    private static readonly GenerationOptions _greedy = new() { MaxTokens = 24, Sampling = new SamplingOptions { Temperature = 0 }, StopTokens = [] };

    [Theory]
    [InlineData("deepseek-v3")]
    [InlineData("longcat-flash")]
    [InlineData("minicpm3")]
    public async Task Greedy_tokens_are_the_golden_ones(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        using TextGenerator generator = new(TinyModels.Load(name), options: Options());

        Assert.Equal(golden.Greedy, await Tokens(generator, golden.Prompt, _greedy));
        Assert.Equal(golden.Greedy, await Tokens(generator, golden.Prompt, _greedy));
    }

    [Fact]
    public async Task A_request_among_others_tells_what_it_tells_alone()
    {
        (int[] Prompt, GenerationOptions Options)[] requests = [.. Enumerable.Range(0, 24).Select(Request)];
        GeneratedToken[][] alone = new GeneratedToken[requests.Length][];
        for (int i = 0; i < requests.Length; i++)
        {
            // Nothing is shared: every prompt is computed from its beginning.
            using TextGenerator generator = new(TinyModels.Load(Name), options: Options() with { SharePrefixes = false });
            alone[i] = [.. await All(generator, requests[i].Prompt, requests[i].Options)];
        }

        // Too little room for all at once: requests wait, join and leave.
        using TextGenerator shared = new(TinyModels.Load(Name), options: Options() with { CacheTokens = 640, MaxActive = 5 });
        List<GeneratedToken>[] among = await Task.WhenAll(requests.Select(request => Task.Run(() => All(shared, request.Prompt, request.Options))));

        // The tokens, and the bits of what they were chosen by.
        Assert.Equal(alone.Select(Told), among.Select(Told));
        Assert.True(alone.Select(Told).Distinct().Count() > 20, "requests hardly differ: nothing could be mistaken for another");
        Assert.Equal(shared.PrefixPages, shared.UsedPages);
        Assert.True(shared.PrefixPages > 0);
    }

    [Fact]
    public async Task Requests_that_are_given_up_leave_no_page_and_change_nobody_else()
    {
        (int[] prompt, GenerationOptions options) = Request(3);
        using TextGenerator generator = new(TinyModels.Load(Name), options: Options() with { SharePrefixes = false });
        int[] expected = await Tokens(generator, prompt, options);

        Task<int[]> kept = Task.Run(() => Tokens(generator, prompt, options));
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            using CancellationTokenSource source = new();
            int told = 0;
            try
            {
                await foreach (GeneratedToken _ in generator.GenerateAsync(Request(i).Prompt, _greedy with { MaxTokens = 200 }, source.Token))
                {
                    if (++told == i && i % 2 == 0)
                    {
                        break;
                    }

                    if (told == i)
                    {
                        await source.CancelAsync();
                    }
                }
            }
            catch (OperationCanceledException)
            {
                Assert.Equal(1, i % 2);
            }
        }));

        Assert.Equal(expected, await kept);
        await WaitForNobody(generator);
        Assert.Equal(0, generator.UsedPages);
    }

    [Fact]
    public async Task Who_stops_reading_is_not_served_any_more()
    {
        LetterTokenizer tokenizer = new();
        using TextGenerator generator = new(TinyModels.Load(Name), tokenizer, Options());
        GenerationOptions endless = _greedy with { MaxTokens = 1900 };
        await foreach (GeneratedToken _ in generator.GenerateAsync(new[] { 1 }, endless))
        {
            break;
        }

        await WaitForNobody(generator);
        Assert.Equal((0, 0), generator.Requests);
        Assert.InRange(tokenizer.Decoded, 1, 1000);
    }

    [Fact]
    public async Task The_end_token_and_the_limit_end_a_text_and_say_so()
    {
        GoldenModel golden = GoldenModel.Read(Name);
        using TextGenerator generator = new(TinyModels.Load(Name), options: Options());

        List<GeneratedToken> limited = await All(generator, golden.Prompt, _greedy with { MaxTokens = 3 });
        List<GeneratedToken> stopped = await All(generator, golden.Prompt, _greedy with { StopTokens = [golden.Greedy[5]] });

        Assert.Equal([FinishReason.None, FinishReason.None, FinishReason.Length], limited.Select(static token => token.Finish));
        int first = Array.IndexOf(golden.Greedy, golden.Greedy[5]);
        Assert.Equal(golden.Greedy[..(first + 1)], stopped.Select(static token => token.Token));
        Assert.Equal(FinishReason.Stop, stopped[^1].Finish);
    }

    [Fact]
    public async Task A_stop_text_ends_the_text_before_it_also_where_tokens_cut_it()
    {
        GoldenModel golden = GoldenModel.Read(Name);
        using TextGenerator generator = new(TinyModels.Load(Name), new LetterTokenizer(), Options());
        string whole = string.Concat((await All(generator, golden.Prompt, _greedy)).Select(static token => token.Text));
        string stop = whole[7..12];

        List<GeneratedToken> told = await All(generator, golden.Prompt, _greedy with { StopTexts = ["never", stop] });

        Assert.Equal(24, whole.Length);
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], string.Concat(told.Select(static token => token.Text)));
        Assert.Equal(FinishReason.Stop, told[^1].Finish);

        // What only began like a stop text is told in the end.
        List<GeneratedToken> held = await All(generator, golden.Prompt, _greedy with { StopTexts = [whole[20..] + "x"] });
        Assert.Equal(whole, string.Concat(held.Select(static token => token.Text)));
    }

    [Fact]
    public async Task Logarithms_of_probabilities_are_those_of_the_scores()
    {
        GoldenModel golden = GoldenModel.Read(Name);
        LanguageModel model = TinyModels.Load(Name);
        using TextGenerator generator = new(model, options: Options());
        using ModelRun run = new(model, sequences: 1);
        float[] logits = run.Feed(0, golden.Prompt, int.MaxValue, 1);

        GeneratedToken first = (await All(generator, golden.Prompt, _greedy with { MaxTokens = 1, LogProbs = 5 }))[0];

        double sum = logits.Sum(static logit => Math.Exp(logit));
        int[] likeliest = [.. Enumerable.Range(0, logits.Length).OrderByDescending(token => logits[token]).Take(5)];
        Assert.Equal(likeliest, first.Likeliest.Select(static entry => entry.Token));
        Assert.All(first.Likeliest, entry => Assert.Equal(Math.Log(Math.Exp(logits[entry.Token]) / sum), entry.LogProb, 1e-4));
        Assert.Equal(first.Likeliest[0].LogProb, first.LogProb);
    }

    [Fact]
    public async Task What_cannot_be_is_refused_by_name()
    {
        using TextGenerator generator = new(TinyModels.Load(Name), options: Options() with { MaxWaiting = 1, MaxActive = 1, SharePrefixes = false });

        Assert.Throws<ArgumentException>("prompt", () => generator.GenerateAsync(Array.Empty<int>()));
        Assert.Throws<ArgumentException>("prompt", () => generator.GenerateAsync(new[] { 320 }));
        Assert.Throws<ArgumentException>("prompt", () => generator.GenerateAsync(new int[4096]));
        Assert.Throws<ArgumentException>("options", () => generator.GenerateAsync(new[] { 1 }, new GenerationOptions { StopTexts = ["x"] }));
        Assert.Throws<ArgumentOutOfRangeException>("MaxTokens", () => generator.GenerateAsync(new[] { 1 }, new GenerationOptions { MaxTokens = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>("TopP", () => generator.GenerateAsync(new[] { 1 }, new GenerationOptions { Sampling = new SamplingOptions { TopP = double.NaN } }));

        // One generates, one waits, the third is refused.
        IAsyncEnumerator<GeneratedToken>[] busy = [.. Enumerable.Range(0, 3).Select(_ => generator.GenerateAsync(new[] { 1 }, _greedy with { MaxTokens = 1000 }).GetAsyncEnumerator())];
        await busy[0].MoveNextAsync();
        ValueTask<bool> waiting = busy[1].MoveNextAsync();
        await Assert.ThrowsAsync<GeneratorBusyException>(async () => await busy[2].MoveNextAsync());
        await busy[0].DisposeAsync();
        Assert.True(await waiting);
        await busy[1].DisposeAsync();
    }

    private static TextGeneratorOptions Options() => new()
    {
        CacheTokens = 2048,
        Cache = new LatentCacheOptions { PageTokens = 16 },
        PromptChunk = 32,
        PromptTokensPerStep = 40,
    };

    /// <summary>Prompts of different lengths, some of which begin alike, and all ways to choose.</summary>
    private static (int[] Prompt, GenerationOptions Options) Request(int i)
    {
        GoldenModel golden = GoldenModel.Read(Name);
        int[] prompt = [.. golden.Prompt[..(17 + (i * 3))], .. Enumerable.Range(0, i % 4).Select(token => token + i)];
        return (prompt, new GenerationOptions
        {
            MaxTokens = 10 + (i % 9),
            StopTokens = [],
            LogProbs = 0,
            Sampling = new SamplingOptions { Seed = i, Temperature = i % 3, TopK = i % 5 == 0 ? 20 : 0, TopP = i % 2 == 0 ? 0.9 : 1, MinP = i % 7 == 0 ? 0.05 : 0, RepetitionPenalty = i % 4 == 0 ? 1.2 : 1 },
        });
    }

    internal static string Told(IEnumerable<GeneratedToken> tokens) =>
        string.Join(",", tokens.Select(static token => $"{token.Token}:{BitConverter.SingleToInt32Bits(token.LogProb!.Value):x8}"));

    private static async Task<int[]> Tokens(TextGenerator generator, int[] prompt, GenerationOptions options) =>
        [.. (await All(generator, prompt, options)).Select(static token => token.Token)];

    internal static async Task<List<GeneratedToken>> All(TextGenerator generator, int[] prompt, GenerationOptions options)
    {
        List<GeneratedToken> tokens = [];
        await foreach (GeneratedToken token in generator.GenerateAsync(prompt, options))
        {
            tokens.Add(token);
        }

        return tokens;
    }

    private static async Task WaitForNobody(TextGenerator generator)
    {
        for (int i = 0; i < 500 && (generator.Requests.Active > 0 || generator.Requests.Waiting > 0); i++)
        {
            await Task.Delay(10);
        }
    }

    /// <summary>Every token is a letter.</summary>
    private sealed class LetterTokenizer : ITextTokenizer
    {
        private static readonly byte[][] _letters = [.. Enumerable.Range(0, 320).Select(static token => new[] { (byte)('a' + (token % 26)) })];

        public IReadOnlyList<int> Encode(string text) => [.. text.Select(static letter => letter - 'a')];

        /// <summary>Tokens whose text was asked for.</summary>
        public int Decoded { get; private set; }

        public ReadOnlySpan<byte> Bytes(int id)
        {
            Decoded++;
            return _letters[id];
        }

        public bool IsSpecial(int id) => false;
    }
}
