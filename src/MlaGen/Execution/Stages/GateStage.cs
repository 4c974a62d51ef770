using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Output gates: the values of all heads are multiplied by the sigmoids of a projection, of the hidden states or, beside the queries, of the query
/// latents (<see cref="OutputGate.Query"/>).
/// </summary>
internal sealed class GateStage
{
    /// <summary>Multiplications that take about as long as gating an element.</summary>
    private const long GateCost = 16;

    private readonly StepContext _step;
    private readonly ProjectionStage _projections;
    private readonly OutputGate _kind;
    private readonly Workspace _gates;
    private readonly Workspace _queryInput;
    private readonly Workspace _projectedQueries;
    private readonly Action<int, int> _gateRow;
    private Workspace _values = null!;
    private Workspace _queries = null!;

    public GateStage(StepContext step, ProjectionStage projections)
    {
        _step = step;
        _projections = projections;
        _kind = step.Definition.OutputGate;
        _gates = step.Memory.Add();
        _queryInput = step.Memory.Add();
        _projectedQueries = step.Memory.Add();
        _gateRow = GateRow;
    }

    private MlaShape Shape => _step.Shape;

    /// <summary>Takes the memory for the gates of so many rows.</summary>
    public void Reserve(int rows)
    {
        if (_kind == OutputGate.Query)
        {
            _queryInput.Reserve(2L * rows * Shape.QLoraRank);
            _projectedQueries.Reserve((long)rows * Shape.Heads * (Shape.QkHeadDim + Shape.VHeadDim));
        }

        _gates.Reserve((long)rows * Shape.Heads * (_kind == OutputGate.HeadWise ? 1 : Shape.VHeadDim));
    }

    /// <summary>Keeps a row's query latent as it is before its norm: the second half of what makes queries and gates.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void TakeLatent(int row, ReadOnlySpan<float> latent) => latent.CopyTo(_queryInput.Span(((2L * row) + 1) * Shape.QLoraRank, Shape.QLoraRank));

    /// <summary>Keeps a row's normalised query latent: the first half of what makes queries and gates.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void TakeNormalizedLatent(int row, ReadOnlySpan<float> latent) => latent.CopyTo(_queryInput.Span(2L * row * Shape.QLoraRank, Shape.QLoraRank));

    /// <summary>Projects the latents that were kept to queries and gates, which <see cref="SplitQueries"/> then takes apart.</summary>
    public void ProjectQueries(LayerWeights weights, int rows, Workspace queries)
    {
        _queries = queries;
        queries.Reserve((long)rows * Shape.Heads * Shape.QkHeadDim);
        _projections.Run(weights.QProj, _queryInput, rows, _projectedQueries);
    }

    /// <summary>Takes what the query projection makes of a row, of each head the query and then the gate, to where each is used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void SplitQueries(int row)
    {
        int query = Shape.QkHeadDim;
        int gate = Shape.VHeadDim;
        for (int head = 0; head < Shape.Heads; head++)
        {
            long index = ((long)row * Shape.Heads) + head;
            ReadOnlySpan<float> projected = _projectedQueries.Span(index * (query + gate), query + gate);
            projected[..query].CopyTo(_queries.Span(index * query, query));
            projected[query..].CopyTo(_gates.Span(index * gate, gate));
        }
    }

    /// <summary>Gates the values of all heads, where they lie.</summary>
    /// <param name="weights">The layer's weights.</param>
    /// <param name="hidden">Hidden states.</param>
    /// <param name="values">Values of all heads <c>[rows, heads, width]</c>.</param>
    public void Run(LayerWeights weights, Workspace hidden, Workspace values)
    {
        int rows = _step.Batch.Rows;
        if (weights.GateProj is not null)
        {
            _projections.Run(weights.GateProj, hidden, rows, _gates);
        }

        _values = values;
        _step.Run(_gateRow, rows, GateCost * rows * Shape.Heads * Shape.VHeadDim);
    }

    /// <summary>Multiplies a row's values by the sigmoids of its gates.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void GateRow(int row, int worker)
    {
        int width = Shape.VHeadDim;
        for (int head = 0; head < Shape.Heads; head++)
        {
            long index = ((long)row * Shape.Heads) + head;
            Span<float> values = _values.Span(index * width, width);
            if (_kind == OutputGate.HeadWise)
            {
                RowMath.Current.Scale(values, VectorMath.Sigmoid(_gates.At(index)), values);
            }
            else
            {
                RowMath.Current.Gate(values, _gates.Span(index * width, width));
            }
        }
    }
}
