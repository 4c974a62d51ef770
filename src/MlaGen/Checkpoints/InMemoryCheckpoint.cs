using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>A checkpoint whose tensors are made in code.</summary>
/// <remarks>Any number of threads may read at once, but not while one adds.</remarks>
/// <param name="source">What messages call it.</param>
public sealed class InMemoryCheckpoint(string source = "memory") : ICheckpoint
{
    private readonly Dictionary<string, CheckpointTensor> _tensors = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Source { get; } = source;

    /// <inheritdoc/>
    public IEnumerable<string> Names => _tensors.Keys;

    /// <summary>Adds a tensor by its bytes.</summary>
    /// <param name="name">Full name.</param>
    /// <param name="type">Type of one element.</param>
    /// <param name="shape">Dimensions, outermost first; none for a scalar.</param>
    /// <param name="data">The elements, row-major and little-endian. They are copied.</param>
    /// <exception cref="ArgumentException">The name is taken, the shape impossible, or the data not as long as type and shape demand.</exception>
    public void Add(string name, TensorType type, ReadOnlySpan<long> shape, ReadOnlySpan<byte> data)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (TensorTypes.SizeProblem(type, shape, out long bytes) is { } problem)
        {
            throw new ArgumentException($"Tensor '{name}' cannot have the shape {TensorTypes.Format(shape)}: {problem}.", nameof(shape));
        }

        if (bytes != data.Length)
        {
            throw new ArgumentException($"Tensor '{name}', {type.Name()} {TensorTypes.Format(shape)}, takes {Counted.Of(bytes, "byte")}; found {data.Length}.", nameof(data));
        }

        var tensor = new Tensor(data.ToArray()) { Name = name, Type = type, Shape = [.. shape], Source = Source };
        if (!_tensors.TryAdd(name, tensor))
        {
            throw new ArgumentException($"There is a tensor '{name}' already.", nameof(name));
        }
    }

    /// <summary>Adds a tensor by its values, rounded to the nearest value of the type, ties to even.</summary>
    /// <param name="name">Full name.</param>
    /// <param name="shape">Dimensions, outermost first; none for a scalar.</param>
    /// <param name="values">The elements, row-major.</param>
    /// <param name="type"><see cref="TensorType.Float32"/>, <see cref="TensorType.Float16"/>, <see cref="TensorType.BFloat16"/> or <see cref="TensorType.Float8E4M3"/>.</param>
    /// <exception cref="ArgumentException">The name is taken, the shape impossible, or the values not as many as the shape demands.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The type is another one.</exception>
    public void Add(string name, ReadOnlySpan<long> shape, ReadOnlySpan<float> values, TensorType type = TensorType.Float32)
    {
        if (type is TensorType.Float32 or TensorType.Float16 or TensorType.BFloat16 or TensorType.Float8E4M3 && ((long)values.Length * type.Size()) > Array.MaxLength)
        {
            throw new ArgumentException($"Tensor '{name}' takes {(long)values.Length * type.Size()} bytes as {type.Name()}; at most {Array.MaxLength} are kept in memory.", nameof(values));
        }

        switch (type)
        {
            case TensorType.Float32:
                Add(name, type, shape, MemoryMarshal.AsBytes(values));
                break;
            case TensorType.Float16:
                Add(name, type, shape, Convert(values, static value => (Half)value));
                break;
            case TensorType.BFloat16:
                Add(name, type, shape, Convert(values, BFloat16Conversion.FromSingle));
                break;
            case TensorType.Float8E4M3:
                Add(name, type, shape, Convert(values, Float8E4M3.FromSingle));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "Floats can be stored as Float32, Float16, BFloat16 or Float8E4M3.");
        }
    }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor)
    {
        ArgumentNullException.ThrowIfNull(name);
        return _tensors.TryGetValue(name, out tensor);
    }

    private static ReadOnlySpan<byte> Convert<T>(ReadOnlySpan<float> values, Func<float, T> round)
        where T : unmanaged
    {
        var converted = new T[values.Length];
        for (int i = 0; i < converted.Length; i++)
        {
            converted[i] = round(values[i]);
        }

        return MemoryMarshal.AsBytes<T>(converted);
    }

    private sealed class Tensor(byte[] data) : CheckpointTensor
    {
        public override void Read(long offset, Span<byte> destination)
        {
            TensorTypes.CheckRange(this, data.Length, offset, destination.Length);
            data.AsSpan((int)offset, destination.Length).CopyTo(destination);
        }
    }
}
