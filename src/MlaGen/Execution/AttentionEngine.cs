using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Takes one layer of one step through its stages: project, normalise and rotate, append to the cache, attend in one form or the other,
/// gate, project back. Belongs to a batch, and keeps the memory of its stages from step to step.
/// </summary>
internal sealed class AttentionEngine
{
    private readonly StepContext _step;
    private readonly RotaryPositions _positions;
    private readonly ProjectionStage _projections;
    private readonly AbsorbedStage _absorbed;
    private readonly AbsorptionStage _absorption;
    private readonly DecompressedStage _decompressed;
    private readonly GateStage? _gate;

    /// <summary>The same, if the query projection makes the gates as well.</summary>
    private readonly GateStage? _queryGate;
    private readonly IndexStage? _index;
    private readonly GivenSelection _given;
    private readonly SelectedForms _selectedForms;
    private readonly Action<int, int> _prepareRow;
    private readonly Action<int, int> _normalizeRow;
    private readonly Action<int, int> _splitQueries;
    private readonly Action<int, int> _rotateQueries;
    private readonly Workspace _hidden;
    private readonly Workspace _queryLatent;
    private readonly Workspace _latent;
    private readonly Workspace _queries;
    private readonly Workspace _absorbedQueries;
    private readonly Workspace _latentOutput;
    private readonly Workspace _headValues;
    private readonly Workspace _result;
    private readonly Workspace _logSumExp;
    private LayerWeights _weights = null!;
    private int _preparedStep = -1;

    public AttentionEngine(MlaBatch batch, MlaDefinition definition)
    {
        _step = new StepContext(batch, definition);
        _positions = new RotaryPositions(definition);
        _projections = new ProjectionStage(_step);
        _absorbed = new AbsorbedStage(_step, CoreChoice.First(definition.Kernels.Absorbed, batch.Pool.Layout, batch.Pool.Precision));
        _absorption = new AbsorptionStage(_step, _absorbed);
        _decompressed = new DecompressedStage(_step, CoreChoice.First(definition.Kernels.Decompressed, batch.Pool.Layout, batch.Pool.Precision), _positions);
        _gate = definition.OutputGate == OutputGate.None ? null : new GateStage(_step, _projections);
        _queryGate = definition.OutputGate == OutputGate.Query ? _gate : null;
        _given = new GivenSelection(batch);
        _selectedForms = new SelectedForms(definition.Shape);
        _index = definition.Indexer is { } indexer ? new IndexStage(_step, indexer, _positions, _projections) : null;
        _hidden = _step.Memory.Add();
        _queryLatent = _step.Memory.Add();
        _latent = _step.Memory.Add();
        _queries = _step.Memory.Add();
        _absorbedQueries = _step.Memory.Add();
        _latentOutput = _step.Memory.Add();
        _headValues = _step.Memory.Add();
        _result = _step.Memory.Add();
        _logSumExp = _step.Memory.Add();
        _prepareRow = PrepareRow;
        _normalizeRow = NormalizeRow;
        _splitQueries = SplitQueries;
        _rotateQueries = RotateQueries;
    }

    /// <summary>What the step's rows attend to, if the last layer that ran had or shared an indexer; else null.</summary>
    public TokenSelection? Selection => _index is { } index && index.Selection.IsOf(Batch.Step) ? index.Selection : null;

    private MlaBatch Batch => _step.Batch;

    private MlaShape Shape => _step.Shape;

    private MlaDefinition Definition => _step.Definition;

