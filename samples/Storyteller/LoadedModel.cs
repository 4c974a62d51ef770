using Storyteller.Model;
using Storyteller.Text;

namespace Storyteller;

/// <summary>A model and the tokenizer that belongs to it.</summary>
internal sealed record LoadedModel(StoryModel Model, StoryTokenizer Tokenizer)
{
    public static LoadedModel Load(string directory)
    {
        StoryModel model = StoryModel.Load(directory);
        string tokenizerPath = Path.Combine(directory, "tokenizer.json");
        StoryTokenizer tokenizer = StoryTokenizer.Load(tokenizerPath);
        return tokenizer.VocabularySize == model.Config.VocabularySize
            ? new LoadedModel(model, tokenizer)
            : throw new InvalidDataException($"{tokenizerPath} has {tokenizer.VocabularySize} tokens; config.json says vocab_size {model.Config.VocabularySize}");
    }

    /// <summary>The tokens of a text, after the token that stands before every story.</summary>
    /// <exception cref="UserException">There are more than the model has positions for.</exception>
    public int[] TokensOf(string text)
    {
        int[] tokens = [Model.Config.EndToken, .. Tokenizer.Encode(text)];
        return tokens.Length <= StoryAttention.MaxPositionEmbeddings
            ? tokens
            : throw new UserException($"the prompt has {tokens.Length} tokens, but the model's context ends at {StoryAttention.MaxPositionEmbeddings}");
    }
}
