using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MlaGen.Models.Tests.Golden;

/// <summary>What transformers computes in float64 on the weights of a checkpoint.</summary>
internal sealed record GoldenModel(int[] Prompt, int[] Greedy, double SmallestMargin, float[] Logits, float[] LastLogits)
{
    public static GoldenModel Read(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TinyModels.PathOf(name), "golden.json")));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(TinyModels.PathOf(name), "golden.safetensors"));
        return new GoldenModel(
            [.. document.RootElement.GetProperty("prompt").EnumerateArray().Select(static token => token.GetInt32())],
            [.. document.RootElement.GetProperty("greedy").EnumerateArray().Select(static token => token.GetInt32())],
            document.RootElement.GetProperty("smallest_margin").GetDouble(),
            Floats(file, "logits"),
            Floats(file, "logits_end"));
    }

    public static double RelativeError(ReadOnlySpan<float> found, ReadOnlySpan<float> expected)
    {
        float[] difference = found.ToArray();
        TensorPrimitives.Subtract(difference, expected, difference);
        return TensorPrimitives.Norm<float>(difference) / TensorPrimitives.Norm(expected);
    }

    private static float[] Floats(SafetensorsFile file, string name)
    {
        Assert.True(file.TryGetTensor(name, out CheckpointTensor? tensor));
        Assert.Equal(TensorType.Float32, tensor.Type);
        float[] values = new float[tensor.Shape.Aggregate(1L, static (product, dimension) => product * dimension)];
        tensor.Read(0, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