    /// <summary>Takes the memory that steps of up to so many rows usually work in. One that needs more takes it then.</summary>
    public void Reserve(int rows)
    {
        // More new tokens of one sequence are cheaper decompressed.
        int absorbed = Definition.BreakEvenQueries > 0 ? Math.Min(rows, Definition.BreakEvenQueries) : rows;
        _hidden.Reserve((long)rows * Shape.HiddenSize);
        _queryLatent.Reserve((long)rows * Shape.QLoraRank);
        _latent.Reserve((long)rows * Shape.CacheRowElements);
        _queries.Reserve((long)rows * Shape.Heads * Shape.QkHeadDim);
        _headValues.Reserve((long)rows * Shape.Heads * Shape.VHeadDim);
        _result.Reserve((long)rows * Shape.HiddenSize);
        _logSumExp.Reserve((long)rows * Shape.Heads);
        _index?.Reserve(rows);
        ReserveAbsorbed(absorbed);
        _absorbed.Reserve(absorbed);
        _absorption.Reserve(absorbed);
        _gate?.Reserve(rows);
        int queryInput = _queryGate is not null ? 2 * Shape.QLoraRank : Shape.QLoraRank;
        _projections.Reserve(rows, Math.Max(Math.Max(Shape.HiddenSize, queryInput), Shape.Heads * Shape.VHeadDim));
        if (rows > 1)
        {
            _decompressed.Reserve(rows);
        }

        _step.Memory.Touch();
    }

    /// <summary>One layer from hidden states to output; arguments are checked.</summary>
    public void Forward(LayerWeights weights, int layer, ReadOnlySpan<float> hidden, Span<float> output)
    {
        Begin(layer, writes: true);
        if (Definition.Indexer is not null && weights.Indexer is null && Selection is null)
        {
            throw new InvalidOperationException(FormattableString.Invariant(
                $"Layer {layer} has no indexer and attends to what an earlier layer of the step has selected; none has: a layer with an indexer comes first."));
        }

        RefuseDecompressedTrees();
        int rows = Batch.Rows;
        ProjectRows(weights, hidden, _prepareRow);
        if (weights.Indexer is not null)
        {
            _index!.Run(weights.Indexer, _queryLatent, _hidden);
        }

        ChooseForms(Selection);
        ProjectQueries(weights);
        _headValues.Reserve((long)rows * Shape.Heads * Shape.VHeadDim);
        if (!_absorbed.IsEmpty)
        {
            AttendAbsorbed(rows);
        }

        _decompressed.Run(weights, _queries, _headValues);
        _gate?.Run(weights, _hidden, _headValues);
        _projections.Run(weights.OProj, _headValues, rows, _result);
        _result.Span(0, output.Length).CopyTo(output);

        // Last: a step whose attention was cancelled or failed must not be committed, although its rows are there.
        Batch.MarkLayer(layer);
    }

    /// <summary>What comes before the absorbed core, without a cache; arguments are checked.</summary>
    public void ProjectLatent(LayerWeights weights, ReadOnlySpan<float> hidden, Span<float> queries, Span<float> latents)
    {
        Batch.FixEntries();
        PrepareStep();
        AbsorbAll();
        ProjectRows(weights, hidden, _normalizeRow);
        ProjectQueries(weights);
        _latent.Span(0, latents.Length).CopyTo(latents);
        ReserveAbsorbed(Batch.Rows);
        _absorption.Absorb(_weights.KvBProj, _queries, _absorbedQueries);
        _absorbedQueries.Span(0, queries.Length).CopyTo(queries);
    }

    /// <summary>What comes after the absorbed core; arguments are checked.</summary>
    public void ProjectOutput(LayerWeights weights, ReadOnlySpan<float> latents, Span<float> output)
    {
        Batch.FixEntries();
        PrepareStep();
        AbsorbAll();
        _weights = weights;
        int rows = Batch.Rows;
        _latentOutput.Reserve(latents.Length);
        latents.CopyTo(_latentOutput.Span(0, latents.Length));
        _headValues.Reserve((long)rows * Shape.Heads * Shape.VHeadDim);
        _absorption.Project(_weights.KvBProj, _latentOutput, _headValues);
        _projections.Run(weights.OProj, _headValues, rows, _result);
        _result.Span(0, output.Length).CopyTo(output);
    }

