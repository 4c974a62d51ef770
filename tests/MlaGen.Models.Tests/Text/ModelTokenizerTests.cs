using System.Diagnostics;
using System.Text.Json.Nodes;
using MlaGen.Tests.Files;

namespace MlaGen.Models.Tests.Text;

public class ModelTokenizerTests
{
    private static ModelTokenizer Story => TextData.Tokenizer("story");

    [Fact]
    public void A_character_spread_over_tokens_appears_once_it_is_complete()
    {
        StreamingDecoder decoder = Story.CreateDecoder();
        int[] fox = Story.Encode("🦊");
        Assert.Equal(4, fox.Length);

        Assert.Equal("", decoder.Append(fox.AsSpan(0, 3)));
        Assert.Equal("🦊", decoder.Append(fox[3]));
        Assert.Equal("", decoder.Append(fox[0]));
        Assert.Equal("\uFFFD", decoder.Complete());
    }

    [Fact]
    public void Special_tokens_are_left_out_unless_they_are_asked_for()
    {
        int[] ids = Story.Encode("a<|end|>b");

        Assert.Equal(Story.EosToken, ids[1]);
        Assert.True(Story.IsSpecial(ids[1]));
        Assert.Equal("ab", Story.Decode(ids));
        Assert.Equal("a<|end|>b", Story.Decode(ids, skipSpecialTokens: false));
        Assert.Equal("", Story.Decode([1_000_000]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Story.Decode([-1]));
    }

    [Fact]
    public void DeepSeek_s_first_token_is_added_where_it_is_asked_for()
    {
        ModelTokenizer tokenizer = TextData.Tokenizer("deepseek-v3");

        Assert.Equal((0, 1, 1, 128815), (tokenizer.BosToken, tokenizer.EosToken, tokenizer.PadToken, tokenizer.VocabularySize));
        Assert.Equal([0, .. tokenizer.Encode("Hi")], tokenizer.Encode("Hi", addSpecialTokens: true));
        Assert.Equal("<｜User｜>", tokenizer.TokenOf(tokenizer.IdOf("<｜User｜>")!.Value));
    }

    [Theory]
    [InlineData("ab")]
    [InlineData("a")]
    [InlineData("你")]
    [InlineData(" ")]
    [InlineData("é🦊")]
    public void Long_pieces_become_the_tokens_of_short_ones_and_cost_no_square(string unit)
    {
        ModelTokenizer tokenizer = TextData.Tokenizer("deepseek-v3");
        ModelTokenizer shortOnly = ModelTokenizer.Load(TextData.PathOf("story"), mostCharacters: int.MaxValue);
        ModelTokenizer longOnly = ModelTokenizer.Load(TextData.PathOf("story"), mostCharacters: 0);
        string text = string.Concat(Enumerable.Repeat(unit, 3000));
        Assert.Equal(shortOnly.Encode(text), longOnly.Encode(text));
        tokenizer.Encode(text);

        Stopwatch watch = Stopwatch.StartNew();
        tokenizer.Encode(string.Concat(Enumerable.Repeat(unit, 200_000)));
        // The library alone takes 12 s of "ab", 23 s of "你".
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
    }

    [Fact]
    public void All_pieces_as_long_ones_become_the_tokens_of_the_reference() =>
        Assert.Equal(File.ReadAllLines(TextData.PathOf("story/tokens.txt")), TokenizerCorpus.Hashes(ModelTokenizer.Load(TextData.PathOf("story"), mostCharacters: 0)));

    [Theory]
    [InlineData("model.type", "\"Unigram\"", "the model Unigram is not supported")]
    [InlineData("model.dropout", "0.1", "dropout is not supported")]
    [InlineData("model.continuing_subword_prefix", "\"##\"", "continuing_subword_prefix is not supported")]
    [InlineData("model.vocab", "{}", "")]
    [InlineData("model.vocab", "{\"a\": 0, \"b\": 0}", "have the same id 0")]
    [InlineData("model.vocab", "{\"a\": -1}", "token ids are not all from 0")]
    [InlineData("model.vocab", "{\"a\": 2000000000}", "token ids are not all from 0")]
    [InlineData("model.merges", "[\"a nothing\"]", "nothing")]
    [InlineData("model.merges", "[1]", "")]
    [InlineData("normalizer", "{\"type\": \"Precompiled\"}", "the normalizer Precompiled is not supported")]
    [InlineData("pre_tokenizer", "{\"type\": \"BertPreTokenizer\"}", "the pre-tokenizer BertPreTokenizer is not supported")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{Thai}\"}, \"behavior\": \"Isolated\"}", "the property Thai")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a)\\\\1\"}, \"behavior\": \"Isolated\"}", "the escape \\1")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Sideways\"}", "the behavior Sideways of Split is not supported")]
    [InlineData("decoder", "{\"type\": \"WordPiece\"}", "the decoder WordPiece is not supported")]
    [InlineData("post_processor", "{\"type\": \"BertProcessing\"}", "the post-processor BertProcessing is not supported")]
    public void What_is_not_supported_is_named(string member, string value, string problem)
    {
        JsonObject tokenizer = JsonNode.Parse(File.ReadAllText(TextData.PathOf("story/tokenizer.json")))!.AsObject();
        string[] path = member.Split('.');
        (path.Length == 1 ? tokenizer : tokenizer[path[0]]!.AsObject())[path[^1]] = JsonNode.Parse(value);

        InvalidDataException error = Assert.Throws<InvalidDataException>(() => TextData.Tokenizer(tokenizer.ToJsonString(), config: null));

        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"model\": 5}")]
    [InlineData("")]
    public void What_is_no_tokenizer_is_one_error(string json) =>
        Assert.Contains("tokenizer.json", Assert.Throws<InvalidDataException>(() => TextData.Tokenizer(json, config: null)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_missing_file_is_named()
    {
        using TemporaryDirectory directory = new();
        Assert.Contains("tokenizer.json", Assert.Throws<FileNotFoundException>(() => ModelTokenizer.Load(directory.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Surrogates_without_their_other_half_are_replaced() => Assert.Equal(Story.Encode("a\uFFFDb"), Story.Encode("a\uD83Db"));
}
