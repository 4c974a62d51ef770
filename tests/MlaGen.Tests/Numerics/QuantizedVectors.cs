namespace MlaGen.Tests.Numerics;

/// <summary>Vectors to quantize.</summary>
internal static class QuantizedVectors
{
    /// <summary>What vectors are like, in some depths.</summary>
    public static TheoryData<string, int> Kinds(params int[] depths)
    {
        var data = new TheoryData<string, int>();
        foreach (string kind in (string[])["normal", "one large", "equal", "tiny", "huge", "subnormal", "zeros"])
        {
            foreach (int depth in depths)
            {
                data.Add(kind, depth);
            }
        }

        return data;
    }

    /// <summary>A vector of a kind.</summary>
    public static float[] Of(string kind, int depth, Random random)
    {
        float[] vector = [.. Enumerable.Range(0, depth).Select(_ => (float)Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * (float)Math.Cos(2 * Math.PI * random.NextDouble()))];
        switch (kind)
        {
            case "one large":
                vector[random.Next(depth)] = 1000;
                return vector;
            case "equal":
                Array.Fill(vector, -0.7f);
                return vector;
            case "zeros":
                Array.Clear(vector);
                return vector;
            default:
                float factor = kind switch { "tiny" => 1e-30f, "huge" => 5e37f, "subnormal" => 1e-41f, _ => 1 };
                return [.. vector.Select(element => element * factor)];
        }
    }
}
