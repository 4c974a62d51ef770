namespace MlaGen.Generator.Planning;

/// <summary>
/// How the blocks of a long row are split into parts that threads share. A power of two, so that parts share out evenly, and a function of the
/// row's own length alone: neither the number of threads nor the rest of the batch shows in a bit.
/// </summary>
/// <param name="MostParts">Parts at most.</param>
/// <param name="SingleBlockParts">Parts up to which one may be a single block: enough for a few threads.</param>
/// <param name="PartBlocks">Blocks of a part at least, once there are more: each part costs a pass over the outputs.</param>
internal sealed record KeySplit(int MostParts, int SingleBlockParts, int PartBlocks);