    /// <summary>The absorbed core alone; arguments are checked.</summary>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="queries">Absorbed queries.</param>
    /// <param name="selected">Which tokens each row attends to <c>[rows, most]</c>, -1 behind the last one; empty for all that it sees.</param>
    /// <param name="output">Takes weighted sums of latents.</param>
    /// <param name="logSumExp">Takes logarithms of the softmax denominators.</param>
    public void AttendLatent(int layer, ReadOnlySpan<float> queries, ReadOnlySpan<int> selected, Span<float> output, Span<float> logSumExp)
    {
        TokenSelection? selection = selected.IsEmpty ? null : _given.Take(selected);
        Begin(layer, writes: false);
        RequireWritten(layer, "AttendLatent");

        _absorbedQueries.Reserve(queries.Length);
        queries.CopyTo(_absorbedQueries.Span(0, queries.Length));
        _latentOutput.Reserve(output.Length);
        _logSumExp.Reserve(logSumExp.Length);
        AbsorbAll(selection);
        _absorbed.Run(_absorbedQueries, _latentOutput, _logSumExp, sinks: null);
        _latentOutput.Span(0, output.Length).CopyTo(output);
        _logSumExp.Span(0, logSumExp.Length).CopyTo(logSumExp);
    }

    /// <summary>The scores of the sparse indexer alone; arguments are checked.</summary>
    public void IndexScores(int layer, ReadOnlySpan<float> queries, ReadOnlySpan<float> weights, Span<float> scores)
    {
        Begin(layer, writes: false);
        RequireWritten(layer, "IndexScores");
        _index!.Score(queries, weights, scores);
    }

    /// <summary>Writes finished rows; arguments are checked.</summary>
    public void AppendLatent(int layer, ReadOnlySpan<float> rows)
    {
        Begin(layer, writes: true);
        int elements = Batch.Pool.Layout.RowElements;
        int attended = Shape.CacheRowElements;
        foreach (ref readonly BatchEntry entry in Batch.Entries)
        {
            for (int i = 0; i < entry.NewTokens; i++)
            {
                ReadOnlySpan<float> row = rows.Slice((entry.FirstRow + i) * elements, elements);
                Store(row[..attended], row[attended..], entry, i);
            }
        }

        Batch.MarkLayer(layer);
    }

    /// <summary>Adopted by <see cref="MlaForm.Auto"/>: decompressing pays from a number of new tokens that grows with the cached ones.</summary>
    internal static bool IsDecompressed(MlaForm form, int newTokens, int cachedTokens, int breakEvenQueries) => form switch
    {
        MlaForm.Absorbed => false,
        MlaForm.Decompressed => true,
        _ => breakEvenQueries > 0 && newTokens > breakEvenQueries * ((double)cachedTokens / (cachedTokens + breakEvenQueries)),
    };

    private void RequireWritten(int layer, string what)
    {
        if (!Batch.IsWritten(layer))
        {
            throw new InvalidOperationException(FormattableString.Invariant($"Layer {layer} has no rows yet of the batch's {Counted.Of(Batch.NewTokens, "new token")}: AppendLatent comes before {what}."));
        }
    }

    private void Begin(int layer, bool writes)
    {
        Batch.BeginLayer(layer);
        if (writes)
        {
            Batch.UnmarkLayer(layer);
        }

        _step.Layer = layer;
        PrepareStep();
    }

    private void PrepareStep()
    {
        Batch.CancellationToken.ThrowIfCancellationRequested();
        if (_preparedStep != Batch.Step)
        {
            _positions.Prepare(Batch.Positions);
            _preparedStep = Batch.Step;
        }
    }

    private void RefuseDecompressedTrees()
    {
        foreach (ref readonly BatchEntry entry in Batch.Entries)
        {
            if (entry.IsTree && Batch.Form == MlaForm.Decompressed)
            {
                throw new InvalidOperationException("A tree of new tokens is attended to in the absorbed form only; the batch's Form is Decompressed.");
            }
        }
    }

