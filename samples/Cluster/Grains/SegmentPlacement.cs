using Orleans.Runtime;
using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace Cluster.Grains;

/// <summary>How segments are laid on silos. It decides who works, and never a bit of the result.</summary>
internal enum Placement
{
    /// <summary>One after the other over all silos.</summary>
    Spread,

    /// <summary>All on one.</summary>
    Packed,

    /// <summary>By a number drawn from the segment's own.</summary>
    Scattered,
}

/// <summary>Marks grains that a <see cref="SegmentPlacementDirector"/> places.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class SegmentPlacementAttribute() : PlacementAttribute(new SegmentPlacementStrategy());

/// <summary>Placement by the number of the segment.</summary>
internal sealed class SegmentPlacementStrategy : PlacementStrategy;

/// <summary>Chooses the silo of a segment, among those that hold segments: the coordinator's does not.</summary>
internal sealed class SegmentPlacementDirector : IPlacementDirector
{
    /// <summary>Where segments are laid that are activated from now on.</summary>
    public Placement Placement { get; set; }

    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        SiloAddress[] silos = [.. context.GetCompatibleSilos(target).Order()];
        target.GrainIdentity.TryGetIntegerKey(out long segment, out _);
        return Task.FromResult(silos[Choose(segment, silos.Length)]);
    }

    private int Choose(long segment, int silos) => Placement switch
    {
        Placement.Spread => (int)(segment % silos),
        Placement.Packed => 0,
        _ => new Random((int)segment).Next(silos),
    };
}
