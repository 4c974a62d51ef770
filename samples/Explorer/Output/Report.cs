using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace Explorer.Output;

/// <summary>Where measurements go: a line of JSON each, as soon as it is there, or a table at the end. Progress goes to standard error.</summary>
internal sealed class Report
{
    private readonly TextWriter _output;
    private readonly TextWriter _error;
    private readonly IAnsiConsole? _progress;
    private readonly int _width;
    private readonly bool _json;
    private readonly string? _plot;
    private readonly List<Measurement> _measurements = [];
    private readonly List<string> _notes = [];

    /// <param name="output">Takes tables or lines of JSON.</param>
    /// <param name="error">Takes notes on the lines of JSON.</param>
    /// <param name="progress">Takes the progress, where somebody watches it.</param>
    /// <param name="width">Characters of a line of a table.</param>
    /// <param name="json">Whether to write JSON.</param>
    /// <param name="plot">A file to draw to, or <see langword="null"/>.</param>
    public Report(TextWriter output, TextWriter error, TextWriter? progress, int width, bool json, string? plot)
    {
        _output = output;
        _error = error;
        _progress = progress is null ? null : AnsiConsole.Create(new AnsiConsoleSettings { Out = new ProgressOutput(progress, width) });
        _width = width;
        _json = json;
        _plot = plot;
    }

    public IReadOnlyList<Measurement> Measurements => _measurements;

    public void Add(Measurement measurement)
    {
        _measurements.Add(measurement);
        if (_json)
        {
            _output.WriteLine(JsonSerializer.Serialize(measurement, MeasurementJson.Default.Measurement));
        }
    }

    /// <summary>Something to know about the measurements.</summary>
    public void Note(string text)
    {
        if (_json)
        {
            _error.WriteLine(text);
        }
        else
        {
            _notes.Add(text);
        }
    }

    /// <summary>Runs something that may take long, and shows how far it is where there is somebody to see it.</summary>
    public void WithProgress(string task, Action<Action<double>> work)
    {
        if (_progress is null)
        {
            work(static _ => { });
            return;
        }

        _progress.Progress().AutoClear(true).HideCompleted(true).Start(context =>
        {
            ProgressTask bar = context.AddTask(Markup.Escape(task), maxValue: 1);
            work(done => bar.Value = done);
        });
    }

    /// <summary>Shows all that was measured: as a table of the terminal's width, and as a plot if there is to be one.</summary>
    /// <param name="title">What is shown.</param>
    /// <param name="columns">The table's columns.</param>
    public void Show(string title, params ReadOnlySpan<Column> columns)
    {
        if (_plot is not null)
        {
            Chart.Save(title, _measurements, _plot);
        }

        if (!_json)
        {
            Print(title, columns);
        }
    }

    private void Print(string title, ReadOnlySpan<Column> columns)
    {
        _output.WriteLine();
        WriteWrapped(title);
        _output.WriteLine();
        foreach (string line in new TextTable(columns, _measurements).Lines(_width))
        {
            _output.WriteLine(line);
        }

        _output.WriteLine();
        if (_measurements.Exists(static measurement => measurement.IsNoisy))
        {
            WriteWrapped("! The spread (distance between the quartiles, as a part of the median) is over 10 %: something else was running.");
        }

        _notes.ForEach(WriteWrapped);
    }

    private void WriteWrapped(string text)
    {
        foreach (string line in TextTable.Wrap(text, _width))
        {
            _output.WriteLine(line);
        }
    }

    private sealed class ProgressOutput(TextWriter writer, int width) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;

        public bool IsTerminal => true;

        public int Width => width;

        public int Height => 40;

        public void SetEncoding(System.Text.Encoding encoding)
        {
        }
    }
}

