using System.Collections.Immutable;

namespace MlaGen.Models;

/// <summary>What is known of a model from its <c>config.json</c>, whatever its family.</summary>
public sealed class ModelConfig
{
    internal const int MostLayers = 1 << 12;

    private ModelConfig(string file, ConfigSection text)
    {
        File = file;
        Text = text;
        ModelType = text.Text("model_type") ?? throw text.Wrong("model_type", DecoderFamily.TypesInWords, "nothing");
        HiddenSize = text.Integer("hidden_size", 1, 1 << 20);
        VocabularySize = text.Integer("vocab_size", 1, 1 << 24);
        MaxPositions = text.Integer("max_position_embeddings", 1, int.MaxValue);
        EndTokens = [.. text.Tokens("eos_token_id", VocabularySize)];
        Family = DecoderFamily.Create(this);
    }

    /// <summary>The file.</summary>
    public string File { get; }

    /// <summary>The family: <c>model_type</c>, of the language model where others stand beside it.</summary>
    public string ModelType { get; }

    /// <summary>Tokens that there are.</summary>
    public int VocabularySize { get; }

    /// <summary>Width of the residual stream.</summary>
    public int HiddenSize { get; }

    /// <summary>Attention layers, each with its own rows in the cache.</summary>
    public int AttentionLayers => Family.AttentionLayers;

    /// <summary>Positions that the model was made for (<c>max_position_embeddings</c>).</summary>
    public int MaxPositions { get; }

    /// <summary>How many weights it has.</summary>
    /// <exception cref="ModelConfigException">A number of the attention cannot be.</exception>
    public ModelSize Size => ModelSize.Of(this);

    /// <summary>The tokens that end a text (<c>eos_token_id</c>), those of <c>generation_config.json</c> among them.</summary>
    public ImmutableArray<int> EndTokens { get; private set; }

    /// <summary>The object that says what the language model is.</summary>
    internal ConfigSection Text { get; }

    internal DecoderFamily Family { get; }

    /// <summary>Reads <c>config.json</c> of a directory and checks every number that it will be asked for.</summary>
    /// <param name="directory">The model's directory.</param>
    /// <exception cref="ModelConfigException">The file is malformed, says something that cannot be, or describes a family that there is not.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static ModelConfig Read(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        string file = Path.Combine(directory, "config.json");
        ConfigSection root = new(file, JsonFile.Read(file));
        ConfigSection text = root.Section("text_config") ?? root;
        ModelConfig config = new(file, text);
        QuantizationRules.Check(root);
        QuantizationRules.Check(text);

        string generation = Path.Combine(directory, "generation_config.json");
        if (System.IO.File.Exists(generation))
        {
            ConfigSection section = new(generation, JsonFile.Read(generation));
            config.EndTokens = [.. config.EndTokens.Union(section.Tokens("eos_token_id", config.VocabularySize))];
        }

        return config;
    }
}
