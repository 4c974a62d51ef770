using System.Diagnostics.CodeAnalysis;

namespace MlaGen;

/// <summary>A set of named tensors that weights are loaded from.</summary>
public interface ICheckpoint
{
    /// <summary>The file or directory the tensors come from, for messages about a tensor that is not there.</summary>
    string Source { get; }

    /// <summary>The full names of all tensors: what stands beside the weights of an attention and is not read would change what it computes.</summary>
    IEnumerable<string> Names { get; }

    /// <summary>Finds a tensor by its full name, for example <c>model.layers.0.self_attn.o_proj.weight</c>.</summary>
    bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor);
}
