using MlaGen;
using MlaGen.Models;
using Samples;
using Storyteller.Model;

namespace Storyteller;

/// <summary>A model, the tokenizer that belongs to it, and the directory they come from.</summary>
internal sealed record LoadedModel(LanguageModel Model, ModelTokenizer Tokenizer, string Directory)
{
    private const string TokenizerFile = "tokenizer.json";

    public static LoadedModel Load(string directory, WeightFormat weights = WeightFormat.Stored) => Load(directory, AttentionClass.Of<StoryAttention>(), weights);

    /// <summary>Loads a model around another class than the program's own.</summary>
    public static LoadedModel Load(string directory, AttentionClass attention, WeightFormat weights = WeightFormat.Stored)
    {
        LanguageModel model = LanguageModel.Load(directory, [attention], new ModelOptions { Weights = weights });
        if (model.Config.EndTokens.IsEmpty)
        {
            throw new InvalidDataException($"{model.Config.File} has no eos_token_id, with which every story begins and ends");
        }

        ModelTokenizer tokenizer = ModelTokenizer.Load(directory);
        return tokenizer.VocabularySize == model.Config.VocabularySize
            ? new LoadedModel(model, tokenizer, directory)
            : throw new InvalidDataException($"{Path.Combine(directory, TokenizerFile)} has {Counted.Of(tokenizer.VocabularySize, "token")}; config.json says vocab_size {model.Config.VocabularySize}");
    }

    /// <summary>The token that ends a story, and stands before every one.</summary>
    public int EndToken => Model.Config.EndTokens[0];

    /// <summary>The tokens of a text, after the token that stands before every story.</summary>
    /// <exception cref="UserException">There are more than the model has positions for.</exception>
    public int[] TokensOf(string text)
    {
        int[] tokens = [EndToken, .. Tokenizer.Encode(text)];
        int most = Model.Shape.MaxPositionEmbeddings;
        return tokens.Length <= most ? tokens : throw new UserException($"the prompt has {Counted.Of(tokens.Length, "token")}, but the model's context ends at {most}");
    }
}
