using System.Text;

namespace MlaGen.Models.Tests.Text;

/// <summary>Ten thousand lines against <c>@huggingface/tokenizers</c>.</summary>
public class GoldenTokenTests
{
    [Theory]
    [InlineData("deepseek-v3")]
    [InlineData("story")]
    public void Lines_become_the_tokens_of_the_reference(string model)
    {
        string[] expected = File.ReadAllLines(TextData.PathOf($"{model}/tokens.txt"));
        Assert.Equal(1000, expected.Length);
        Assert.Equal(expected, TokenizerCorpus.Hashes(TextData.Tokenizer(model)));
    }

    [Theory]
    [InlineData("deepseek-v3")]
    [InlineData("story")]
    public void Lines_survive_encoding_and_decoding_token_by_token(string model)
    {
        ModelTokenizer tokenizer = TextData.Tokenizer(model);
        foreach (string line in TokenizerCorpus.Lines)
        {
            int[] ids = tokenizer.Encode(line);
            StreamingDecoder decoder = tokenizer.CreateDecoder(skipSpecialTokens: false);
            StringBuilder text = new();
            foreach (int id in ids)
            {
                text.Append(decoder.Append(id));
            }

            Assert.Equal(line, text.Append(decoder.Complete()).ToString());
        }
    }
}
