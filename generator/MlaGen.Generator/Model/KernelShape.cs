namespace MlaGen.Generator.Model;

/// <summary>The dimensions that kernels are specialised to: classes that share them share the kernels.</summary>
/// <param name="Heads">Attention heads.</param>
/// <param name="KvLoraRank">Width of the latent.</param>
/// <param name="QkRopeHeadDim">Width of the rotary key.</param>
/// <param name="QkNopeHeadDim">Width of a head's key without its rotary part.</param>
/// <param name="VHeadDim">Width of a head's value.</param>
/// <param name="HasMachineCode">Whether there are cores of machine code beside the managed ones: for classes that ask for no more than bfloat16 can give.</param>
internal sealed record KernelShape(int Heads, int KvLoraRank, int QkRopeHeadDim, int QkNopeHeadDim, int VHeadDim, bool HasMachineCode = false)
{
    /// <summary>Width of a head's query and key.</summary>
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;

    /// <summary>Elements of a cached row: latent, then rotary key.</summary>
    public int CacheRowElements => KvLoraRank + QkRopeHeadDim;

    /// <summary>A name that no other shape has, and that can be read.</summary>
    public string Name => $"Heads{Heads}Latent{KvLoraRank}Rope{QkRopeHeadDim}Nope{QkNopeHeadDim}Value{VHeadDim}{(HasMachineCode ? "MachineCode" : string.Empty)}";

    public static KernelShape Of(Dimensions d, MlaPrecision precision = MlaPrecision.Highest) => new(d.Heads, d.KvLoraRank, d.QkRopeHeadDim, d.QkNopeHeadDim, d.VHeadDim, precision != MlaPrecision.Highest);
}
