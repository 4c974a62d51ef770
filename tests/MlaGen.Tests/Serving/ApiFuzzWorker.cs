using MlaGen.Tests.Attention;
using MlaGen.Tests.Files;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Serving;

/// <summary>One thread of the fuzz: keeps, beside each sequence, its text, and beside its batch what is in it, and so knows of every call whether it is right.</summary>
internal sealed class ApiFuzzWorker : IDisposable
{
    private const int MostTexts = 6;
    private const int MostTokens = 60;
    private const int Width = Float32Story.HiddenSize;

    /// <summary>A token whose hidden states are no numbers.</summary>
    private const int NoNumber = -1;

    private readonly AttentionRun _shared;
    private readonly TestLayer _layer;
    private readonly AttentionRun _alone;
    private readonly AttentionRun _foreign;
    private readonly LatentSequence _foreignSequence;
    private readonly LatentSequence _disposed;
    private readonly Random _random;
    private readonly TemporaryDirectory _folder = new();
    private readonly List<Text> _texts = [];
    private readonly List<Part> _step = [];
    private readonly Queue<string> _last = new();
    private AttentionRun _run;
    private bool _begun;
    private bool _written;
    private float[] _output = [];

    public ApiFuzzWorker(AttentionRun shared, CacheFormat format, int seed)
    {
        _shared = shared;
        _layer = Story.Layer(format);
        _alone = _layer.Open(new RunOptions { Threads = 1 });
        _foreign = _layer.Open(new RunOptions { Threads = 1 });
        _foreignSequence = _foreign.CreateSequence();
        _random = new Random(seed);
        _run = shared.OpenBeside(threads: 2);
        _disposed = shared.CreateSequence();
        _disposed.Dispose();
    }

    /// <summary>The calls before the present one, for whoever looks for what went wrong.</summary>
    public IEnumerable<string> Last => _last;

    /// <summary>Steps that were committed.</summary>
    public int Commits { get; private set; }

    /// <summary>Outputs of a token and rows of a text that were compared with those of a run alone.</summary>
    public int Comparisons { get; private set; }

    private bool IsFloat => _layer.Layout.Format == CacheFormat.Float32;

    private int Rows => _step.Sum(part => part.Tokens.Length);

    public void Dispose()
    {
        _run.Dispose();
        _alone.Dispose();
        _foreign.Dispose();
        _texts.ForEach(text => text.Sequence.Dispose());
        _folder.Dispose();
    }

    public void Call()
    {
        (string Name, int Weight, Action Do)[] calls =
        [
            ("create", 3, Create), ("fork", 2, Fork), ("truncate", 2, Truncate), ("reserve", 2, Reserve), ("dispose", 1, DisposeText), ("add", 8, Add),
            ("forward", 9, Forward), ("accept", 3, Accept), ("commit", 7, Commit), ("rollback", 1, Rollback), ("new batch", 1, Renew), ("register", 1, Register),
            ("start", 2, Start), ("save", 1, SaveAndLoad), ("form", 2, SetForm), ("evict", 1, Evict), ("full", 1, SetOnFull), ("cancel", 1, Cancel), ("interrupt", 1, Interrupt),
            ("read", 1, Read), ("latent", 1, Latent), ("wrong", 4, Wrong),
        ];
        int at = _random.Next(calls.Sum(call => call.Weight));
        (string name, _, Action action) = calls.First(call => (at -= call.Weight) < 0);
        _last.Enqueue(name);
        if (_last.Count > 30)
        {
            _last.Dequeue();
        }

        action();
        Assert.All(_texts, text => Assert.Equal((text.Tokens.Count, text.Next), (text.Sequence.Length, text.Sequence.NextPosition)));
        Assert.Equal(Rows, _run.Batch.Rows);
    }

    private void Create() => Keep(new Text(_shared.CreateSequence()));

    private void Fork() => With(text =>
    {
        LatentSequence? fork = null;
        if (Try(!IsOpen(text), () => fork = text.Sequence.Fork()))
        {
            Keep(new Text(fork!) { Tokens = [.. text.Tokens] });
        }
    });

    private void Truncate() => With(text =>
    {
        int length = _random.Next(4) == 0 ? Hostile() : _random.Next(text.Tokens.Count + 1);
        if (Try(!IsOpen(text) && (uint)length <= (uint)text.Tokens.Count, () => text.Sequence.Truncate(length)))
        {
            text.Tokens.RemoveRange(length, text.Tokens.Count - length);
        }
    });

