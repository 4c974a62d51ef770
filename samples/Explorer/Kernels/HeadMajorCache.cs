using Explorer.Measuring;

namespace Explorer.Kernels;

/// <summary>Keys and values of standard multi-head attention, a head's tokens one after the other: what a thread reads is one stream.</summary>
internal sealed class HeadMajorCache
{
    /// <summary>Width of a key and of a value.</summary>
    public const int Width = 128;

    private const int PatternLength = 1 << 16;

    public HeadMajorCache(int heads, int context, Crew crew)
    {
        Heads = heads;
        Context = context;
        Keys = Fill(heads * context * Width, seed: 5, crew);
        Values = Fill(heads * context * Width, seed: 6, crew);
    }

    public int Heads { get; }

    public int Context { get; }

    /// <summary><c>[heads, context, 128]</c>.</summary>
    public float[] Keys { get; }

    /// <summary><c>[heads, context, 128]</c>.</summary>
    public float[] Values { get; }

    public static long BytesFor(int heads, int context) => 2L * heads * context * Width * sizeof(float);

    /// <summary>Random numbers that repeat: gigabytes of new ones would take longer than what is measured.</summary>
    private static float[] Fill(int count, int seed, Crew crew)
    {
        float[] pattern = Models.RandomData.Floats(PatternLength, seed);
        float[] values = GC.AllocateUninitializedArray<float>(count);
        crew.Run(thread =>
        {
            (int first, int end) = crew.Share(count, thread);
            for (int i = first; i < end; i += PatternLength)
            {
                int length = Math.Min(PatternLength, end - i);
                pattern.AsSpan(0, length).CopyTo(values.AsSpan(i, length));
            }
        });
        return values;
    }
}
