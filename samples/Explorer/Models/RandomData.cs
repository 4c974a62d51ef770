namespace Explorer.Models;

/// <summary>The same random numbers in every run.</summary>
internal static class RandomData
{
    /// <summary>Floats between -1 and 1.</summary>
    public static float[] Floats(int count, int seed)
    {
        Random random = new(seed);
        float[] values = new float[count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (2 * random.NextSingle()) - 1;
        }

        return values;
    }
}