    private void ChooseForms(TokenSelection? selection)
    {
        _absorbed.Clear();
        _decompressed.Clear();
        foreach (ref readonly BatchEntry entry in Batch.Entries)
        {
            // Rows before those that select see few enough keys, and go the way of a layer without a selection.
            int dense = selection is null || entry.IsTree ? entry.NewTokens : Math.Clamp(Definition.Indexer!.MostUnselected - entry.CommittedKeys, 0, entry.NewTokens);
            BatchEntry first = entry.First(dense);
            if (dense > 0 && !entry.IsTree && IsDecompressed(Batch.Form, dense, entry.CommittedKeys, Definition.BreakEvenQueries))
            {
                _decompressed.Add(first);
            }
            else
            {
                _absorbed.Add(first, selection);
            }

            BatchEntry selecting = entry.From(dense);
            int decompressed = selection is null ? 0 : SelectDecompressed(selecting, selection);
            if (decompressed > 0)
            {
                _decompressed.Add(selecting.First(decompressed), selection);
            }

            _absorbed.Add(selecting.From(decompressed), selection);
        }
    }

    /// <summary>How many of the rows that select, the first ones, are attended to in the decompressed form.</summary>
    private int SelectDecompressed(in BatchEntry selecting, TokenSelection selection) => Batch.Form switch
    {
        _ when selecting.IsTree => 0,
        MlaForm.Absorbed => 0,
        MlaForm.Decompressed => selecting.NewTokens,
        _ => Definition.BreakEvenQueries > 0 ? _selectedForms.Decompressed(selecting, selection) : 0,
    };

    /// <summary>Takes all rows into the absorbed stage.</summary>
    private void AbsorbAll(TokenSelection? selection = null)
    {
        _absorbed.Clear();
        foreach (ref readonly BatchEntry entry in Batch.Entries)
        {
            _absorbed.Add(entry, selection);
        }
    }

    /// <summary>From hidden states to query latents, and to latents and keys, of which each row is handed to <paramref name="finishRow"/>.</summary>
    private void ProjectRows(LayerWeights weights, ReadOnlySpan<float> hidden, Action<int, int> finishRow)
    {
        _weights = weights;
        int rows = Batch.Rows;
        _hidden.Reserve(hidden.Length);
        hidden.CopyTo(_hidden.Span(0, hidden.Length));
        if (weights.QAProj is not null)
        {
            _projections.Run(weights.QAProj, _hidden, rows, _queryLatent);
        }

        _projections.Run(weights.KvAProjWithMqa, _hidden, rows, _latent);
        _gate?.Reserve(rows);
        if (weights.Indexer is not null)
        {
            _index!.ProjectKeys(weights.Indexer, _hidden, rows);
        }

        _step.Run(finishRow, rows, (long)rows * (Shape.QLoraRank + Shape.CacheRowElements));
    }

    /// <summary>From query latents to queries, of which those of rows that are attended to on latents are rotated.</summary>
    private void ProjectQueries(LayerWeights weights)
    {
        int rows = Batch.Rows;
        if (_queryGate is not null)
        {
            _queryGate.ProjectQueries(weights, rows, _queries);
            _step.Run(_splitQueries, rows, (long)rows * Shape.Heads * (Shape.QkHeadDim + Shape.VHeadDim));
        }
        else
        {
            _projections.Run(weights.QProj, weights.QAProj is null ? _hidden : _queryLatent, rows, _queries);
        }

        _step.Run(_rotateQueries, _absorbed.RowCount, (long)_absorbed.RowCount * Shape.Heads * Shape.QkRopeHeadDim * 4);
    }

    private void AttendAbsorbed(int rows)
    {
        ReserveAbsorbed(rows);
        _absorption.Absorb(_weights.KvBProj, _queries, _absorbedQueries);
        _absorbed.Run(_absorbedQueries, _latentOutput, logSumExp: null, _weights.Sinks);
        _absorption.Project(_weights.KvBProj, _latentOutput, _headValues);
    }