    private void Reserve() => With(text =>
    {
        int tokens = _random.Next(3) == 0 ? Hostile() : _random.Next(30);
        Try(!IsOpen(text) && tokens >= 0, () => text.Sequence.TryReserve(tokens));
    });

    private void DisposeText() => With(text =>
    {
        if (Try(!IsOpen(text), text.Sequence.Dispose))
        {
            _texts.Remove(text);
            text.Sequence.Dispose();
            Try(false, () => _run.Batch.Add(text.Sequence, 1));
        }
    });

    /// <summary>New tokens, at positions that follow or are given, as a chain or a tree.</summary>
    private void Add() => With(text =>
    {
        int count = 1 + _random.Next(_random.Next(3) == 0 ? 25 : 3);
        int[] tokens = [.. Enumerable.Range(0, count).Select(_ => IsFloat && _random.Next(150) == 0 ? NoNumber : _random.Next(Story.Vocabulary))];
        int[] parents = _random.Next(4) == 0 ? [.. Enumerable.Range(0, count).Select(i => _random.Next(-1, i))] : [];
        bool isTree = parents.Where((parent, i) => parent != i - 1).Any();
        int[] given = _random.Next(6) == 0 ? [.. Enumerable.Range(0, count).Select(_ => _random.Next(8192))] : [];
        int[] positions = given.Length > 0 ? given : new int[count];
        for (int i = 0; given.Length == 0 && i < count; i++)
        {
            int parent = isTree ? parents[i] : i - 1;
            positions[i] = parent < 0 ? text.Next : positions[parent] + 1;
        }

        bool valid = !_begun && !IsOpen(text) && (given.Length > 0 || text.Next + count <= 8192);
        int row = -1;
        if (text.Tokens.Count < MostTokens && Try(valid, () => row = _run.Batch.Add(text.Sequence, count, given, parents)))
        {
            Assert.Equal(Rows, row);
            _step.Add(new Part(text, tokens, positions, isTree ? parents : null, row));
        }
    });

    private void Forward()
    {
        int rows = Rows;
        float[] hidden = [.. _step.SelectMany(part => Hidden(part.Tokens))];
        float[] output = _random.Next(2) == 0 ? hidden : new float[hidden.Length];
        bool valid = _step.Count > 0 && !(_run.Batch.Form == MlaForm.Decompressed && _step.Exists(part => part.Parents is not null));
        if (_random.Next(8) == 0)
        {
            // Refused before anything: what the layer has done before stands.
            int more = _random.Next(2) == 0 || rows == 0 ? 1 : -1;
            Try(false, () => _run.Forward(new float[hidden.Length + more], hidden));
            Try(false, () => _run.Forward(hidden, new float[hidden.Length + more]));
        }

        if (Try(valid, () => _run.Forward(hidden, output)))
        {
            (_begun, _written, _output) = (true, true, output);
            if (_random.Next(3) == 0)
            {
                CheckOutputs();
            }
        }
        else if (rows > 0)
        {
            // A tree that the form cannot do is refused after the layer has begun.
            Rollback();
        }
    }

    private void Accept()
    {
        if (_step.Count == 0)
        {
            With(text => Try(false, () => _run.Batch.Accept(text.Sequence, 0)));
            return;
        }

        Part part = _step[_random.Next(_step.Count)];
        int token = _random.Next(-1, part.Tokens.Length);
        int[] path = part.PathTo(token);
        if (_random.Next(4) == 0)
        {
            int[] wrong = [.. path, _random.Next(2) == 0 ? Hostile() : token];
            Try(false, () => _run.Batch.Accept(part.Text.Sequence, wrong));
            Try(false, () => _run.Batch.Accept(part.Text.Sequence, part.Tokens.Length + 1));
        }
        else if (Try(true, () => _run.Batch.Accept(part.Text.Sequence, path)))
        {
            part.Accepted = path;
        }
    }

    private void Commit()
    {
        if (Try(_written && _step.TrueForAll(part => part.Accepted is not null), _run.Batch.Commit))
        {
            foreach (Part part in _step)
            {
                part.Text.Tokens.AddRange(part.Accepted!.Select(i => (part.Tokens[i], part.Positions[i])));
            }

            Close();
            Commits++;
            if (_random.Next(3) == 0)
            {
                _texts.ForEach(CheckRows);
            }
        }
    }

