using MlaGen.Tests.Oracles;
using Xunit.Abstractions;

namespace MlaGen.Tests.Golden;

/// <summary>The oracles against transformers: what they must show before any kernel is judged by them.</summary>
public sealed class GoldenOracleTests(ITestOutputHelper log)
{
    public static TheoryData<string> Cases => [.. GoldenCase.Names];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Both_oracles_agree_with_transformers_and_with_each_other(string name)
    {
        GoldenCase golden = GoldenCase.Load(name);
        Assert.Equal(golden.PublishedScale, golden.Spec.SoftmaxScale, 1e-15);
        OracleResult decompressed = DecompressedOracle.Forward(golden.Spec, golden.Weights, golden.Hidden, golden.Positions);
        OracleResult absorbed = AbsorbedOracle.Forward(golden.Spec, golden.Weights, golden.Hidden, golden.Positions);

        AssertGolden("decompressed", golden, decompressed);
        AssertGolden("absorbed", golden, absorbed);
        Compare.AssertClose<double, double>("output of the two forms", absorbed.Output, decompressed.Output, Tolerance.Oracles.ForScores(decompressed.MaxScore));
        Compare.AssertClose<double, double>("attention of the two forms", absorbed.Attention, decompressed.Attention, Tolerance.Oracles.ForScores(decompressed.MaxScore));
        log.WriteLine($"between the forms {Compare.RelativeError<double, double>(absorbed.Output, decompressed.Output):E2}, largest score {decompressed.MaxScore:F1}");
    }

    [Fact]
    public void Every_golden_file_is_listed()
    {
        IEnumerable<string?> files = Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Golden", "Data"), "*.safetensors").Select(Path.GetFileNameWithoutExtension);
        Assert.Equal(files.Order(StringComparer.Ordinal), GoldenCase.Names.Order(StringComparer.Ordinal));
    }

    private void AssertGolden(string form, GoldenCase golden, OracleResult result)
    {
        AssertTensor("output", result.Output, golden.Output, Tolerance.GoldenFile);
        AssertTensor("latent", result.Latent, golden.Latent, Tolerance.GoldenFile);
        AssertTensor("k_rope", result.KRope, golden.KRope, Tolerance.GoldenFile);
        AssertTensor("attn_last", result.Attention, golden.AttentionLast, Tolerance.GoldenToken);

        void AssertTensor(string tensor, double[] actual, float[] expected, Tolerance tolerance)
        {
            double[] last = actual[^expected.Length..];
            log.WriteLine($"{form} {tensor} {Compare.RelativeError<double, float>(last, expected):E2}");
            Compare.AssertClose<double, float>($"{form} {tensor}", last, expected, tolerance);
        }
    }
}
