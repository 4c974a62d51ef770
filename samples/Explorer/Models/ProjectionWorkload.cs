using Explorer.Measuring;
using MlaGen;
using MlaGen.Runtime;

namespace Explorer.Models;

/// <summary>The projections before and behind the attention, in bf16, their outputs shared between threads.</summary>
internal sealed class ProjectionWorkload : Workload
{
    private readonly Crew _crew;
    private readonly int _rows;
    private readonly List<(PackedMatrix Matrix, float[] Input, float[] Output)>[] _parts;
    private readonly long _weights;

    public ProjectionWorkload(MlaShape shape, int rows, Crew crew)
    {
        _crew = crew;
        _rows = rows;
        _weights = Costs.ProjectionWeights(shape);
        _parts = [.. Enumerable.Range(0, crew.Threads).Select(_ => new List<(PackedMatrix, float[], float[])>())];
        RandomCheckpoint checkpoint = new(shape);
        foreach ((string name, int outputs, int depth) in Costs.Projections(shape))
        {
            float[] input = RandomData.Floats(rows * depth, seed: 4);
            _ = checkpoint.TryGetTensor(name + ".weight", out CheckpointTensor? tensor);
            for (int thread = 0; thread < crew.Threads; thread++)
            {
                (int first, int end) = crew.Share(outputs, thread);
                PackedMatrix matrix = PackedMatrix.Pack(
                    end - first,
                    depth,
                    TensorType.BFloat16,
                    (row, _, destination) => tensor!.Read((long)(first + row) * depth * sizeof(ushort), destination));
                _parts[thread].Add((matrix, input, new float[rows * (end - first)]));
            }
        }
    }

    public override string Kernel => "projections";

    public override long Operations => 2 * _weights * _rows;

    public override long Bytes => sizeof(ushort) * _weights;

    public override void Run() => _crew.Run(thread =>
    {
        foreach ((PackedMatrix matrix, float[] input, float[] output) in _parts[thread])
        {
            matrix.Multiply(input, output, _rows);
        }
    });
}
