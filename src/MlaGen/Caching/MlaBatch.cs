using System.Runtime.CompilerServices;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// One step of a model: which sequences take part, each with its new tokens. Rows are reserved by <see cref="Add"/>, written and attended to by
/// each layer's <c>Forward</c>, and taken over by <see cref="Commit"/>, which empties the batch for the next step: all of them, or those that
/// <see cref="Accept(LatentSequence, int)"/> names. Until then, whatever happens, every sequence is as it was.
/// </summary>
/// <remarks>
/// <para>A batch is open while it holds a sequence. Its rows are the entries in the order they were added, each with its tokens in order.</para>
/// <para>Thread safety: one thread at a time; different batches are independent. A sequence is in one open batch at most. What another thread, or a
/// callback such as <see cref="LatentCache{TAttention}.OnFull"/>, asks of a batch in the middle of something else is refused with an
/// <see cref="InvalidOperationException"/> and changes nothing.</para>
/// <para>After the first steps no managed memory is allocated; only a sequence that outgrows its block table doubles it.</para>
/// </remarks>
public abstract partial class MlaBatch : IDisposable
{
    /// <summary>In <see cref="Positions"/>, for rows that only ask.</summary>
    internal const int NoPosition = -1;

    private readonly MlaDefinition _definition;
    private readonly MlaShape _shape;
    private readonly bool[] _writtenLayers;
    private BatchEntry[] _entries = new BatchEntry[4];
    private int _entryCount;
    private int[] _positions = [];
    private int[] _parents = [];
    private int[] _paths = [];
    private MlaForm _form;
    private bool _begun;
    private bool _disposed;
    private AttentionEngine? _engine;

    /// <summary>What is being done to the batch at this moment: until it has ended, nothing else may be.</summary>
    private string? _doing;

    private protected MlaBatch(PagePool pool, MlaDefinition definition, MlaExecutor executor)
    {
        Pool = pool;
        _definition = definition.Checked();
        _shape = definition.Shape;
        _writtenLayers = new bool[pool.Layers];
        Executor = executor;
    }

    /// <summary>Rows of the step: inputs and outputs of <c>Forward</c> have as many.</summary>
    public int Rows { get; private set; }

    /// <summary>What the batch's work runs on.</summary>
    public MlaExecutor Executor { get; }

    /// <summary>How exactly its steps multiply: the cache's precision, for what else a step multiplies.</summary>
    public MlaPrecision Precision => Pool.Precision;

