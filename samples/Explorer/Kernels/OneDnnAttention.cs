using System.Runtime.InteropServices;
using Explorer.Models;
using MlaGen;
using Samples;

namespace Explorer.Kernels;

/// <summary>The core on oneDNN in bfloat16, in a library that is built by itself: see tests/peers.</summary>
internal sealed class OneDnnAttention : CoreWorkload
{
    private readonly nint _library;
    private readonly RunCore _run;
    private readonly DestroyCore _destroy;
    private readonly nint _core;
    private readonly float[] _output;

    /// <summary>Loads the library and gives it the data.</summary>
    /// <param name="file">The library.</param>
    /// <param name="shape">The layer's dimensions.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="context">Cached tokens.</param>
    /// <param name="threads">Threads it computes on.</param>
    /// <exception cref="UserException">The file is no such library, or oneDNN refuses.</exception>
    public OneDnnAttention(string file, MlaShape shape, float scale, int context, int threads)
        : base(shape, context, shape.CacheRowElements * sizeof(ushort))
    {
        CreateCore create;
        try
        {
            _library = NativeLibrary.Load(Path.GetFullPath(file));
            create = Function<CreateCore>("onednn_create");
            _run = Function<RunCore>("onednn_run");
            _destroy = Function<DestroyCore>("onednn_destroy");
        }
        catch (Exception problem) when (problem is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new UserException($"'{file}' is no library as tests/peers builds it: {problem.Message}");
        }

        _output = new float[shape.Heads * shape.KvLoraRank];
        _core = create(shape.Heads, shape.CacheRowElements, shape.KvLoraRank, context, scale, threads, Rows(shape, context), Queries(shape));
        if (_core == 0)
        {
            throw new UserException("oneDNN cannot compute this shape in bfloat16 on this machine");
        }
    }

    private delegate nint CreateCore(int heads, int depth, int latent, int context, float scale, int threads, [In] float[] rows, [In] float[] queries);

    private delegate int RunCore(nint core, [In, Out] float[] output, int count);

    private delegate void DestroyCore(nint core);

    public override string Kernel => "oneDNN bf16";

    public override ReadOnlySpan<float> Output => _output;

    public override void Run()
    {
        if (_run(_core, _output, _output.Length) != 0)
        {
            throw new InvalidOperationException("oneDNN failed, and said why on standard error.");
        }
    }

    public override void Dispose()
    {
        _destroy(_core);
        base.Dispose();
    }

    private T Function<T>(string name)
        where T : Delegate => Marshal.GetDelegateForFunctionPointer<T>(NativeLibrary.GetExport(_library, name));
}