    private void ReserveAbsorbed(int rows)
    {
        _absorbedQueries.Reserve((long)rows * Shape.Heads * Shape.CacheRowElements);
        _latentOutput.Reserve((long)rows * Shape.Heads * Shape.KvLoraRank);
    }

    /// <summary>Normalises a row's latents, rotates its key and writes it to the cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PrepareRow(int row, int worker)
    {
        NormalizeRow(row, worker);
        ReadOnlySpan<float> indexKey = _weights.Indexer is { } indexer ? _index!.PrepareKey(indexer, row) : [];
        ref readonly BatchEntry entry = ref Batch.EntryOf(row);
        Store(_latent.Span((long)row * Shape.CacheRowElements, Shape.CacheRowElements), indexKey, entry, row - entry.FirstRow);
    }

    /// <summary>Normalises a row's latents and rotates its key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void NormalizeRow(int row, int worker)
    {
        if (_weights.QALayernorm is not null)
        {
            Span<float> query = _queryLatent.Span((long)row * Shape.QLoraRank, Shape.QLoraRank);
            _queryGate?.TakeLatent(row, query);
            RmsNorm.Apply(query, _weights.QALayernorm.Values, Definition.LatentNormEpsilon, Definition.QLatentScale, query);
            _queryGate?.TakeNormalizedLatent(row, query);
        }

        Span<float> projected = _latent.Span((long)row * Shape.CacheRowElements, Shape.CacheRowElements);
        Span<float> latent = projected[..Shape.KvLoraRank];
        Span<float> key = projected[Shape.KvLoraRank..];
        Span<float> rotated = stackalloc float[Shape.QkRopeHeadDim];
        RmsNorm.Apply(latent, _weights.KvALayernorm.Values, Definition.LatentNormEpsilon, Definition.KvLatentScale, latent);
        _positions.Rotate(row, Definition.RopeLayout, key, rotated);
        rotated.CopyTo(key);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SplitQueries(int row, int worker) => _queryGate!.SplitQueries(row);

    /// <summary>Rotates the queries of a row that is attended to on latents, where they lie. A prompt's are rotated when they are packed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RotateQueries(int index, int worker)
    {
        int row = _absorbed.BatchRow(index);
        int width = Shape.QkHeadDim;
        Span<float> rotated = stackalloc float[width];
        for (int head = 0; head < Shape.Heads; head++)
        {
            Span<float> query = _queries.Span((((long)row * Shape.Heads) + head) * width, width);
            _positions.RotateQuery(row, query, rotated);
            rotated.CopyTo(query);
        }
    }

    /// <summary>Writes a finished row to the cache, in its format.</summary>
    /// <param name="row">Latent and rotary key.</param>
    /// <param name="indexKey">What a sparse indexer reads; empty where the layer has none.</param>
    /// <param name="entry">Whose row it is.</param>
    /// <param name="newToken">Which of its new tokens.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Store(ReadOnlySpan<float> row, ReadOnlySpan<float> indexKey, in BatchEntry entry, int newToken)
    {
        int token = entry.CommittedKeys + newToken;
        PagePool pool = Batch.Pool;
        try
        {
            pool.Attended.Codec.EncodeRow(row, entry.Sequence.Row(pool.Attended, _step.Layer, token), token);
            if (pool.Indexed is { } indexed)
            {
                Span<byte> destination = entry.Sequence.Row(indexed, _step.Layer, token);
                if (indexKey.IsEmpty)
                {
                    destination.Clear();
                }
                else
                {
                    indexed.Codec.EncodeRow(indexKey, destination, token);
                }
            }
        }
        catch (OverflowException exception)
        {
            // A step of many sequences is to be repeated without the one that it fails for.
            throw new OverflowException(FormattableString.Invariant($"{exception.Message} It is row {entry.FirstRow + newToken} of the batch, in layer {_step.Layer}."), exception);
        }
    }
}
