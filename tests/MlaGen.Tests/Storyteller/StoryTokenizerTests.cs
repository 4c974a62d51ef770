using System.Text;
using MlaGen.Tests.Files;
using Storyteller.Text;

namespace MlaGen.Tests.Storyteller;

public class StoryTokenizerTests
{
    private static StoryTokenizer Tokenizer => StoryData.Loaded.Tokenizer;

    [Theory]
    [MemberData(nameof(StoryData.Prompts), MemberType = typeof(StoryData))]
    public void Golden_prompts_become_the_golden_tokens(int prompt)
    {
        StoryData.GoldenStory golden = StoryData.Golden[prompt];

        Assert.Equal(golden.PromptIds, StoryData.Loaded.TokensOf(golden.Prompt));
    }

    [Theory]
    [MemberData(nameof(StoryData.Prompts), MemberType = typeof(StoryData))]
    public void Golden_continuations_read_as_the_golden_text(int prompt)
    {
        StoryData.GoldenStory golden = StoryData.Golden[prompt];

        Assert.Equal(golden.GreedyText.Replace("<|end|>", "", StringComparison.Ordinal), Decode(golden.GreedyIds));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("  two spaces,  and a tab\t, and\r\n\n\nlines  ")]
    [InlineData("It's he'll they've I'm we'd 'twas 123abc 4,5")]
    [InlineData("Grüße aus Kōbe, Ελλάδα, 東京 und 🦊🏰, 𝐀 too")]
    [InlineData("\0\u0001\u007f\u00a0\u00ad\ufeff\uffff")]
    public void Any_text_survives_encoding_and_decoding(string text) => Assert.Equal(text, Decode(Tokenizer.Encode(text)));

    [Fact]
    public void The_end_token_is_recognised_within_a_text() =>
        Assert.Equal([.. Tokenizer.Encode("The fox."), 0, .. Tokenizer.Encode("The owl.")], Tokenizer.Encode("The fox.<|end|>The owl."));

    [Fact]
    public void Offsets_follow_each_other_through_the_text_and_a_leading_space_belongs_to_its_word()
    {
        const string Text = "Where is Ben? Answer: the bakery.\n";

        IReadOnlyList<(int Id, Range Characters)> tokens = Tokenizer.EncodeWithOffsets(Text);

        Assert.Equal(Tokenizer.Encode(Text), tokens.Select(token => token.Id));
        Assert.Equal(Text, string.Concat(tokens.Select(token => Text[token.Characters])));
        Assert.Equal(0, tokens[0].Characters.Start.Value);
        Assert.All(tokens.Zip(tokens.Skip(1)), pair => Assert.Equal(pair.First.Characters.End, pair.Second.Characters.Start));
        Assert.Contains(tokens, token => Text[token.Characters] == " the");
    }

    [Fact]
    public void A_character_spread_over_tokens_appears_once_it_is_complete()
    {
        StringWriter output = new();
        TextStream stream = new(Tokenizer, output);
        IReadOnlyList<int> fox = Tokenizer.Encode("🦊");
        Assert.Equal(4, fox.Count);

        foreach (int token in fox.Take(3))
        {
            stream.Write(token);
            Assert.Empty(output.ToString());
        }

        stream.Write(fox[3]);
        Assert.Equal("🦊", output.ToString());
    }

    [Fact]
    public void A_character_begun_by_skipped_tokens_appears_with_its_last_one()
    {
        StringWriter output = new();
        TextStream stream = new(Tokenizer, output);
        int[] fox = [.. Tokenizer.Encode("🦊")];

        stream.Skip(fox.AsSpan(0, 3));
        stream.Write(fox[3]);

        Assert.Equal("🦊", output.ToString());
    }

    [Fact]
    public void A_character_that_is_never_completed_becomes_a_replacement_character()
    {
        StringWriter output = new();
        TextStream stream = new(Tokenizer, output);

        stream.Write(Tokenizer.Encode("é")[0]);
        stream.Complete();

        Assert.Equal("\ufffd", output.ToString());
    }

    [Fact]
    public void Every_byte_has_a_token()
    {
        byte[] single = [.. Enumerable.Range(0, Tokenizer.VocabularySize).Where(id => Tokenizer.Bytes(id).Length == 1).Select(id => Tokenizer.Bytes(id)[0])];

        Assert.Equal(256, single.Distinct().Count());
    }

    [Theory]
    [InlineData("{", "not a byte-level BPE tokenizer")]
    [InlineData("[]", "not a byte-level BPE tokenizer")]
    [InlineData("""{"model": {"type": "WordPiece"}}""", "the model is not BPE")]
    [InlineData("""{"model": {"type": "BPE"}, "pre_tokenizer": {"type": "Whitespace"}}""", "the pre-tokenizer is not ByteLevel")]
    public void Another_tokenizer_is_refused(string json, string problem)
    {
        using TemporaryDirectory directory = new();
        string path = directory.Write("tokenizer.json", Encoding.UTF8.GetBytes(json));

        InvalidDataException error = Assert.Throws<InvalidDataException>(() => StoryTokenizer.Load(path));

        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    private static string Decode(IEnumerable<int> tokens)
    {
        StringWriter output = new();
        TextStream stream = new(Tokenizer, output);
        foreach (int token in tokens)
        {
            stream.Write(token);
        }

        stream.Complete();
        return output.ToString();
    }
}
