using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>The projections before and behind the attention, in bf16, their outputs shared between threads.</summary>
internal sealed class ProjectionWorkload : Workload
{
    private readonly MlaExecutor _executor;
    private readonly MlaPrecision _precision;
    private readonly int _rows;
    private readonly List<(Linear Projection, float[] Input, float[] Output)> _projections;
    private readonly long _weights;

    public ProjectionWorkload(MlaShape shape, int rows, MlaExecutor executor)
    {
        _executor = executor;
        _rows = rows;
        _weights = Costs.ProjectionWeights(shape);
        _projections = [];
        RandomCheckpoint checkpoint = new(shape);
        foreach ((string name, int outputs, int depth) in Costs.Projections(shape))
        {
            _projections.Add((Linear.Load(checkpoint, name, depth, outputs), RandomData.Floats(rows * depth, seed: 4), new float[rows * outputs]));
        }
    }

    /// <summary>The same weights and rows at another precision.</summary>
    public ProjectionWorkload(ProjectionWorkload other, MlaPrecision precision)
    {
        _executor = other._executor;
        _rows = other._rows;
        _weights = other._weights;
        _projections = other._projections;
        _precision = precision;
    }

    public override string Kernel => "projections";

    public override long Operations => 2 * _weights * _rows;

    public override long Bytes => sizeof(ushort) * _weights;

    public override void Run()
    {
        foreach ((Linear projection, float[] input, float[] output) in _projections)
        {
            projection.Multiply(input, output, _rows, _executor, _precision);
        }
    }
}
