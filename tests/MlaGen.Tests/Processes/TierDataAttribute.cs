using System.Reflection;
using Xunit.Sdk;

namespace MlaGen.Tests.Processes;

/// <summary>A row of a theory for one tier: skipped, with the reason, on a machine that lacks its instructions.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class TierDataAttribute : DataAttribute
{
    private readonly object[] _more;

    public TierDataAttribute(SimdTier tier, params object[] more)
    {
        Tier = tier;
        _more = more;
        Skip = tier > SimdTiers.Current ? $"Not run: this machine has no {tier}." : null;
    }

    public SimdTier Tier { get; }

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [[Tier, .. _more]];
}
