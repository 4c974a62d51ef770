using Chat.Engine;
using Microsoft.Extensions.AI;
using MlaGen.Models;
using Xunit.Abstractions;

namespace MlaGen.Chat.Tests;

/// <summary><c>--speculate</c> on the story model: the same text, in fewer steps. Tells the processor time of a token on one thread, which a test does not judge.</summary>
public sealed class SpeculationTests(ITestOutputHelper output)
{
    private const int Tokens = 400;

    [Theory]
    [InlineData("The owl looked at the moon. Kai walked to the tower.", 0)]
    [InlineData("Kai walked to the tower. Kai walked to the tower. Kai walked to the tower. Kai walked to the tower. Kai walked to the tower. Kai walked to the tower.", 0.5)]
    public async Task Text_is_the_same_in_fewer_steps(string prompt, double share)
    {
        string? expected = null;
        double alone = 0;
        foreach (int candidates in new[] { 0, 4, 8, 16 })
        {
            using LoadedEngine engine = EngineSource.Load(null, new EngineSettings(1, WeightFormat.Stored, CacheFormat.Float32, 4096, 1, candidates), TextWriter.Null);
            TextGenerator generator = engine.Client.GetService<TextGenerator>()!;
            int[] tokens = [0, .. generator.Tokenizer!.Encode(prompt)];
            string text = await TextAsync(generator, tokens);
            (long _, long before) = generator.Drafts;
            double best = double.PositiveInfinity;
            for (int run = 0; run < 5; run++)
            {
                TimeSpan start = Environment.CpuUsage.TotalTime;
                Assert.Equal(text, await TextAsync(generator, tokens));
                best = Math.Min(best, (Environment.CpuUsage.TotalTime - start).TotalMicroseconds / Tokens);
            }

            expected ??= text;
            alone = candidates == 0 ? best : alone;
            output.WriteLine(FormattableString.Invariant($"{candidates} candidates: {best:0} µs of processor time a token, {alone / best:0.00} times less; {before} of {Tokens} tokens were candidates"));
            Assert.Equal(expected, text);
            Assert.InRange(before, candidates == 0 ? 0 : (long)(share * Tokens) + 1, candidates == 0 ? 0 : Tokens);
        }
    }

    private static async Task<string> TextAsync(TextGenerator generator, int[] prompt)
    {
        List<string> text = [];
        await foreach (GeneratedToken token in generator.GenerateAsync(prompt, new GenerationOptions { MaxTokens = Tokens, StopTokens = [], Sampling = new SamplingOptions { Temperature = 0 } }))
        {
            text.Add(token.Text);
        }

        return string.Concat(text);
    }
}
