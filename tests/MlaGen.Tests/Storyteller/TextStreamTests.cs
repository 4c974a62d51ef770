using MlaGen.Models;
using Storyteller.Text;

namespace MlaGen.Tests.Storyteller;

/// <summary>The story model's text: what becomes tokens, and how tokens become text again as they come.</summary>
public class TextStreamTests
{
    private static ModelTokenizer Tokenizer => StoryData.Loaded.Tokenizer;

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
    public void A_character_spread_over_tokens_appears_once_it_is_complete()
    {
        StringWriter output = new();
        TextStream stream = new(Tokenizer, output);
        int[] fox = Tokenizer.Encode("🦊");
        Assert.Equal(4, fox.Length);

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