    private void Rollback()
    {
        _run.Batch.Rollback();
        Close();
    }

    private void Renew()
    {
        MlaForm form = _run.Batch.Form;
        AttentionRun old = _run;
        old.Dispose();
        old.Dispose();
        Try(false, () => old.Forward([], []));
        Try(false, old.Batch.Commit);
        Try(false, old.Batch.Rollback);
        Try(false, () => old.AppendLatent([]));
        With(text => Try(false, () => old.Batch.Add(text.Sequence, 1)));
        _run = _shared.OpenBeside(1 + _random.Next(3));
        _run.Batch.Form = form;
        Close();
    }

    private void Register() => With(text =>
    {
        int[] tokens = [.. text.Tokens.Select(token => token.Token)];
        int full = tokens.Length / _run.Pool.PageTokens * _run.Pool.PageTokens;
        bool valid = !IsOpen(text) && !text.Tokens.Take(full).Where((token, i) => token.Position != i).Any();
        Try(valid, () => _run.Prefixes.Register(text.Sequence, tokens));
        Try(false, () => _run.Prefixes.Register(text.Sequence, [.. tokens, 1]));
    });

    private void Start() => With(text =>
    {
        int[] prompt = [.. text.Tokens.Select(token => token.Token), 1];
        if (_run.Prefixes.TryStart(prompt, out LatentSequence? sequence))
        {
            Text started = new(sequence) { Tokens = [.. prompt.Take(sequence.Length).Select((token, i) => (token, i))] };
            Keep(started);
            CheckRows(started);
        }
    });

    private void SaveAndLoad()
    {
        string path = _folder.At("texts.cache");
        Text[] texts = [.. _texts.Take(_random.Next(_texts.Count + 1))];
        if (!Try(!texts.Any(IsOpen), () => _run.Save(path, [.. texts.Select((text, i) => new SavedSequence(text.Sequence, new int[] { i }))])))
        {
            return;
        }

        SavedSequence[] loaded = [];
        if (Try(true, () => loaded = _run.Load(path)))
        {
            Assert.Equal(texts.Length, loaded.Length);
            for (int i = 0; i < loaded.Length; i++)
            {
                Text text = new(loaded[i].Sequence) { Tokens = [.. texts[i].Tokens] };
                CheckRows(text);
                Keep(text);
            }
        }

        byte[] bytes = File.ReadAllBytes(path);
        int damaged = _random.Next(bytes.Length);
        bytes[damaged] ^= (byte)(1 << _random.Next(8));
        bool isWhole = _random.Next(2) == 0;
        File.WriteAllBytes(path, isWhole ? bytes : bytes[.._random.Next(bytes.Length)]);
        Exception? exception = Record.Exception(() => _run.Load(path));

        // The pages, at the end of the file, are read into those of the cache: without room for them their damage is not seen.
        bool isFull = exception is LatentCacheFullException full && isWhole && damaged >= bytes.Length - ((long)full.WantedPages * _run.Pool.PageBytes);
        Assert.True(exception is CacheFileException || isFull, $"{damaged} of {bytes.Length}, whole: {isWhole}; {exception}");
    }

    private void SetForm()
    {
        Try(false, () => _run.Batch.Form = (MlaForm)3);
        _run.Batch.Form = (MlaForm)_random.Next(1, 3);
    }

    private void Evict()
    {
        int pages = _random.Next(2) == 0 ? Hostile() : _random.Next(4);
        Try(pages >= 0, () => _run.Prefixes.Evict(pages));
    }

    /// <summary>Of the shared cache: what it does may come on any thread, and so uses nothing that this one changes.</summary>
    private void SetOnFull()
    {
        PrefixIndex prefixes = _shared.Prefixes;
        _run.Pool.OnFull = _random.Next(4) switch
        {
            0 => null,
            1 => missing => prefixes.Evict(missing),
            2 => static _ => int.MaxValue,
            _ => static _ => -1,
        };
    }

