using System.Buffers.Binary;
using System.Security.Cryptography;
using MlaGen;
using Samples;
using Storyteller.Model;
using Storyteller.Text;

namespace Storyteller;

/// <summary>A model, the tokenizer that belongs to it, and the directory they come from.</summary>
internal sealed record LoadedModel(StoryModel<StoryAttention> Model, StoryTokenizer Tokenizer, string Directory)
{
    private const string TokenizerFile = "tokenizer.json";

    public static LoadedModel Load(string directory)
    {
        // The kernels are compiled while the weights are read; whoever calls one too early compiles it once more.
        Task.Run(static () => StoryAttention.Warmup());
        StoryModel<StoryAttention> model = StoryModel<StoryAttention>.Load(directory);
        string tokenizerPath = Path.Combine(directory, TokenizerFile);
        StoryTokenizer tokenizer = StoryTokenizer.Load(tokenizerPath);
        return tokenizer.VocabularySize == model.Config.VocabularySize
            ? new LoadedModel(model, tokenizer, directory)
            : throw new InvalidDataException($"{tokenizerPath} has {Counted.Of(tokenizer.VocabularySize, "token")}; config.json says vocab_size {model.Config.VocabularySize}");
    }

    /// <summary>The tokens of a text, after the token that stands before every story.</summary>
    /// <exception cref="UserException">There are more than the model has positions for.</exception>
    public int[] TokensOf(string text)
    {
        int[] tokens = [Model.Config.EndToken, .. Tokenizer.Encode(text)];
        int most = StoryAttention.Shape.MaxPositionEmbeddings;
        return tokens.Length <= most ? tokens : throw new UserException($"the prompt has {Counted.Of(tokens.Length, "token")}, but the model's context ends at {most}");
    }

    /// <summary>A number that another model has not: of all that is loaded, weights included.</summary>
    public long Fingerprint() => FingerprintOf(Directory);

    /// <summary>The fingerprint of the model in a directory.</summary>
    public static long FingerprintOf(string directory)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        IEnumerable<string> weights = System.IO.Directory.EnumerateFiles(directory, "*.safetensors").Order(StringComparer.Ordinal);
        foreach (string path in (IEnumerable<string>)[Path.Combine(directory, "config.json"), Path.Combine(directory, TokenizerFile), .. weights])
        {
            using FileStream file = ModelFile.OpenRead(path);
            hash.AppendData(SHA256.HashData(file));
        }

        return BinaryPrimitives.ReadInt64LittleEndian(hash.GetHashAndReset());
    }
}