/// <summary>A column of a table.</summary>
/// <param name="Header">Its heading.</param>
/// <param name="Format">The text of a measurement's cell.</param>
/// <param name="IsText">Words, not numbers.</param>
/// <param name="IsSetting">What was measured, not what came out.</param>
internal sealed record Column(string Header, Func<Measurement, string> Format, bool IsText = false, bool IsSetting = false)
{
    public static readonly Column Kernel = new("kernel", static m => m.Kernel, IsText: true, IsSetting: true);
    public static readonly Column Model = new("model", static m => m.Model ?? "", IsText: true, IsSetting: true);
    public static readonly Column Tier = new("tier", static m => m.Tier, IsText: true, IsSetting: true);
    public static readonly Column Precision = new("precision", static m => m.Precision ?? "", IsText: true, IsSetting: true);
    public static readonly Column Core = new("core", static m => m.Core ?? "", IsText: true, IsSetting: true);
    public static readonly Column Cache = new("cache", static m => m.Cache ?? "", IsText: true, IsSetting: true);
    public static readonly Column Heads = new("heads", static m => Whole(m.Heads), IsSetting: true);
    public static readonly Column Context = new("context", static m => Whole(m.Context), IsSetting: true);
    public static readonly Column Queries = new("queries", static m => Whole(m.Queries), IsSetting: true);
    public static readonly Column Batch = new("batch", static m => Whole(m.Batch), IsSetting: true);
    public static readonly Column Threads = new("threads", static m => Whole(m.Threads), IsSetting: true);
    public static readonly Column Milliseconds = new("ms", static m => Number(m.Ms, m.Ms < 10 ? "0.000" : "0.0"));
    public static readonly Column Gflops = new("GFLOP/s", static m => Number(m.Gflops, "0.0"));
    public static readonly Column FmaPeak = new("FMA peak", static m => Number(m.FmaPeakGflops, "0.0"));
    public static readonly Column ShareOfPeak = new("of peak", static m => Percent(m.ShareOfPeak));
    public static readonly Column Gigabytes = new("GB/s", static m => Number(m.GigabytesPerSecond, "0.0"));
    public static readonly Column Dram = new("DRAM GB/s", static m => Number(m.DramGigabytesPerSecond, "0.0"));
    public static readonly Column ShareOfDram = new("of DRAM", static m => Percent(m.ShareOfDram));
    public static readonly Column KeyFloats = new("key floats", static m => Whole(m.KeyFloatsPerToken));
    public static readonly Column OperationsPerToken = new("FLOP a token", static m => Whole(m.OperationsPerToken));
    public static readonly Column TokensPerSecond = new("tokens/s", static m => Number(m.TokensPerSecond, m.TokensPerSecond < 10 ? "0.00" : "#,0"));
    public static readonly Column BoundBy = new("bound by", static m => m.BoundBy ?? "", IsText: true);
    public static readonly Column ShareOfRoofline = new("of roofline", static m => Percent(m.ShareOfRoofline));
    public static readonly Column ShareOfFloat32 = new("of float32", static m => Percent(m.ShareOfFloat32));
    public static readonly Column OverOneQuery = new("over one query", static m => Number(m.OverOneQuery, "0.00"));
    public static readonly Column Speedup = new("speedup", static m => Number(m.Speedup, "0.00"));
    public static readonly Column PeakSpeedup = new("peak speedup", static m => Number(m.PeakSpeedup, "0.00"));
    public static readonly Column ShareOfStep = new("of sparse", static m => Percent(m.ShareOfStep));
    public static readonly Column OverDense = new("over dense", static m => Number(m.OverDense, "0.00"));
    public static readonly Column Warmup = new("warm-up ms", static m => Number(m.WarmupMs, "0.0"));
    public static readonly Column First = new("first ms", static m => Number(m.FirstMs, m.FirstMs < 10 ? "0.000" : "0.0"));
    public static readonly Column AfterPause = new("after a pause", static m => Number(m.AfterPauseMs, m.AfterPauseMs < 10 ? "0.000" : "0.0"));
    public static readonly Column FirstOverSteady = new("first / steady", static m => Number(m.FirstOverSteady, "0.00"));
    public static readonly Column Difference = new("difference", static m => Number(m.Difference, "0e+0"));
    public static readonly Column Spread = new("spread", static m => Percent(m.Spread) + (m.IsNoisy ? " !" : ""));

    public static string Whole(long? value) => value is { } number ? number.ToString("#,0", CultureInfo.InvariantCulture) : "";

    public static string Number(double? value, string format) => value is { } number ? number.ToString(format, CultureInfo.InvariantCulture) : "";

    public static string Percent(double? value) => value is { } number ? (100 * number).ToString("0.0", CultureInfo.InvariantCulture) + " %" : "";
}
