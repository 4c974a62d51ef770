using MlaGen.Models.Tests.Golden;
using MlaGen.Tests.Files;

namespace MlaGen.Models.Tests.Generation;

/// <summary>What a generator knows of a text, in a file for another one.</summary>
public sealed class PrefixFileTests : IDisposable
{
    private const string Name = "deepseek-v3";

    private static readonly int[] _prompt = GoldenModel.Read(Name).Prompt;
    private static readonly GenerationOptions _options = new() { MaxTokens = 20, StopTokens = [], LogProbs = 0, Sampling = new SamplingOptions { Seed = 4, Temperature = 0.7 } };

    private readonly TemporaryDirectory _directory = new();

    private string Saved => _directory.At("saved");

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(CacheFormat.Float32)]
    [InlineData(CacheFormat.Int8)]
    public async Task A_text_goes_on_from_a_file_as_if_it_had_never_stopped(CacheFormat format)
    {
        string expected;
        using (TextGenerator first = Generator(Name, format))
        {
            Assert.Equal(0, first.SavePrefix(Saved, _prompt));
            Assert.False(File.Exists(Saved));
            expected = TextGeneratorTests.Told(await TextGeneratorTests.All(first, _prompt, _options));
            Assert.Equal(80, first.SavePrefix(Saved, _prompt));
        }

        using TextGenerator second = Generator(Name, format);
        Assert.Equal(80, second.LoadPrefix(Saved));
        Assert.Equal((5, 5), (second.UsedPages, second.PrefixPages));
        Assert.Equal(expected, TextGeneratorTests.Told(await TextGeneratorTests.All(second, _prompt, _options)));

        // It is known: saving needs no step.
        using TextGenerator third = Generator(Name, format);
        third.LoadPrefix(Saved);
        Assert.Equal(80, third.SavePrefix(Saved, _prompt));
    }

    [Fact]
    public async Task A_file_that_does_not_belong_is_refused_and_leaves_nothing()
    {
        using TextGenerator first = Generator(Name);
        await TextGeneratorTests.All(first, _prompt, _options);
        first.SavePrefix(Saved, _prompt);

        using TextGenerator otherModel = Generator("moonlight");
        using TextGenerator otherWeights = Generator("deepseek-v3-fp8");
        using TextGenerator otherFormat = Generator(Name, CacheFormat.Float16);
        using TextGenerator small = new(TinyModels.Load(Name), options: new TextGeneratorOptions { CacheTokens = 32, Cache = new LatentCacheOptions { PageTokens = 16 } });
        Assert.Throws<CacheFileException>(() => otherModel.LoadPrefix(Saved));
        Assert.ThrowsAny<Exception>(() => otherWeights.LoadPrefix(Saved));
        Assert.Throws<CacheFileException>(() => otherFormat.LoadPrefix(Saved));
        Assert.Throws<LatentCacheFullException>(() => small.LoadPrefix(Saved));
        Assert.Throws<FileNotFoundException>(() => first.LoadPrefix(_directory.At("nothing")));
        Assert.All([otherModel, otherWeights, otherFormat, small], static generator => Assert.Equal(0, generator.UsedPages));
    }

    [Theory]
    [InlineData(0, 2, "something else")]
    [InlineData(1, 1, "saved with another model")]
    [InlineData(2, 1, "saved with another model")]
    [InlineData(3, 320, "token 320 is not one of the vocabulary's 320")]
    [InlineData(18, -1, "token -1 is not one")]
    [InlineData(19, 5, "17 tokens beside 16")]
    public void Numbers_that_cannot_be_are_refused_by_name(int index, int value, string problem)
    {
        LanguageModel model = TinyModels.Load(Name);
        using TextGenerator generator = Generator(Name);
        long print = model.Fingerprint();
        int[] numbers = [1, (int)print, (int)(print >> 32), .. _prompt[..16]];
        Array.Resize(ref numbers, Math.Max(numbers.Length, index + 1));
        numbers[index] = index is 1 or 2 ? numbers[index] + value : value;
        using (ModelCache cache = model.CreateCache(64, new LatentCacheOptions { PageTokens = 16 }))
        using (LatentSequence sequence = cache.CreateSequence())
        using (MlaBatch batch = cache.CreateBatch())
        {
            batch.Add(sequence, 16);
            model.Forward(batch, _prompt.AsSpan(0, 16), [], []);
            batch.Commit();
            cache.Save(Saved, new SavedSequence(sequence, numbers));
        }

        Assert.Contains(problem, Assert.Throws<InvalidDataException>(() => generator.LoadPrefix(Saved)).Message, StringComparison.Ordinal);
        Assert.Equal(0, generator.UsedPages);
    }

    private static TextGenerator Generator(string name, CacheFormat format = CacheFormat.Float32) =>
        new(TinyModels.Load(name), options: new TextGeneratorOptions { CacheTokens = 1024, Cache = new LatentCacheOptions { PageTokens = 16, Format = format }, PromptChunk = 16 });
}
