using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>One row times a matrix.</summary>
/// <param name="name">What tables call it.</param>
/// <param name="linear">The matrix.</param>
/// <param name="executor">The threads.</param>
internal sealed class LinearWorkload(string name, Linear linear, MlaExecutor executor) : Workload
{
    private readonly float[] _input = RandomData.Floats(linear.InFeatures, seed: 5);
    private readonly float[] _output = new float[linear.OutFeatures];

    public override string Kernel => name;

    public override long Operations => 2L * linear.InFeatures * linear.OutFeatures;

    public override long Bytes => linear.Bytes;

    public override void Run() => linear.Multiply(_input, _output, 1, executor);
}