    private void Cancel()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        _run.Batch.CancellationToken = source.Token;
        Break<OperationCanceledException>(always: true);
        _run.Batch.CancellationToken = default;
    }

    private void Interrupt()
    {
        Thread.CurrentThread.Interrupt();
        Break<ThreadInterruptedException>(always: false);
        Record.Exception(() => Thread.Sleep(0));
    }

    /// <summary>Runs the step in circumstances that may end it.</summary>
    private void Break<TException>(bool always)
        where TException : Exception
    {
        if (_step.Count == 0)
        {
            return;
        }

        _run.Batch.Form = MlaForm.Absorbed;
        float[] output = new float[Rows * Width];
        Exception? exception = Record.Exception(() => _run.Forward([.. _step.SelectMany(part => Hidden(part.Tokens))], output));
        if (exception is null && !always)
        {
            (_begun, _written, _output) = (true, true, output);
            CheckOutputs();
            return;
        }

        Assert.True(exception is TException, $"{exception}");
        Try(false, _run.Batch.Commit);
        Rollback();
    }

    private void Read() => With(text =>
    {
        float[] row = new float[_layer.Spec.RowWidth + (_random.Next(4) == 0 ? 1 : 0)];
        int layer = _random.Next(4) == 0 ? Hostile() : 0;
        int token = _random.Next(4) == 0 ? Hostile() : _random.Next(text.Tokens.Count + 1);
        bool valid = row.Length == _layer.Spec.RowWidth && layer == 0 && (uint)token < (uint)text.Tokens.Count;
        Try(valid, () => text.Sequence.ReadRow(layer, token, row));
    });

    /// <summary>The core alone, on what it may and may not be asked for.</summary>
    private void Latent()
    {
        OracleSpec spec = _layer.Spec;
        Try(false, () => _run.AppendLatent(new float[(Rows * spec.RowWidth) + 1]));
        Try(false, () => _run.AttendLatent(new float[1], [], []));
        if (_step.Count == 0)
        {
            With(text =>
            {
                int queries = 1 + _random.Next(4);
                _run.Batch.AddQueries(text.Sequence, queries);
                float[] logSumExp = new float[queries * spec.Heads];
                Try(false, () => _run.Forward(new float[queries * Width], new float[queries * Width]));
                _run.AttendLatent(new float[queries * spec.Heads * spec.RowWidth], new float[queries * spec.Heads * spec.KvLoraRank], logSumExp);

                // Queries of zeros weigh every key alike.
                for (int i = 0; i < queries && !text.Tokens.Exists(token => token.Token == NoNumber); i++)
                {
                    int keys = Math.Max(0, text.Tokens.Count - queries + i + 1);
                    Assert.Equal(keys == 0 ? double.NegativeInfinity : Math.Log(keys), logSumExp[i * spec.Heads], 1e-5);
                }

                _run.Batch.Rollback();
            });
        }
    }

    /// <summary>What is wrong whatever went before.</summary>
    private void Wrong()
    {
        int[] five = [0, 1, 2, 3, 4];
        Try(false, () => _run.Batch.Add(null!, 1));
        Try(false, () => _run.Batch.Add(_foreignSequence, 1));
        Try(false, () => _run.Batch.Add(_disposed, 1));
        Try(false, () => _run.Batch.AddQueries(_disposed, 1));
        Try(false, () => _run.Batch.Accept(null!, 0));
        Try(false, () => _run.Batch.Accept(_foreignSequence, five));
        Try(false, () => _disposed.Fork().Dispose());
        Try(false, () => _disposed.Truncate(0));
        Try(false, () => _disposed.TryReserve(0));
        Try(false, () => _run.Prefixes.Register(_foreignSequence, []));
        Try(false, () => _run.Prefixes.Register(_disposed, []));
        Try(false, () => _run.Save(_folder.At("no"), new SavedSequence(_foreignSequence)));
        Try(false, () => _run.Save(_folder.At("no"), default(SavedSequence)));
        Assert.Empty(Directory.GetFiles(_folder.Path, "no*"));
        With(text =>
        {
            Try(false, () => _run.Batch.Add(text.Sequence, Math.Min(0, Hostile())));
            Try(false, () => _run.Batch.AddQueries(text.Sequence, Math.Min(0, Hostile())));
            Try(false, () => _run.Batch.Add(text.Sequence, 4, five));
            Try(false, () => _run.Batch.Add(text.Sequence, 5, [0, 1, 2, 3, 8192]));
            Try(false, () => _run.Batch.Add(text.Sequence, 5, [0, -1, 2, 3, 4]));
            Try(false, () => _run.Batch.Add(text.Sequence, 5, parents: five));
            Try(false, () => _run.Batch.Add(text.Sequence, 2, parents: [-1, -2]));
            Try(false, () => _run.Batch.Add(text.Sequence, 3, parents: [-1]));
            Try(false, () => _run.Batch.Add(text.Sequence, 8193));
            Try(false, () => _run.Save(_folder.At("no"), new SavedSequence(text.Sequence), new SavedSequence(text.Sequence)));
            Try(false, () => _foreign.Batch.Add(text.Sequence, 1));
        });
    }

    /// <summary>Does what must succeed, unless the cache is full, or what must be refused, however full it is.</summary>
    private static bool Try(bool valid, Action action)
    {
        Exception? exception = Record.Exception(action);
        if (!valid)
        {
            Assert.True(exception is (ArgumentException or InvalidOperationException) and not LatentCacheFullException && exception.Message.Length > 0, $"{exception}");
            return false;
        }

        Assert.True(exception is null or LatentCacheFullException, $"{exception}");
        return exception is null;
    }

    private void CheckOutputs()
    {
        foreach (Part part in _step)
        {
            int last = _random.Next(part.Tokens.Length);
            int[] path = part.PathTo(last);
            (int Token, int Position)[] text = [.. part.Text.Tokens, .. path.Select(i => (part.Tokens[i], part.Positions[i]))];
            using LatentSequence alone = _alone.CreateSequence();
            float[] expected = Replay(alone, text);
            Compare.AssertSameNumbers("outputs", _output.AsSpan((part.Row + last) * Width, Width), expected.AsSpan((text.Length - 1) * Width, Width));
            Comparisons++;
        }
    }

    private void CheckRows(Text text)
    {
        using LatentSequence alone = _alone.CreateSequence();
        Replay(alone, [.. text.Tokens]);
        Compare.AssertSameNumbers("rows", AttentionRun.Rows(text.Sequence, _layer.Spec.RowWidth), AttentionRun.Rows(alone, _layer.Spec.RowWidth));
        Comparisons += text.Tokens.Count == 0 ? 0 : 1;
    }

    /// <summary>A whole text in one step, alone.</summary>
    private float[] Replay(LatentSequence sequence, (int Token, int Position)[] text)
    {
        float[] output = [.. Hidden([.. text.Select(token => token.Token)])];
        if (text.Length > 0)
        {
            _alone.Batch.Form = _run.Batch.Form;
            _alone.Batch.Add(sequence, text.Length, [.. text.Select(token => token.Position)]);
            _alone.Forward(output, output);
            _alone.Batch.Commit();
        }

        return output;
    }

    private static IEnumerable<float> Hidden(int[] tokens)
        => tokens.SelectMany(token => token == NoNumber ? Enumerable.Repeat(float.NaN, Width) : Story.Prompt([token]).Hidden);

    private void Keep(Text text)
    {
        _texts.Add(text);
        while (_texts.Count > MostTexts && _texts.Find(old => !IsOpen(old)) is { } old)
        {
            old.Sequence.Dispose();
            _texts.Remove(old);
        }
    }

    private void Close()
    {
        _step.Clear();
        (_begun, _written) = (false, false);
    }

    private bool IsOpen(Text text) => _step.Exists(part => part.Text == text);

    private void With(Action<Text> action)
    {
        if (_texts.Count > 0)
        {
            action(_texts[_random.Next(_texts.Count)]);
        }
    }

    private int Hostile() => ((int[])[int.MinValue, -1, 8191, 8192, int.MaxValue, int.MaxValue - 1, 1 << 30])[_random.Next(7)];

    private sealed class Text(LatentSequence sequence)
    {
        public LatentSequence Sequence { get; } = sequence;

        public List<(int Token, int Position)> Tokens { get; init; } = [];

        public int Next => Tokens.Count == 0 ? 0 : Tokens[^1].Position + 1;
    }

    private sealed class Part(Text text, int[] tokens, int[] positions, int[]? parents, int row)
    {
        public Text Text => text;

        public int[] Tokens => tokens;

        public int[] Positions => positions;

        public int[]? Parents => parents;

        public int Row => row;

        public int[]? Accepted { get; set; } = parents is null ? [.. Enumerable.Range(0, tokens.Length)] : null;

        public int[] PathTo(int token)
        {
            List<int> path = [];
            for (; token >= 0; token = parents is null ? token - 1 : parents[token])
            {
                path.Insert(0, token);
            }

            return [.. path];
        }
    }
}
