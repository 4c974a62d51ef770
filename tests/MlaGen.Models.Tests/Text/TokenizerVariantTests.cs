using System.Text.Json.Nodes;

namespace MlaGen.Models.Tests.Text;

/// <summary>Tokenizers that differ from the story model's in one part, against <c>@huggingface/tokenizers</c>.</summary>
public class TokenizerVariantTests
{
    private static readonly JsonObject _variants = JsonNode.Parse(File.ReadAllText(TextData.PathOf("variants.json")))!.AsObject();
    private static readonly JsonObject _golden = JsonNode.Parse(File.ReadAllText(TextData.PathOf("variants.golden.json")))!.AsObject();

    public static TheoryData<string> Names => [.. _variants.Select(variant => variant.Key)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Lines_become_the_tokens_of_the_reference(string name)
    {
        string[] expected = [.. _golden[name]!.AsArray().Select(hash => (string)hash!)];
        Assert.Equal(20, expected.Length);
        bool addSpecialTokens = _variants[name]!.AsObject().ContainsKey("post_processor");
        Assert.Equal(expected, TokenizerCorpus.Hashes(Variant(name), run: 500, addSpecialTokens));
    }

    [Theory]
    [InlineData("left")]
    [InlineData("right")]
    [InlineData("both")]
    public void Added_tokens_take_the_white_space_beside_them(string side)
    {
        JsonObject told = JsonNode.Parse(File.ReadAllText(TextData.PathOf("stripping.golden.json")))![side]!.AsObject();
        JsonObject tokenizer = JsonNode.Parse(File.ReadAllText(TextData.PathOf("story/tokenizer.json")))!.AsObject();
        tokenizer["added_tokens"] = told["added_tokens"]!.DeepClone();
        ModelTokenizer read = TextData.Tokenizer(tokenizer.ToJsonString(), config: null);

        Assert.NotEmpty(told["ids"]!.AsObject());
        Assert.All(told["ids"]!.AsObject(), text => Assert.Equal((string)text.Value!, string.Join(' ', read.Encode(text.Key))));
    }

    /// <summary>The story model's tokenizer with the members of a variant in place of its own.</summary>
    private static ModelTokenizer Variant(string name)
    {
        JsonObject tokenizer = JsonNode.Parse(File.ReadAllText(TextData.PathOf("story/tokenizer.json")))!.AsObject();
        foreach ((string member, JsonNode? value) in _variants[name]!.AsObject())
        {
            if (member != "model")
            {
                tokenizer[member] = value?.DeepClone();
                continue;
            }

            foreach ((string part, JsonNode? of) in value!.AsObject())
            {
                tokenizer["model"]![part] = of?.DeepClone();
            }
        }

        return TextData.Tokenizer(tokenizer.ToJsonString(), config: null);
    }
}
