using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Emission;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Generator.Validation;

namespace MlaGen.Generator.Tests;

/// <summary>Numbers without a literal are refused where they come from, and cannot be written.</summary>
public class LiteralTests
{
    private const int Seed = 17;

    private const int Trials = 20_000;

    // The ends of every range, where what is right by itself overflows together.
    private static readonly double[] _numbers = [1e-45, 1e-44, 1e-38, 1e-30, 0.5, 1, 1.0000001, 2, 40, 1e4, 1e19, 1e30, 3e38];

    private static readonly int[] _lengths = [1, 2, 3, 4096, 1 << 24];

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void What_is_no_number_is_never_written(double value)
    {
        Assert.Throws<InvalidOperationException>(() => CodeWriter.Literal(value));
        Assert.Throws<InvalidOperationException>(() => CodeWriter.Literal((float)value));
    }

    /// <summary>Whatever the validator lets pass leads to constants that can be computed with.</summary>
    [Fact]
    public void Settings_that_pass_lead_to_finite_constants()
    {
        Random random = new(Seed);
        Dictionary<Model.RopeScaling, int> passed = [];
        int refused = 0;
        for (int i = 0; i < Trials; i++)
        {
            Model.RopeScaling scaling = (Model.RopeScaling)random.Next(3);
            EquatableArray<double> factors = new([Number(), Number()]);
            bool isYarn = scaling == Model.RopeScaling.Yarn;
            MlaSettings settings = new()
            {
                HiddenSize = 64,
                Heads = 2,
                QkRopeHeadDim = 4,
                MaxPositionEmbeddings = _lengths[random.Next(_lengths.Length)],
                RopeTheta = Number(),
                RopeScaling = scaling,
                OriginalMaxPositionEmbeddings = scaling == Model.RopeScaling.None ? null : _lengths[random.Next(_lengths.Length)],
                RopeFactor = Maybe(),
                BetaFast = isYarn ? Number() : null,
                BetaSlow = isYarn ? Number() : null,
                Mscale = isYarn ? Maybe() : null,
                MscaleAllDim = isYarn ? Maybe() : null,
                AttentionFactor = scaling == Model.RopeScaling.None ? null : Maybe(),
                ShortFactor = scaling == Model.RopeScaling.LongRope ? factors : null,
                LongFactor = scaling == Model.RopeScaling.LongRope ? factors : null,
                SoftmaxScale = Maybe(),
            };
            MlaSpec spec = settings.ToSpec(new TargetClass("Models", EquatableArray<string>.Empty, "Attention", "public"));
            Problem[] problems = [.. SpecValidator.Validate(spec, settings)];
            if (problems.Length > 0)
            {
                refused++;
                continue;
            }

            passed[scaling] = passed.GetValueOrDefault(scaling) + 1;
            RopeConstants constants = RopeConstants.For(spec);
            Assert.All((IEnumerable<float>)[.. constants.InverseFrequencies, constants.AttentionFactor, (float)constants.SoftmaxScale], number => Assert.True(float.IsFinite(number) && number > 0, $"{number} of {settings}"));
        }

        Assert.Equal(3, passed.Count);
        Assert.All(passed, static scaling => Assert.True(scaling.Value > 500, $"Of {scaling.Key} only {scaling.Value} passed."));
        Assert.True(refused > 500, $"{refused} were refused.");

        double Number() => _numbers[random.Next(_numbers.Length)];

        double? Maybe() => random.Next(2) == 0 ? null : Number();
    }
}