    /// <summary>How attention is carried out; <see cref="MlaForm.Auto"/> at first. Stays from step to step.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not one of the values of <see cref="MlaForm"/>.</exception>
    public MlaForm Form
    {
        get => _form;
        set => _form = value is MlaForm.Auto or MlaForm.Absorbed or MlaForm.Decompressed
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "There is no such form.");
    }

    /// <summary>Checked by <c>Forward</c> between units of work. A cancelled step can only be rolled back. Stays from step to step.</summary>
    public CancellationToken CancellationToken { get; set; }

    internal PagePool Pool { get; }

    /// <summary>Counts the steps: whatever is derived from a step's entries holds as long as this number.</summary>
    internal int Step { get; private set; }

    /// <summary>The sequences of the step, in the order they were added.</summary>
    internal ReadOnlySpan<BatchEntry> Entries => _entries.AsSpan(0, _entryCount);

    /// <summary>Position of each row; <see cref="NoPosition"/> for rows of <see cref="AddQueries"/>.</summary>
    internal ReadOnlySpan<int> Positions => _positions.AsSpan(0, Rows);

    /// <summary>Rows that append a token: <see cref="Rows"/> unless <see cref="AddQueries"/> was used.</summary>
    internal int NewTokens { get; private set; }

    /// <summary>What computes the steps, and keeps its working memory from one to the next.</summary>
    internal AttentionEngine Engine => _engine ??= new AttentionEngine(this, _definition);

    /// <summary>
    /// Adds a sequence with new tokens and reserves their rows in the cache. Each new token sees the cached tokens, itself, and the new ones
    /// before it; or, in a tree, those of them that it continues.
    /// </summary>
    /// <param name="sequence">A sequence of this batch's cache that is in no open batch.</param>
    /// <param name="newTokens">Tokens to append: 1 to decode, any number for a prompt.</param>
    /// <param name="positions">Position of each new token, in any order; left out, those from <see cref="LatentSequence.NextPosition"/> on, in a tree counted along its branches. A position says how a token is rotated, not where it is stored.</param>
    /// <param name="parents">For a tree of candidates: the index, among the new tokens, of the one that each continues, which comes before it; -1 if it continues the cached tokens. Left out, each continues the one before. What is kept of a tree is said by <see cref="Accept(LatentSequence, ReadOnlySpan{int})"/>.</param>
    /// <returns>Index of the sequence's first row in the batch.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="newTokens"/> is not positive, or a position is negative or reaches <see cref="MlaShape.MaxPositionEmbeddings"/>.</exception>
    /// <exception cref="ArgumentException">The sequence is another cache's, there are not as many positions or parents as tokens, or a parent does not come before its token.</exception>
    /// <exception cref="LatentCacheFullException">The cache has too few free pages.</exception>
    /// <exception cref="InvalidOperationException">The sequence is in an open batch already, or the step's first <c>Forward</c> has begun.</exception>
    /// <exception cref="ObjectDisposedException">The batch, the sequence or the cache is disposed.</exception>
    public int Add(LatentSequence sequence, int newTokens, ReadOnlySpan<int> positions = default, ReadOnlySpan<int> parents = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(newTokens);
        if (!positions.IsEmpty && positions.Length != newTokens)
        {
            throw new ArgumentException(FormattableString.Invariant($"Expected as many positions as new tokens, {newTokens}; found {positions.Length}."), nameof(positions));
        }

        CheckPositions(positions);
        if (!parents.IsEmpty)
        {
            TokenTree.Check(parents, newTokens);
        }

        return Append(sequence, newTokens, newTokens, positions, parents);
    }

    /// <summary>
    /// Adds a sequence that is only read: its rows attend to the tokens it has and append nothing. For <c>AttendLatent</c>.
    /// </summary>
    /// <param name="sequence">A sequence of this batch's cache that is in no open batch.</param>
    /// <param name="queries">Rows it takes; may exceed its tokens.</param>
    /// <param name="causal">Whether the last row sees every token, the one before it all but the last, and so on down to none. Otherwise every row sees
    /// every token: where the sequence is a part of a context that ends before the rows' own tokens, whose other parts lie elsewhere.</param>
    /// <returns>Index of the sequence's first row in the batch.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="queries"/> is not positive.</exception>
    /// <exception cref="ArgumentException">The sequence is another cache's.</exception>
    /// <exception cref="InvalidOperationException">The sequence is in an open batch already, or the step's first <c>Forward</c> has begun.</exception>
    /// <exception cref="ObjectDisposedException">The batch, the sequence or the cache is disposed.</exception>
    public int AddQueries(LatentSequence sequence, int queries, bool causal = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(queries);
        return Append(sequence, queries, newTokens: 0, positions: default, parents: default, seesAll: !causal);
    }

    /// <summary>Takes the new tokens of all sequences over at once, those that were accepted where that was said, and empties the batch.</summary>
    /// <exception cref="InvalidOperationException">The batch is empty, a layer of the cache has not been written in this step, or nothing was said of what to accept of a tree. The batch stays as it is.</exception>
    /// <exception cref="ObjectDisposedException">The batch is disposed.</exception>
    public void Commit()
    {
        using Use use = Begin("Commit");
        if (_entryCount == 0)
        {
            throw new InvalidOperationException("The batch is empty: there is nothing to commit.");
        }

        if (NewTokens > 0 && _writtenLayers.Contains(false))
        {
            IEnumerable<int> missing = Enumerable.Range(0, _writtenLayers.Length).Where(layer => !_writtenLayers[layer]);
            throw new InvalidOperationException(FormattableString.Invariant(
                $"Every layer must have written its rows before the step is committed; of {Counted.Of(_writtenLayers.Length, "layer")}, missing: {string.Join(", ", missing)}."));
        }

        CheckTreesChosen();
        CompactTrees();
        foreach (BatchEntry entry in Entries)
        {
            entry.Sequence.Commit(Positions.Slice(entry.FirstRow, entry.Accepted));
        }

        Clear();
    }

    /// <summary>Gives back what the step has reserved, leaves every sequence as it was, and empties the batch. Does nothing to an empty one.</summary>
    /// <exception cref="ObjectDisposedException">The batch is disposed.</exception>
    public void Rollback()
    {
        using Use use = Begin("Rollback");
        Clear();
    }

    /// <summary>Rolls an uncommitted step back and frees the working memory. Further calls do nothing.</summary>
    /// <exception cref="InvalidOperationException">Something is being done to the batch at this moment.</exception>
    public void Dispose()
    {
        if (!_disposed)
        {
            using Use use = Begin("Dispose");
            Clear();
            _disposed = true;
            _engine = null;
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Copies which tokens of its sequence a row attends to, in ascending order, as the last indexer that ran in the step has selected them: for layers of classes
    /// with a sparse indexer (<see cref="MlaAttentionAttribute.IndexTopK"/>). A row that sees no more tokens than it may select attends to all that it sees.
    /// </summary>
    /// <param name="row">Row of the batch.</param>
    /// <param name="tokens">Takes the tokens' indices in the sequence.</param>
    /// <returns>How many there are.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The batch has no such row.</exception>
    /// <exception cref="ArgumentException">There are more tokens than <paramref name="tokens"/> takes; nothing was written.</exception>
    /// <exception cref="InvalidOperationException">No indexer has run in the step, or the class has none.</exception>
    /// <exception cref="ObjectDisposedException">The batch is disposed.</exception>
    public int ReadSelection(int row, Span<int> tokens)
    {
        using Use use = Begin(nameof(ReadSelection));
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        if (_engine?.Selection is not { } selection)
        {
            throw new InvalidOperationException("Nothing is selected yet: a layer with a sparse indexer runs first, and the selection ends with the step.");
        }

        ref readonly BatchEntry entry = ref EntryOf(row);
        KeySource keys = selection.IsAll(row) ? new VisibleKeys(this).Of(entry, row - entry.FirstRow) : selection.Keys(row, entry.Sequence);
        if (keys.Count > tokens.Length)
        {
            throw new ArgumentException(FormattableString.Invariant($"Row {row} attends to {Counted.Of(keys.Count, "token")}; there is room for {tokens.Length}."), nameof(tokens));
        }

        for (int key = 0; key < keys.Count; key++)
        {
            tokens[key] = keys.Token(key);
        }

        return keys.Count;
    }

    /// <summary>The entry that a row of the batch belongs to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal ref readonly BatchEntry EntryOf(int row)
    {
        ReadOnlySpan<BatchEntry> entries = Entries;
        int low = 0;
        int high = entries.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (entries[middle].FirstRow <= row)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return ref entries[low];
    }

    /// <summary>Begins to do something to the batch, which the returned value ends.</summary>
    /// <param name="what">What; named to whoever asks for something else meanwhile.</param>
    /// <exception cref="InvalidOperationException">Something is being done to the batch already.</exception>
    /// <exception cref="ObjectDisposedException">The batch is disposed.</exception>
    internal Use Begin(string what)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return Interlocked.CompareExchange(ref _doing, what, null) is { } other
            ? throw new InvalidOperationException($"{what} comes in the middle of {other} on the same batch, from a callback or another thread: a batch does one thing at a time, and nothing has changed.")
            : new Use(this);
    }

    /// <summary>Refuses a batch that no layer can run on, before the lengths of what a layer takes are compared with the rows that it has not.</summary>
    /// <exception cref="InvalidOperationException">The batch is empty.</exception>
    /// <exception cref="ObjectDisposedException">The batch is disposed.</exception>
    internal void ThrowIfNotOpen()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_entryCount == 0)
        {
            throw new InvalidOperationException("The batch is empty, as it is after Commit and Rollback too: add sequences before the layers run.");
        }
    }

    /// <summary>Says that a layer is about to run: from here on the step's entries are fixed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no such layer.</exception>
    /// <exception cref="InvalidOperationException">The batch is empty.</exception>
    internal void BeginLayer(int layer)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if ((uint)layer >= (uint)_writtenLayers.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(layer), layer, FormattableString.Invariant($"The cache was created for {Counted.Of(_writtenLayers.Length, "layer")}, numbered from 0."));
        }

        FixEntries();
    }

    /// <summary>Says that the step's entries are fixed from here on, whichever layer it is that runs.</summary>
    /// <exception cref="InvalidOperationException">The batch is empty.</exception>
    internal void FixEntries()
    {
        ThrowIfNotOpen();
        _begun = true;
    }

    /// <summary>Whether a layer has written the rows of all new tokens.</summary>
    internal bool IsWritten(int layer) => NewTokens == 0 || _writtenLayers[layer];

    /// <summary>Says that a layer has written the rows of all new tokens, and computed from them what it was asked for.</summary>
    internal void MarkLayer(int layer) => _writtenLayers[layer] = true;

    /// <summary>Says that a layer is about to write rows: until it has, the step cannot be committed.</summary>
    internal void UnmarkLayer(int layer) => _writtenLayers[layer] = false;

    private int Append(LatentSequence sequence, int rows, int newTokens, ReadOnlySpan<int> positions, ReadOnlySpan<int> parents, bool seesAll = false)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        using Use use = Begin(newTokens > 0 ? nameof(Add) : nameof(AddQueries));
        if (sequence.Pool != Pool)
        {
            throw new ArgumentException("The sequence belongs to another cache than the batch.", nameof(sequence));
        }

        if (_begun)
        {
            throw new InvalidOperationException("The step's first layer has begun: sequences can be added again after Commit or Rollback.");
        }

        int firstRow = Rows;
        bool isTree = !TokenTree.IsChain(parents);
        sequence.Acquire(this);
        try
        {
            CheckSize(sequence, rows, newTokens, positions.IsEmpty);
            EnsureCapacity(rows);

            // What was checked is taken before anybody else has a say: OnFull may write to the memory that positions and parents lie in.
            FillParents(_parents.AsSpan(firstRow, newTokens), parents);
            FillPositions(_positions.AsSpan(firstRow, rows), newTokens, positions, sequence.NextPosition, isTree ? parents : default);
            sequence.Reserve(newTokens);
        }
        catch
        {
            sequence.Release();
            throw;
        }

        _entries[_entryCount++] = new BatchEntry(sequence, firstRow, rows, newTokens, sequence.Length + newTokens)
        {
            IsTree = isTree,
            SeesAll = seesAll,
            Accepted = isTree ? BatchEntry.NothingChosen : newTokens,
        };
        Rows += rows;
        NewTokens += newTokens;
        return firstRow;
    }

    private void CheckPositions(ReadOnlySpan<int> positions)
    {
        foreach (int position in positions)
        {
            if ((uint)position >= (uint)_shape.MaxPositionEmbeddings)
            {
                throw new ArgumentOutOfRangeException(nameof(positions), position, FormattableString.Invariant(
                    $"Positions run from 0 to {_shape.MaxPositionEmbeddings - 1}."));
            }
        }
    }

    private void CheckSize(LatentSequence sequence, int rows, int newTokens, bool defaultPositions)
    {
        if (newTokens > 0 && defaultPositions && newTokens > _shape.MaxPositionEmbeddings - sequence.NextPosition)
        {
            throw new ArgumentOutOfRangeException(nameof(newTokens), newTokens, FormattableString.Invariant(
                $"The sequence's next position is {sequence.NextPosition}, and positions run to {_shape.MaxPositionEmbeddings - 1}: there is room for {Counted.Of(_shape.MaxPositionEmbeddings - sequence.NextPosition, "more token")}."));
        }

        if (rows > Array.MaxLength - Rows)
        {
            throw new ArgumentOutOfRangeException(newTokens > 0 ? nameof(newTokens) : "queries", rows, FormattableString.Invariant(
                $"The batch has {Counted.Of(Rows, "row")}; {Array.MaxLength} are the most it can have."));
        }

        if (newTokens > Array.MaxLength - sequence.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(newTokens), newTokens, FormattableString.Invariant(
                $"The sequence has {Counted.Of(sequence.Length, "token")}; {Array.MaxLength} are the most it can have."));
        }
    }

    private void EnsureCapacity(int rows)
    {
        if (_entryCount == _entries.Length)
        {
            BatchEntry[] entries = Pool.NewArray<BatchEntry>(2 * _entries.Length);
            Entries.CopyTo(entries);
            _entries = entries;
        }

        if (Rows + rows > _positions.Length)
        {
            int capacity = (int)Math.Min(Math.Max(Rows + (long)rows, Math.Max(16, 2L * _positions.Length)), Array.MaxLength);
            int[] positions = Pool.NewArray<int>(capacity);
            int[] parents = Pool.NewArray<int>(capacity);
            int[] paths = Pool.NewArray<int>(capacity);
            _positions.CopyTo(positions, 0);
            _parents.CopyTo(parents, 0);
            _paths.CopyTo(paths, 0);
            (_positions, _parents, _paths) = (positions, parents, paths);
        }
    }

    private static void FillParents(Span<int> destination, ReadOnlySpan<int> parents)
    {
        for (int token = 0; token < destination.Length; token++)
        {
            destination[token] = parents.IsEmpty ? token - 1 : parents[token];
        }
    }

    private static void FillPositions(Span<int> destination, int newTokens, ReadOnlySpan<int> positions, int next, ReadOnlySpan<int> treeParents)
    {
        if (newTokens == 0)
        {
            destination.Fill(NoPosition);
            return;
        }

        if (!positions.IsEmpty)
        {
            positions.CopyTo(destination);
            return;
        }

        for (int token = 0; token < destination.Length; token++)
        {
            int parent = treeParents.IsEmpty ? token - 1 : treeParents[token];
            destination[token] = parent == TokenTree.Root ? next : destination[parent] + 1;
        }
    }

    private void Clear()
    {
        // Backwards, so that the same pages come out in the same order when the step is repeated.
        for (int i = _entryCount - 1; i >= 0; i--)
        {
            _entries[i].Sequence.Rollback();
            _entries[i].Sequence.Release();
        }

        Array.Clear(_entries, 0, _entryCount);
        Array.Clear(_writtenLayers);
        _entryCount = 0;
        Rows = 0;
        NewTokens = 0;
        Step++;
        _begun = false;
    }

    /// <summary>Something that is being done to a batch.</summary>
    internal readonly ref struct Use(MlaBatch batch)
    {
        /// <summary>Ends it.</summary>
        public void Dispose() => Volatile.Write(ref batch._doing, null);
    }
}
