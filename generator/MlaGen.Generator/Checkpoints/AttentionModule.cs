using MlaGen.Generator.Model;
using MlaGen.Runtime;

namespace MlaGen.Generator.Checkpoints;

/// <summary>The attention modules that have one name but for the layer, with all that stands under that name.</summary>
internal sealed class AttentionModule
{
    private readonly List<(string Tail, CheckpointTensors Entry)> _tensors = [];

    private AttentionModule(string name) => Name = name;

    public string Name { get; }

    /// <summary>The layers that are latent attention: one of another kind may have an o_proj of its own.</summary>
    public LayerSet Layers { get; private set; } = LayerSet.Of(Array.Empty<int>());

    /// <summary>The tensors of these layers, each with its name behind the module's.</summary>
    public IEnumerable<(string Tail, CheckpointTensors Entry)> Tensors => _tensors.Where(tensor => !tensor.Entry.Layers.And(Layers).IsEmpty);

    /// <summary>All modules with a tensor that only Multi-head Latent Attention has; each tensor belongs to the innermost.</summary>
    public static IReadOnlyList<AttentionModule> All(IReadOnlyList<CheckpointTensors> tensors)
    {
        var modules = new Dictionary<string, AttentionModule>(StringComparer.Ordinal);
        foreach (string name in tensors.Select(static tensor => Distinctive(tensor.Name)).Where(static name => name is not null).Select(static name => name!))
        {
            modules[name] = new AttentionModule(name);
        }

        foreach (CheckpointTensors tensor in tensors)
        {
            for (int end = tensor.Name.LastIndexOf('.'); ; end = end <= 0 ? -1 : tensor.Name.LastIndexOf('.', end - 1))
            {
                if (modules.TryGetValue(end < 0 ? string.Empty : tensor.Name.Substring(0, end), out AttentionModule? module))
                {
                    module._tensors.Add((tensor.Name.Substring(end + 1), tensor));
                    break;
                }

                if (end < 0)
                {
                    break;
                }
            }
        }

        foreach (AttentionModule module in modules.Values)
        {
            module.Layers = LayerSet.Of(module._tensors.Where(tensor => Distinctive(tensor.Entry.Name) == module.Name).Select(static tensor => tensor.Entry.Layers));
        }

        return [.. modules.Values];
    }

    /// <summary>The tensors of one name behind the module's.</summary>
    public List<CheckpointTensors> Find(string projection, string tensor) => Find($"{projection}.{tensor}");

    public List<CheckpointTensors> Find(string tail) => [.. Tensors.Where(candidate => candidate.Tail == tail).Select(static candidate => candidate.Entry)];

    public string Path(string rest) => Name.Length == 0 ? rest : $"{Name}.{rest}";

    /// <summary>The module of a tensor of a projection that only latent attention has; null for other tensors.</summary>
    private static string? Distinctive(string name)
    {
        int tensor = name.LastIndexOf('.');
        int projection = tensor <= 0 ? -1 : name.LastIndexOf('.', tensor - 1);
        return tensor > 0 && ProjectionNames.Tensors.Contains(name.Substring(tensor + 1)) && ProjectionNames.Distinctive.Contains(name.Substring(projection + 1, tensor - projection - 1))
            ? name.Substring(0, Math.Max(projection, 0))
            : null;
    }
}
