using System.Text.RegularExpressions;
using Explorer;
using Explorer.Commands;
using Explorer.Output;
using MlaGen.Tests.Processes;

namespace MlaGen.Tests.Explorer;

/// <summary>Tables can be read at any width: no line is longer, and no number or unit is broken.</summary>
public class TableTests
{
    private static readonly Dictionary<string, Column[]> _tables = new()
    {
        ["decode"] = DecodeCommand.Columns,
        ["prefill"] = PrefillCommand.Columns,
        ["layer"] = LayerCommand.Columns,
        ["compare"] = CompareCommand.Columns,
        ["peers"] = PeersCommand.Columns,
        ["warmup"] = WarmupCommand.Columns,
        ["roofline"] = RooflineCommand.Columns,
    };

    public static TheoryData<string, int, int> Cases
    {
        get
        {
            TheoryData<string, int, int> cases = [];
            foreach (string table in _tables.Keys)
            {
                foreach (int width in (int[])[200, 120, 80, 60, 40, 30])
                {
                    cases.Add(table, width, 1);
                    cases.Add(table, width, 5);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_value_stands_whole_in_lines_of_the_width(string table, int width, int rows)
    {
        Column[] columns = _tables[table];
        Measurement[] measurements = [.. Enumerable.Range(0, rows).Select(Largest)];

        string[] lines = [.. new TextTable(columns, measurements).Lines(width)];

        Assert.All(lines, line => Assert.True(line.Length <= width, $"{line.Length} characters: {line}"));
        foreach (Column column in columns)
        {
            Assert.All(measurements, measurement => Assert.Contains(lines, line => Holds(line, column.Format(measurement))));
            Assert.Contains(lines, line => Holds(line, column.Header));
        }
    }

    [Theory]
    [InlineData(200)]
    [InlineData(80)]
    [InlineData(60)]
    [InlineData(30)]
    public void Each_number_stands_in_the_row_of_its_kernel(int width)
    {
        Measurement[] measurements = [Largest(0) with { Kernel = "first", Ms = 11.5, Spread = 0.011 }, Largest(1) with { Kernel = "second", Ms = 22.5, Spread = 0.022 }];

        string text = string.Join('\n', new TextTable(DecodeCommand.Columns, measurements).Lines(width));

        // In a line with the kernel's name, or, where a line has but one value, below it.
        foreach ((string kernel, string other, string[] values) in new[] { ("first", "second", new[] { "11.5", "1.1 %" }), ("second", "first", ["22.5", "2.2 %"]) })
        {
            Assert.All(values, value => Assert.Matches($@"\b{kernel}\b(?:(?!\b{other}\b)[\s\S])*(?<![0-9.]){Regex.Escape(value)}", text));
        }
    }

    [Fact]
    public void What_all_rows_have_in_common_is_said_once_where_the_table_would_be_too_wide()
    {
        Measurement[] measurements = [Largest(0) with { Kernel = "a" }, Largest(1) with { Kernel = "b" }];

        string text = string.Join('\n', new TextTable(DecodeCommand.Columns, measurements).Lines(80));

        Assert.Single(Regex.Matches(text, measurements[0].Tier));
        Assert.Equal(2, Regex.Count(string.Join('\n', new TextTable(DecodeCommand.Columns, measurements).Lines(200)), measurements[0].Tier));
    }

    [Fact]
    public void A_column_that_says_nothing_is_left_out() =>
        Assert.DoesNotContain(new TextTable(DecodeCommand.Columns, [Largest(0) with { Speedup = null, PeakSpeedup = null }]).Lines(400), static line => line.Contains("speedup", StringComparison.Ordinal));

    [Theory]
    [InlineData(20)]
    [InlineData(60)]
    [InlineData(80)]
    public void Sentences_are_broken_between_words_and_never_between_a_number_and_its_unit(int width)
    {
        const string Text = "Keys and values of a token: 32,768 floats in multi-head attention, 576 in MLA: 56.89 times fewer. It is over 10 % of 128 heads.";

        string[] lines = [.. TextTable.Wrap(Text, width)];

        Assert.All(lines, line => Assert.True(line.Length <= width, line));
        Assert.All(lines, static line => Assert.False(char.IsAsciiDigit(line[^1]), line));
        Assert.Equal(Text, string.Join(' ', lines));
    }

    [Theory]
    [InlineData(80)]
    [InlineData(60)]
    [InlineData(40)]
    public void A_command_prints_within_the_width_of_its_screen(int width)
    {
        foreach (string[] arguments in (string[][])[["decode", "--heads", "16", "--threads", "2"], ["prefill", "--heads", "16", "--threads", "1"], ["compare", "--heads", "16", "--threads", "1"], ["peers", "--heads", "16", "--threads", "1"]])
        {
            StringWriter output = new() { NewLine = "\n" };
            StringWriter error = new();

            Assert.Equal(0, CommandLine.Run([.. arguments, "--context", "64", "--seconds", "0.01"], output, error, new Screen(width, ShowsProgress: false)));

            Assert.Empty(error.ToString());
            string[] lines = output.ToString().Split('\n');
            Assert.All(lines, line => Assert.True(line.Length <= width, $"{line.Length} characters: {line}"));
            Assert.Contains(lines, static line => line.Contains("of peak", StringComparison.Ordinal));
            Assert.DoesNotContain('…', output.ToString());
        }
    }

    [Fact]
    public void Without_a_terminal_lines_have_80_characters() => Assert.Equal(new Screen(80, ShowsProgress: false), Screen.None);

    [Theory]
    [InlineData("'decod' is no command; there are decode, prefill, layer, projections, compare, sparse, prompt, peers, warmup, weights, model, roofline", "decod")]
    [InlineData("a command is expected: decode, prefill")]
    [InlineData("'x' is no option of decode; decode --help lists them", "decode", "x")]
    public void A_mistake_is_told_with_what_to_write(string problem, params string[] arguments)
    {
        StringWriter error = new();

        Assert.Equal(2, CommandLine.Run(arguments, TextWriter.Null, error, Screen.None));
        Assert.Contains(problem, error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Files below /proc are made by the system alone, for whichever user.</summary>
    [PlatformFact(Platform.Linux)]
    public void A_plot_that_cannot_be_written_is_told() => A_mistake_is_told_with_what_to_write("no file can be written there", "decode", "--plot", "/proc/x.svg");

    /// <summary>As whole words: what stands around it is space.</summary>
    private static bool Holds(string line, string text) => Regex.IsMatch(line, $@"(?<![^ ,]){Regex.Escape(text)}(?![^ ,])");

    /// <summary>A measurement with a value in every column, as wide as they come.</summary>
    private static Measurement Largest(int row) => new()
    {
        Kernel = "mla decompressed",
        Model = "GLM-4.7-Flash",
        Cache = "bfloat16",
        Precision = "highest",
        Core = "avx512bf16",
        Heads = 128,
        Context = 1 << 20,
        Queries = 256,
        Batch = 4096,
        Threads = 1024,
        Ms = 123456.7 + row,
        Gflops = 12345.6 + row,
        FmaPeakGflops = 23456.7 + row,
        ShareOfPeak = 1.005,
        GigabytesPerSecond = 1234.5,
        Spread = 1.234,
        DramGigabytesPerSecond = 2345.6,
        ShareOfDram = 1.2345,
        KeyFloatsPerToken = 32768,
        OperationsPerToken = 123456789,
        TokensPerSecond = 1234567,
        ReadGigabytesPerSecond = 1234.5,
        BoundBy = "arithmetic",
        ShareOfRoofline = 1.1234,
        Difference = 3.4e-7,
        ShareOfFloat32 = 1.2345,
        OverOneQuery = 12.345,
        Speedup = 123.45,
        PeakSpeedup = 123.46,
        WarmupMs = 12345.6,
        FirstMs = 12345.7,
        FirstOverSteady = 123.45,
        AfterPauseMs = 12345.8,
    };
}
