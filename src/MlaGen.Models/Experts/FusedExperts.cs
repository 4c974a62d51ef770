using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace MlaGen.Models;

/// <summary>
/// A checkpoint whose experts lie in two tensors, <c>experts.gate_up_proj [experts, 2 · width, hidden]</c> and <c>experts.down_proj [experts, hidden, width]</c>,
/// seen as one that has three matrices for each.
/// </summary>
internal sealed class FusedExperts : ICheckpoint
{
    private readonly ICheckpoint _checkpoint;
    private readonly string _prefix;
    private readonly CheckpointTensor _gateUp;
    private readonly CheckpointTensor _down;
    private readonly int _experts;
    private readonly int _width;

    private FusedExperts(ICheckpoint checkpoint, string prefix, int experts, int hidden, int width)
    {
        _checkpoint = checkpoint;
        _prefix = prefix;
        _experts = experts;
        _width = width;
        _gateUp = WeightSource.Find(checkpoint, $"{prefix}gate_up_proj", experts, 2 * width, hidden);
        _down = WeightSource.Find(checkpoint, $"{prefix}down_proj", experts, hidden, width);
    }

    public string Source => _checkpoint.Source;

    public IEnumerable<string> Names => _checkpoint.Names;

    /// <summary>The checkpoint itself, or, if that is how it has its experts, this view of it.</summary>
    public static ICheckpoint Open(ICheckpoint checkpoint, string prefix, int experts, int hidden, int width) =>
        checkpoint.TryGetTensor($"{prefix}gate_up_proj", out _) ? new FusedExperts(checkpoint, prefix, experts, hidden, width) : checkpoint;

    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor)
    {
        string[] parts = name.StartsWith(_prefix, StringComparison.Ordinal) ? name[_prefix.Length..].Split('.') : [];
        if (parts is not [string number, string matrix, "weight"]
            || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int expert) || expert >= _experts)
        {
            return _checkpoint.TryGetTensor(name, out tensor);
        }

        tensor = matrix switch
        {
            "gate_proj" => new Rows(_gateUp, name, expert, 0, _width),
            "up_proj" => new Rows(_gateUp, name, expert, _width, _width),
            "down_proj" => new Rows(_down, name, expert, 0, (int)_down.Shape[1]),
            _ => null,
        };
        return tensor is not null;
    }

    /// <summary>Neighbouring rows of one expert.</summary>
    private sealed class Rows : CheckpointTensor
    {
        private readonly CheckpointTensor _all;
        private readonly long _start;

        [SetsRequiredMembers]
        public Rows(CheckpointTensor all, string name, int expert, int firstRow, int rows)
        {
            _all = all;
            Name = name;
            Type = all.Type;
            Source = all.Source;
            Shape = ImmutableArray.Create(rows, all.Shape[2]);
            _start = ((expert * all.Shape[1]) + firstRow) * all.Shape[2] * WeightSource.ElementBytes(all.Type);
        }

        public override void Read(long offset, Span<byte> destination) => _all.Read(_start + offset, destination);
    }
}
