using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>A span of certain length that is passed to a layer.</summary>
/// <param name="Argument">The argument.</param>
/// <param name="Length">Elements it has.</param>
/// <param name="Width">Elements that one row of the batch takes.</param>
/// <param name="Formula">The width in the class's terms.</param>
internal sealed record SpanArgument(IArgumentOperation Argument, long Length, long Width, string Formula)
{
    public string Parameter => Argument.Parameter!.Name;

    /// <summary>The spans of a call whose length is certain, when it runs a layer.</summary>
    public static IEnumerable<SpanArgument> Of(IInvocationOperation call, MlaSymbols symbols)
    {
        if (!symbols.IsRun(call.TargetMethod))
        {
            yield break;
        }

        foreach (IArgumentOperation argument in call.Arguments)
        {
            string[]? formula = (call.TargetMethod.Name, argument.Parameter?.Name) switch
            {
                ("Forward", "hidden" or "output") => ["HiddenSize"],
                ("AttendLatent", "queries") => ["Heads", "CacheRowElements"],
                ("AttendLatent", "output") => ["Heads", "KvLoraRank"],
                ("AttendLatent", "logSumExp") => ["Heads"],
                ("AppendLatent" or "ProjectLatent", "rows") => ["CacheRowElements"],
                ("ProjectLatent", "hidden") or ("ProjectOutput", "output") => ["HiddenSize"],
                ("ProjectLatent", "queries") => ["Heads", "CacheRowElements"],
                ("ProjectOutput", "latents") => ["Heads", "KvLoraRank"],
                _ => null,
            };
            if (formula is not null
                && formula.Aggregate((long?)1, (product, name) => product * MlaSymbols.Constant(call.TargetMethod.ContainingType, name)) is { } width and > 0
                && ConstantLength.Of(argument.Value) is { } length)
            {
                yield return new SpanArgument(argument, length, width, string.Join(" · ", formula));
            }
        }
    }
}
