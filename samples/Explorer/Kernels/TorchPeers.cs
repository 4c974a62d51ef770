using MlaGen;
#if PEERS
using static TorchSharp.torch;
#endif

namespace Explorer.Kernels;

/// <summary>TorchSharp where it was restored and its native library loads.</summary>
internal static class TorchPeers
{
    /// <summary>Its kernels, or none and the reason.</summary>
    public static (IReadOnlyList<Models.CoreWorkload> Peers, string? Missing) Create(MlaShape shape, float scale, int context, int threads)
    {
#if PEERS
        try
        {
            return ([
                new TorchAttention(shape, scale, context, threads, ScalarType.Float32),
                new TorchAttention(shape, scale, context, threads, ScalarType.BFloat16),
            ], null);
        }
        catch (Exception problem) when (problem is TypeInitializationException or DllNotFoundException or NotSupportedException or BadImageFormatException)
        {
            return ([], "TorchSharp is left out: its native library does not load (" + problem.GetBaseException().Message.Trim().Split('\n')[0] + ").");
        }
#else
        _ = (shape, scale, context, threads);
        return ([], "TorchSharp is left out: build with -p:Peers=true to restore it.");
#endif
    }
}
