using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// A linear layer <c>y = x Wᵀ + b</c>, as PyTorch's <c>nn.Linear</c>: for what stands around the attention of a model, with the kernels of its projections.
/// </summary>
/// <remarks>
/// <para>The weights are packed once, in their own type, and never change: any number of threads may multiply at once.</para>
/// <para>A row's result has the same bits alone and among others, and on any number of threads, within a <see cref="SimdTier"/> and an <see cref="MlaPrecision"/>.</para>
/// </remarks>
public sealed class Linear
{
    private readonly PackedMatrix _matrix;
    private readonly float[]? _bias;

    /// <summary>Packs weights, which are copied.</summary>
    /// <param name="inFeatures">Elements of an input row.</param>
    /// <param name="outFeatures">Elements of an output row.</param>
    /// <param name="weight"><c>[outFeatures, inFeatures]</c>, row-major.</param>
    /// <param name="bias"><c>[outFeatures]</c>; empty for none.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="inFeatures"/> or <paramref name="outFeatures"/> is not positive.</exception>
    /// <exception cref="ArgumentException"><paramref name="weight"/> or <paramref name="bias"/> has another length.</exception>
    public Linear(int inFeatures, int outFeatures, ReadOnlyMemory<float> weight, ReadOnlySpan<float> bias = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inFeatures);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outFeatures);
        Check(weight.Length, outFeatures, inFeatures, nameof(weight), "outFeatures, inFeatures");
        if (!bias.IsEmpty)
        {
            Check(bias.Length, outFeatures, 1, nameof(bias), "outFeatures");
            _bias = bias.ToArray();
        }

        _matrix = PackedMatrix.Pack(outFeatures, inFeatures, weight);
    }

    private Linear(PackedMatrix matrix, float[]? bias)
    {
        _matrix = matrix;
        _bias = bias;
    }

    /// <summary>Elements of an input row.</summary>
    public int InFeatures => _matrix.Columns;

    /// <summary>Elements of an output row.</summary>
    public int OutFeatures => _matrix.Rows;

    /// <summary>How the weights are kept.</summary>
    public WeightFormat Format => _matrix.Products.Format;

    /// <summary>Type of the packed weights: that of the checkpoint, which for codes of 4 bits is <see cref="TensorType.Int32"/>, or <see cref="TensorType.Int8"/>, which also holds two of 4 bits.</summary>
    public TensorType Type => _matrix.Type;

    /// <summary>Bytes of the packed weights, padding included.</summary>
    public long Bytes => _matrix.Bytes;

    /// <summary>The bias <c>[OutFeatures]</c>; empty if there is none.</summary>
    public ReadOnlySpan<float> Bias => _bias;

    /// <summary>The packed weights.</summary>
    internal PackedMatrix Matrix => _matrix;

    /// <summary>Loads a layer from a checkpoint, which need not stay open.</summary>
    /// <param name="checkpoint">Where the tensors are.</param>
    /// <param name="name">The layer's name, such as <c>model.layers.0.mlp.gate_proj</c>; its tensors have <c>.weight</c> and <c>.bias</c> behind it.</param>
    /// <param name="inFeatures">Elements of an input row: columns of the tensor.</param>
    /// <param name="outFeatures">Elements of an output row: rows of the tensor.</param>
    /// <param name="bias">Whether the layer has a bias; a checkpoint that says otherwise is refused.</param>
    /// <param name="format">How to keep the weights; brought into it row by row, so that no more than a few rows are there twice. Those that are packed in four bits stay as they are.</param>
    /// <returns>The layer.</returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="inFeatures"/> or <paramref name="outFeatures"/> is not positive, or there is no such format.</exception>
    /// <exception cref="CheckpointException">
    /// A tensor is missing or surplus, or has another shape, or elements other than BF16, F16, F32 or F8_E4M3 with a scale for each block of 128 × 128, for each row, or for all of it, or four bits as compressed-tensors'
    /// <c>pack-quantized</c> has them, symmetric, in groups of a multiple of 32.
    /// </exception>
    public static Linear Load(ICheckpoint checkpoint, string name, int inFeatures, int outFeatures, bool bias = false, WeightFormat format = WeightFormat.Stored)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inFeatures);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outFeatures);
        WeightMatrix source = (WeightMatrix?)PackedInt4WeightMatrix.TryOpen(checkpoint, name + ".weight", outFeatures, inFeatures)
            ?? WeightReader.OpenMatrix(checkpoint, name + ".weight", outFeatures, inFeatures, "[outFeatures, inFeatures]");
        float[]? values = null;
        if (bias)
        {
            values = WeightReader.ReadVector(checkpoint, name + ".bias", outFeatures, "[outFeatures]");
        }
        else
        {
            WeightReader.RequireAbsent(checkpoint, name + ".bias", "bias is false");
        }

        return new Linear(Pack(checkpoint, source, format), values);
    }

    /// <summary>Multiplies rows on the calling thread. After the first calls nothing is allocated.</summary>
    /// <param name="inputs"><c>[count, InFeatures]</c>.</param>
    /// <param name="outputs"><c>[count, OutFeatures]</c>; overwritten, and not the memory of <paramref name="inputs"/>.</param>
    /// <param name="count">Rows.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative.</exception>
    /// <exception cref="ArgumentException">A span has another length, or they overlap; nothing was written.</exception>
    public void Multiply(ReadOnlySpan<float> inputs, Span<float> outputs, int count) =>
        Run(inputs, outputs, count, MlaPrecision.Highest, executor: null, CancellationToken.None);

    /// <summary>Multiplies rows on an executor's threads, which share the outputs; little work stays on the calling thread.</summary>
    /// <param name="inputs"><c>[count, InFeatures]</c>.</param>
    /// <param name="outputs"><c>[count, OutFeatures]</c>; overwritten, and not the memory of <paramref name="inputs"/>.</param>
    /// <param name="count">Rows.</param>
    /// <param name="executor">The threads.</param>
    /// <param name="precision">How exactly to multiply; that of a step is its <see cref="MlaBatch.Precision"/>. A row's bits belong to a precision.</param>
    /// <param name="cancellationToken">Ends the product early; what is in <paramref name="outputs"/> is then of no use.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative, or there is no such precision.</exception>
    /// <exception cref="ArgumentException">A span has another length, or they overlap; nothing was written.</exception>
    /// <exception cref="ObjectDisposedException">The executor has been disposed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void Multiply(ReadOnlySpan<float> inputs, Span<float> outputs, int count, MlaExecutor executor, MlaPrecision precision = MlaPrecision.Highest, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executor);
        Check(precision);
        Run(inputs, outputs, count, precision, executor, cancellationToken);
    }

    /// <summary>Multiplies one row with each of several layers, all shared between an executor's threads at once: worth more than one after the other where each is small.</summary>
    /// <param name="layers">The layers.</param>
    /// <param name="inputs">A row for each layer, <c>[InFeatures]</c> of it, one after the other.</param>
    /// <param name="outputs">A row for each layer, <c>[OutFeatures]</c> of it, one after the other; overwritten, and not the memory of <paramref name="inputs"/>. They have the bits of <see cref="Multiply(ReadOnlySpan{float}, Span{float}, int, MlaExecutor, MlaPrecision, CancellationToken)"/>.</param>
    /// <param name="executor">The threads.</param>
    /// <param name="precision">How exactly to multiply; that of a step is its <see cref="MlaBatch.Precision"/>.</param>
    /// <param name="cancellationToken">Ends the products early; what is in <paramref name="outputs"/> is then of no use.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such precision.</exception>
    /// <exception cref="ArgumentNullException">A layer is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">A span has another length, or they overlap; nothing was written.</exception>
    /// <exception cref="ObjectDisposedException">The executor has been disposed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static void MultiplyEach(
        ReadOnlySpan<Linear> layers, ReadOnlySpan<float> inputs, Span<float> outputs, MlaExecutor executor, MlaPrecision precision = MlaPrecision.Highest, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executor);
        Check(precision);
        long allInputs = 0;
        long allOutputs = 0;
        foreach (Linear layer in layers)
        {
            ArgumentNullException.ThrowIfNull(layer, nameof(layers));
            allInputs += layer.InFeatures;
            allOutputs += layer.OutFeatures;
        }

        Check(inputs.Length, 1, allInputs, nameof(inputs), "InFeatures of all layers");
        Check(outputs.Length, 1, allOutputs, nameof(outputs), "OutFeatures of all layers");
        CheckApart(inputs, outputs);
        LinearRows.Run(layers, inputs, outputs, precision, executor, cancellationToken);
    }

    /// <summary>Reads the weights of one output, as products use them.</summary>
    /// <param name="output">The output.</param>
    /// <param name="weights">Takes <c>[InFeatures]</c> weights.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such output.</exception>
    /// <exception cref="ArgumentException"><paramref name="weights"/> has another length.</exception>
    public void ReadWeights(int output, Span<float> weights)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(output);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(output, OutFeatures);
        Check(weights.Length, 1, InFeatures, nameof(weights), "InFeatures");
        _matrix.Products.ReadRow(_matrix, output / PackedMatrix.PanelWidth, output % PackedMatrix.PanelWidth, weights);
        GC.KeepAlive(this);
    }

    private static PackedMatrix Pack(ICheckpoint checkpoint, WeightMatrix source, WeightFormat format)
    {
        if (format == WeightFormat.Stored || source.StaysStored)
        {
            return PackedWeights.Pack(checkpoint, source.Name, source.Rows, source.Columns, source.Products, source.ReadRows);
        }

        try
        {
            return PackedWeights.Pack(checkpoint, source.Name, source.Rows, source.Columns, PanelFormats.Of(format), source.ReadFloats);
        }
        catch (OverflowException error)
        {
            throw source.Refuse($"cannot be kept as {format}: {error.Message}", error);
        }
    }

    private static void Check(int found, int rows, long width, string name, string formula)
    {
        if (found != rows * width)
        {
            string shape = formula.Contains(',', StringComparison.Ordinal) ? $"{rows}, {width}" : $"{rows * width}";
            throw new ArgumentException(FormattableString.Invariant($"{name} takes [{formula}] = [{shape}], that is {Counted.Of(rows * width, "value")}; found {found}."), name);
        }
    }

    private static void Check(MlaPrecision precision)
    {
        if (!Enum.IsDefined(precision))
        {
            throw new ArgumentOutOfRangeException(nameof(precision), precision, "There is no such precision.");
        }
    }

    private static void CheckApart(ReadOnlySpan<float> inputs, Span<float> outputs)
    {
        if (inputs.Overlaps(outputs))
        {
            throw new ArgumentException("outputs must not be the memory of inputs: an output is written while inputs are still needed.", nameof(outputs));
        }
    }

    private void Run(ReadOnlySpan<float> inputs, Span<float> outputs, int count, MlaPrecision precision, MlaExecutor? executor, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        Check(inputs.Length, count, InFeatures, nameof(inputs), "count, InFeatures");
        Check(outputs.Length, count, OutFeatures, nameof(outputs), "count, OutFeatures");
        CheckApart(inputs, outputs);
        LinearProduct.Run(_matrix, _bias, inputs, outputs, count, precision, executor, cancellationToken);
    }
}
