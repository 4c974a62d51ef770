using Explorer.Models;
using MlaGen;
#if PEERS
using System.Runtime.InteropServices;
using TorchSharp;
#endif

namespace Explorer.Kernels;

/// <summary>TorchSharp where it was restored and its native library loads.</summary>
internal static class TorchPeers
{
    /// <summary>Its kernels, or none and the reason.</summary>
    public static (IReadOnlyList<CoreWorkload> Peers, string? Missing) Create(MlaShape shape, float scale, int context, int threads)
    {
#if PEERS
        try
        {
            // TorchSharp tells on standard output how it looks for these, and not why it fails.
            NativeLibrary.Load("torch_cpu", typeof(torch).Assembly, null);
            NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, null);
        }
        catch (DllNotFoundException problem)
        {
            string[] reasons = problem.Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return ([], "TorchSharp is left out, because its native library does not load: " + (Array.Find(reasons, static reason => reason.Contains("GLIBC", StringComparison.Ordinal)) ?? reasons[0]));
        }

        return ([
            new TorchAttention(shape, scale, context, threads, torch.ScalarType.Float32),
            new TorchAttention(shape, scale, context, threads, torch.ScalarType.BFloat16),
        ], null);
#else
        _ = (shape, scale, context, threads);
        return ([], "TorchSharp is left out: it comes with -p:Peers=true.");
#endif
    }
}
