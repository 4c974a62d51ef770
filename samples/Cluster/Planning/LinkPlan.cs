using MlaGen;
using Cluster.Segments;

namespace Cluster.Planning;

/// <summary>A model as far as its attention over machines goes.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Layers">Layers with attention.</param>
/// <param name="Heads">Heads.</param>
/// <param name="KvLoraRank">Width of the latent.</param>
/// <param name="QkRopeHeadDim">Width of the rotary key.</param>
internal sealed record PlannedModel(string Name, int Layers, int Heads, int KvLoraRank, int QkRopeHeadDim)
{
    /// <summary>The model that comes with the samples.</summary>
    public static readonly PlannedModel Story = new("story", 4, LongStoryAttention.Heads, LongStoryAttention.KvLoraRank, LongStoryAttention.QkRopeHeadDim);

    /// <summary>Published models, and the one that comes with the samples.</summary>
    public static readonly PlannedModel[] All =
    [
        new("deepseek-v3", 61, 128, 512, 64),
        new("deepseek-v2", 60, 128, 512, 64),
        new("deepseek-v2-lite", 27, 16, 512, 64),
        new("kimi-k2", 61, 64, 512, 64),
        new("glm-4.7-flash", 47, 20, 512, 64),
        Story,
    ];

    /// <summary>What they are called.</summary>
    public static string[] Names => [.. All.Select(static model => model.Name)];

    /// <summary>Bytes that a cache keeps of a token in one layer.</summary>
    public long RowBytes(CacheFormat format)
    {
        int rope = QkRopeHeadDim * (format == CacheFormat.Float32 ? sizeof(float) : sizeof(ushort));
        return rope + format switch
        {
            CacheFormat.Float32 => KvLoraRank * sizeof(float),
            CacheFormat.BFloat16 or CacheFormat.Float16 => KvLoraRank * sizeof(ushort),
            CacheFormat.Float8 => KvLoraRank + ((KvLoraRank + 127) / 128 * sizeof(float)),
            _ => KvLoraRank + ((KvLoraRank + 63) / 64 * sizeof(ushort)),
        };
    }

    /// <summary>Operations of the core on a cached token in one layer.</summary>
    public long Operations => 2L * Heads * ((2 * KvLoraRank) + QkRopeHeadDim);
}

/// <summary>What a token of one sequence costs whose context lies on several machines, one segment on each: the formulas, and nothing measured.</summary>
/// <param name="Model">The model.</param>
/// <param name="Machines">Machines that hold segments.</param>
/// <param name="Wire">How numbers travel.</param>
/// <param name="LinkBits">Bits a second of the coordinator's link, each way.</param>
/// <param name="RoundTrip">Seconds there and back for an empty message.</param>
/// <param name="Handling">Bytes a second that the coordinator gets into messages and out of them.</param>
internal sealed record LinkPlan(PlannedModel Model, int Machines, WireFormat Wire, double LinkBits, double RoundTrip, double Handling)
{
    /// <summary>Bytes around the numbers of a request and its reply: headers of Orleans, fields of the message. Measured by the test that holds it.</summary>
    public const int CallBytes = 450;

    /// <summary>Queries that go to one machine, in bytes a layer.</summary>
    public long QueryBytes => (long)Model.Heads * (Model.KvLoraRank + Model.QkRopeHeadDim) * Wire.Bytes();

    /// <summary>Partial outputs and logarithms that come from one machine, in bytes a layer.</summary>
    public long OutputBytes => Model.Heads * (((long)Model.KvLoraRank * Wire.Bytes()) + sizeof(float));

    /// <summary>Bytes a token and layer, both ways together: to and from every machine, and the new row to the one that keeps it.</summary>
    public long Bytes => (Machines * (QueryBytes + OutputBytes + CallBytes)) + ((Model.KvLoraRank + Model.QkRopeHeadDim) * sizeof(float));

    /// <summary>
    /// Seconds a layer that the network takes. Connections share the coordinator's link and its processors, so that the queries arrive everywhere at
    /// about the same time, and all replies leave after that: the two directions do not overlap. Nor do the link and what is done around it: a message
    /// is whole before its first byte leaves, and is taken apart when its last has come.
    /// </summary>
    public double NetworkTime => RoundTrip + (Bytes * 8 / LinkBits) + (Bytes / Handling);

    /// <summary>Seconds a layer that the attention of one machine takes.</summary>
    /// <param name="context">Tokens of the whole context.</param>
    /// <param name="format">How caches keep them.</param>
    /// <param name="bandwidth">Bytes a second that a machine reads of its memory.</param>
    /// <param name="compute">Operations a second.</param>
    public double AttentionTime(long context, CacheFormat format, double bandwidth, double compute)
    {
        double tokens = Math.Ceiling((double)context / Machines);
        return tokens * Math.Max(Model.RowBytes(format) / bandwidth, Model.Operations / compute);
    }
}
