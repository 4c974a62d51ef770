using Cluster.Grains;
using Cluster.Segments;

namespace Cluster.Telling;

/// <summary>What <c>tell</c> is asked for.</summary>
/// <param name="Prompts">The texts that stories begin with.</param>
/// <param name="Resume">Storage with stories to go on with, or <see langword="null"/>.</param>
/// <param name="Directory">Storage, or <see langword="null"/> for one that is deleted in the end.</param>
/// <param name="MaxTokens">Tokens to tell at most, for each story.</param>
/// <param name="Silos">Silos; 0 keeps all segments in this process.</param>
/// <param name="SegmentTokens">Tokens of a segment.</param>
/// <param name="SaveInterval">Tokens after which a segment is saved.</param>
/// <param name="Wire">How numbers travel.</param>
/// <param name="Placement">Where segments are laid.</param>
/// <param name="UsesRedis">Whether a Redis server keeps the list of members.</param>
/// <param name="Redis">Address of one that runs; <see langword="null"/> to start one.</param>
/// <param name="Temperature">0 for the most likely token each time.</param>
/// <param name="Seed">Start of the random choices.</param>
/// <param name="Threads">Threads that the model runs on.</param>
/// <param name="Deadline">Seconds after which a call has failed.</param>
/// <param name="Patience">Seconds for which a step is tried anew.</param>
/// <param name="IgnoreEnd">Whether to go on past the end of a story.</param>
/// <param name="Quiet">Whether to print the stories alone.</param>
internal sealed record TellOptions(
    string[] Prompts,
    string? Resume,
    string? Directory,
    int MaxTokens,
    int Silos,
    int SegmentTokens,
    int SaveInterval,
    WireFormat Wire,
    Placement Placement,
    bool UsesRedis,
    string? Redis,
    double Temperature,
    int Seed,
    int Threads,
    double Deadline,
    double Patience,
    bool IgnoreEnd,
    bool Quiet);
