using BenchmarkDotNet.Attributes;

namespace MlaGen.Benchmarks;

/// <summary>
/// The decode core, with what the JIT made of it: moves between <c>[rsp]</c> and vector registers, or calls, in a loop of multiply-adds are what
/// to look for. Kernels are called through a base class, which the disassembler does not see through: it is told their names.
/// </summary>
[DisassemblyDiagnoser(maxDepth: 1, filters: ["MlaGen.Emitted.*"])]
[MemoryDiagnoser]
public class KernelBenchmarks : IDisposable
{
    private MlaExecutor? _executor;
    private LatentCache<DeepSeekV3Attention>? _cache;
    private LatentSequence? _sequence;
    private MlaBatch<DeepSeekV3Attention>? _batch;
    private float[] _queries = [];
    private float[] _output = [];
    private float[] _logSumExp = [];

    [Params(512, 4096)]
    public int Context { get; set; }

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _executor = new MlaExecutor(Threads);
        _cache = DeepSeekV3Attention.CreateCache(layers: 1, Context);
        _sequence = _cache.CreateSequence();
        _batch = _cache.CreateBatch(_executor);
        _batch.Add(_sequence, Context);
        DeepSeekV3Attention.AppendLatent(_batch, 0, Random(Context * DeepSeekV3Attention.CacheRowElements, seed: 1));
        _batch.Commit();
        _batch.AddQueries(_sequence, 1);
        _queries = Random(DeepSeekV3Attention.Heads * DeepSeekV3Attention.CacheRowElements, seed: 2);
        _output = new float[DeepSeekV3Attention.Heads * DeepSeekV3Attention.KvLoraRank];
        _logSumExp = new float[DeepSeekV3Attention.Heads];
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _batch?.Dispose();
        _sequence?.Dispose();
        _cache?.Dispose();
        _executor?.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public void Decode() => DeepSeekV3Attention.AttendLatent(_batch!, 0, _queries, _output, _logSumExp);

    private static float[] Random(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (2 * random.NextSingle()) - 1)];
    }
}
