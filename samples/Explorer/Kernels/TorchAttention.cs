using Explorer.Models;
using MlaGen;
using TorchSharp;
using static TorchSharp.torch;

namespace Explorer.Kernels;

/// <summary>The core as two matrix products around a softmax, in TorchSharp.</summary>
internal sealed class TorchAttention : CoreWorkload
{
    private readonly int _latent;
    private readonly float _scale;
    private readonly ScalarType _type;
    private readonly Tensor _rows;
    private readonly Tensor _queries;
    private readonly float[] _output;

    public TorchAttention(MlaShape shape, float scale, int context, int threads, ScalarType type)
        : base(shape, context, shape.CacheRowElements * sizeof(float))
    {
        _latent = shape.KvLoraRank;
        _scale = scale;
        _type = type;
        set_num_threads(threads);
        _rows = tensor(Rows(shape, context), [context, shape.CacheRowElements]).to(type);
        _queries = tensor(Queries(shape), [shape.Heads, shape.CacheRowElements]).to(type);
        _output = new float[shape.Heads * shape.KvLoraRank];
    }

    public override string Kernel => _type == ScalarType.BFloat16 ? "TorchSharp bf16" : "TorchSharp fp32";

    public override long Bytes => _type == ScalarType.BFloat16 ? base.Bytes / 2 : base.Bytes;

    public override ReadOnlySpan<float> Output => _output;

    public override void Run()
    {
        using IDisposable mode = inference_mode();
        using DisposeScope scope = NewDisposeScope();
        Tensor scores = matmul(_queries, _rows.t()).mul(_scale);
        Tensor latents = matmul(nn.functional.softmax(scores, -1), _rows.narrow(1, 0, _latent));
        latents.to(ScalarType.Float32).data<float>().CopyTo(_output);
    }

    public override void Dispose()
    {
        _rows.Dispose();
        _queries.Dispose();
        base.Dispose();
    }
}
