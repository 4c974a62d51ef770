using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace MlaGen.Runtime;

/// <summary>
/// Which instructions that .NET does not offer this process may use: what the processor has, what the system saves of it at a change of threads,
/// and what the system has to be asked for.
/// </summary>
internal static partial class MatrixInstructions
{
    private const int TileConfiguration = 1 << 17;
    private const int TileData = 1 << 18;

    // ecx = 0; xgetbv; ret: which states the system saves. The high half of them has no state of interest.
    private static readonly byte[] _readStates = [0x31, 0xC9, 0x0F, 0x01, 0xD0, 0xC3];

    private static readonly Lazy<string?> _avx512Bf16 = new(FindAvx512Bf16);
    private static readonly Lazy<string?> _amx = new(FindAmx);

    /// <summary>Why <c>vdpbf16ps</c> and <c>vpdpwssd</c> cannot be used, or null if it can.</summary>
    public static string? Avx512Bf16Refusal => _avx512Bf16.Value;

    /// <summary>Why <c>tdpbf16ps</c> and <c>tdpbssd</c> cannot be used, or null if it can: the process then has the permission.</summary>
    public static string? AmxRefusal => _amx.Value;

    /// <summary>Who made the processor: twelve letters, or none where there is nothing to ask.</summary>
    public static string ProcessorMaker { get; } = ReadMaker();

    private static string? FindAvx512Bf16()
    {
        // That the system saves the registers of AVX-512 is what .NET has found out. It offers none of either where it is told to use none.
        if (SimdTiers.Current != SimdTier.Vector512 || !Avx512BW.IsSupported)
        {
            return $"it needs {SimdTier.Vector512}; processor and runtime of this process offer {SimdTiers.Current} at most";
        }

        return (Leaf(7, 1).Eax >> 5 & 1) == 0 ? "the processor has no AVX512-BF16" : (Leaf(7, 0).Ecx >> 11 & 1) == 0 ? "the processor has no AVX512-VNNI" : null;
    }

    private static string? FindAmx()
    {
        if (FindAvx512Bf16() is { } refusal)
        {
            return refusal;
        }

        int features = Leaf(7, 0).Edx;
        if ((features >> 22 & 1) == 0 || (features >> 24 & 1) == 0 || (features >> 25 & 1) == 0)
        {
            return "the processor has no AMX-BF16 and AMX-INT8";
        }

        Span<nint> address = stackalloc nint[1];
        if (ExecutableMemory.TryWrite([_readStates], address) is { } noMemory)
        {
            return noMemory;
        }

        if ((States(address[0]) & (TileConfiguration | TileData)) != (TileConfiguration | TileData))
        {
            return "the system does not save AMX's tiles";
        }

        return OperatingSystem.IsLinux()
            ? AskLinux() == 0 ? null : $"the system does not permit AMX's tiles ({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})"
            : "tiles need an alternate signal stack, which is written for Linux";
    }

    private static string ReadMaker()
    {
        if (!X86Base.IsSupported)
        {
            return string.Empty;
        }

        (_, int first, int last, int middle) = X86Base.CpuId(0, 0);
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>([first, middle, last]));
    }

    private static (int Eax, int Ecx, int Edx) Leaf(int leaf, int part)
    {
        if (!X86Base.IsSupported || X86Base.CpuId(0, 0).Eax < leaf || (part > 0 && X86Base.CpuId(leaf, 0).Eax < part))
        {
            return default;
        }

        (int eax, _, int ecx, int edx) = X86Base.CpuId(leaf, part);
        return (eax, ecx, edx);
    }

    private static unsafe int States(nint address) => ((delegate* unmanaged<int>)address)();

    private static long AskLinux()
    {
        const nint ArchPrctl = 158;
        const nint RequestPermission = 0x1023;
        const nint TileDataState = 18;
        return SystemCall(ArchPrctl, RequestPermission, TileDataState);
    }

    // The C library has no name for arch_prctl. Variadic; on x64 the arguments go where those of any other call go.
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second);
}
