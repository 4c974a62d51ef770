using System.Text;

namespace MlaGen.Tests.Golden;

/// <summary>
/// Numbers that follow from a name and a counter alone: element i of a tensor is one round of splitmix64 over
/// <c>fnv1a64(name) + (i + 1) · golden ratio</c>, so a reference in another language makes the same ones bit for bit.
/// </summary>
internal static class CounterRandom
{
    /// <summary>Uniform over <c>[-scale/2, scale/2)</c> around <paramref name="offset"/>.</summary>
    public static float[] Tensor(string name, int length, float scale, float offset = 0)
    {
        ulong seed = Fnv1a64(name);
        var values = new float[length];
        for (int i = 0; i < values.Length; i++)
        {
            ulong z = seed + ((ulong)(i + 1) * 0x9E3779B97F4A7C15);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            float centred = ((z >> 40) * (1f / (1 << 24))) - 0.5f;
            float scaled = centred * scale;
            values[i] = scaled + offset;
        }

        return values;
    }

    /// <summary>A matrix <c>[rows, columns]</c> whose products with unit-variance inputs have variance <c>gain²</c>.</summary>
    public static float[] Matrix(string name, int rows, int columns, double gain = 1)
        => Tensor(name, rows * columns, (float)(gain * Math.Sqrt(12.0 / columns)));

    /// <summary>Weights of a norm: 0.75 to 1.25.</summary>
    public static float[] Norm(string name, int length) => Tensor(name, length, 0.5f, 1f);

    /// <summary>Biases: -0.25 to 0.25.</summary>
    public static float[] Bias(string name, int length) => Tensor(name, length, 0.5f);

    /// <summary>Inputs of variance one.</summary>
    public static float[] Hidden(string name, int tokens, int width) => Tensor(name, tokens * width, (float)Math.Sqrt(12));

    private static ulong Fnv1a64(string text)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            hash = (hash ^ value) * 0x100000001B3;
        }

        return hash;
    }
}
