using System.Diagnostics;
using System.Text;
using MlaGen.Tests.Files;

namespace MlaGen.Models.Tests.Text;

/// <summary><c>tiktoken.model</c> as Kimi-K2 has it, against OpenAI's tiktoken (<c>Reference/tiktoken.mjs</c>).</summary>
public class TiktokenTests
{
    private const int Ranks = 1456;
    private const string End = "<|im_end|>";
    private const string Config = """{"eos_token": "<|im_end|>", "added_tokens_decoder": {"1458": {"content": "<|im_end|>", "special": true}}}""";

    private static readonly string _ranks = File.ReadAllText(TextData.PathOf("kimi/tiktoken.model"));

    [Theory]
    [InlineData(512)]
    [InlineData(0)]
    public void Lines_become_the_tokens_of_the_reference(int mostCharacters)
    {
        ModelTokenizer tokenizer = Tokenizer(_ranks, mostCharacters);

        Assert.Equal(File.ReadAllLines(TextData.PathOf("kimi/tokens.txt")), TokenizerCorpus.Hashes(tokenizer, run: 500, line: static (line, i) => i % 3 == 0 ? line + End : line));
    }

    [Fact]
    public void Lines_survive_encoding_and_decoding()
    {
        ModelTokenizer tokenizer = Tokenizer(_ranks);
        Assert.All(TokenizerCorpus.Lines.Take(1000), line => Assert.Equal(line, tokenizer.Decode(tokenizer.Encode(line))));
    }

    [Fact]
    public void Further_tokens_are_named_by_the_configuration_or_reserved()
    {
        ModelTokenizer tokenizer = Tokenizer(_ranks);

        Assert.Equal((Ranks + 256, Ranks + 2), (tokenizer.VocabularySize, tokenizer.EosToken));
        Assert.Equal(["<|reserved_token_1456|>", "<|reserved_token_1457|>", End, "<|reserved_token_1711|>"], new[] { 1456, 1457, 1458, 1711 }.Select(tokenizer.TokenOf));
        Assert.Equal([1458, .. tokenizer.Encode("a"), 1711], tokenizer.Encode("<|im_end|>a<|reserved_token_1711|>"));
        Assert.Equal("a", tokenizer.Decode(tokenizer.Encode("<|im_end|>a")));
    }

    [Theory]
    [InlineData("ab")]
    [InlineData("你")]
    public void Long_pieces_cost_no_square(string unit)
    {
        ModelTokenizer tokenizer = Tokenizer(_ranks);
        tokenizer.Encode(string.Concat(Enumerable.Repeat(unit, 3000)));

        Stopwatch watch = Stopwatch.StartNew();
        tokenizer.Encode(string.Concat(Enumerable.Repeat(unit, 200_000)));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
    }

    [Fact]
    public void A_tokenizer_json_beside_it_comes_first()
    {
        using TemporaryDirectory directory = new();
        directory.Write("tiktoken.model", "nonsense");
        File.Copy(TextData.PathOf("story/tokenizer.json"), directory.At("tokenizer.json"));

        Assert.Equal(TextData.Tokenizer("story").Encode("The owl"), ModelTokenizer.Load(directory.Path).Encode("The owl"));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("AA== 0", "has no token of 255 bytes, the first of which is 1")]
    [InlineData("nonsense", "line 1: expected a token in Base64, a space and its rank")]
    [InlineData("AA== 0\nA?== 1", "line 2: its token is not Base64")]
    [InlineData("AA== 0\r\nAA== 1", "line 2: its token is that of another line")]
    [InlineData("AA== -1", "line 1: its rank is not a number")]
    [InlineData("AA== 16000000", "line 1: its rank is not a number")]
    [InlineData("AA== 99999999999", "line 1: its rank is not a number")]
    [InlineData("AA== 1 2", "line 1: its rank is not a number")]
    public void What_is_no_such_file_is_one_error(string text, string problem) =>
        Assert.Contains(problem, Assert.Throws<InvalidDataException>(() => Tokenizer(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Ids_that_are_given_twice_and_tokens_without_end_are_one_error()
    {
        Assert.Contains("have the same id 5", Assert.Throws<InvalidDataException>(() => Tokenizer(_ranks + "YWFhYWFhYWFhYWFhYQ== 5\n")).Message, StringComparison.Ordinal);
        Assert.Contains("line 1457: expected a token", Assert.Throws<InvalidDataException>(() => Tokenizer($"{_ranks}{Convert.ToBase64String(new byte[8000])} 1456\n")).Message, StringComparison.Ordinal);
    }

    private static ModelTokenizer Tokenizer(string ranks, int mostCharacters = 512)
    {
        using TemporaryDirectory directory = new();
        File.WriteAllBytes(directory.At("tiktoken.model"), Encoding.ASCII.GetBytes(ranks));
        directory.Write("tokenizer_config.json", Config);
        return ModelTokenizer.Load(directory.Path, mostCharacters);
    }
}
