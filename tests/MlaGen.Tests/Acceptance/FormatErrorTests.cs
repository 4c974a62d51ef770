using System.Globalization;
using MlaGen.Runtime;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;
using Xunit.Abstractions;

namespace MlaGen.Tests.Acceptance;

/// <summary>What each format costs in exactness against float32 (A9): measured in double precision, so that it is the format's own error alone.</summary>
public sealed class FormatErrorTests(ITestOutputHelper log)
{
    private const int Keys = 1024;

    private static readonly OracleSpec _spec = new() { HiddenSize = 1, Heads = 16, KvLoraRank = 512, QkNopeHeadDim = 128, QkRopeHeadDim = 64, VHeadDim = 128 };

    public static TheoryData<CacheFormat> Formats => [.. Enum.GetValues<CacheFormat>()];

    /// <summary>The rows of the table are what this test prints.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void The_documented_error_is_the_measured_one(CacheFormat format)
    {
        float[] rows = AttendLatentTests.Rows(_spec, "format error", Keys);
        double[] queries = OracleMath.Widen(AttendLatentTests.Queries(_spec, "format error", 4));
        float[] stored = Stored(format, rows);
        LatentAttention exact = AbsorbedOracle.Attend(_spec, queries, 4, OracleMath.Widen(rows));
        LatentAttention found = AbsorbedOracle.Attend(_spec, queries, 4, OracleMath.Widen(stored));
        double rowError = Compare.RelativeError<float, float>(stored, rows);
        double outputError = Compare.RelativeError<double, double>(found.Output, exact.Output);
        double logSumExpError = found.LogSumExp.Zip(exact.LogSumExp, (a, b) => Math.Abs(a - b)).Max();

        string line = $"| `{format}` | {Show(rowError)} | {Show(outputError)} | {Show(logSumExpError)} |";
        log.WriteLine(line);
        Assert.Contains(line, File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "cache-formats.md")));
    }

    private static string Show(double error) => error == 0 ? "0" : error.ToString("0.0e-0", CultureInfo.InvariantCulture);

    private static float[] Stored(CacheFormat format, float[] rows)
    {
        RowCodec codec = RowCodec.Create<Lanes1>(format, _spec.KvLoraRank, _spec.QkRopeHeadDim);
        byte[] bytes = new byte[codec.RowBytes];
        return [.. rows.Chunk(codec.Elements).SelectMany((row, token) =>
        {
            float[] decoded = new float[codec.Elements];
            codec.EncodeRow(row, bytes, token);
            codec.DecodeRows(bytes, 1, decoded);
            return decoded;
        })];
    }
}
