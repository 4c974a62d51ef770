using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Runtime;

namespace MlaGen.Generator.Validation;

/// <summary>What is wrong with the output gate of a specification.</summary>
internal static class GateValidator
{
    /// <summary>Longer than any name of a projection: it stands in emitted code and in messages.</summary>
    private const int MostLetters = 64;

    public static IEnumerable<Problem> Validate(MlaSpec spec, MlaSettings written)
    {
        if (spec.OutputGate is not (OutputGate.None or OutputGate.HeadWise or OutputGate.ElementWise or OutputGate.Query))
        {
            yield return Problem.At(nameof(spec.OutputGate), Rules.UnusableNumber, nameof(spec.OutputGate), SpecValidator.Text((int)spec.OutputGate), "None, HeadWise, ElementWise or Query");
            yield break;
        }

        if (spec.OutputGate == OutputGate.Query && spec.Dimensions.QLoraRank == 0)
        {
            yield return Problem.At(nameof(spec.OutputGate), Rules.GateWithoutQueryLatent);
        }

        if (written.OutputGateName is not null && spec.OutputGate is (OutputGate.None or OutputGate.Query))
        {
            yield return Problem.At(
                nameof(spec.OutputGateName),
                Rules.SettingWithoutEffect,
                nameof(spec.OutputGateName),
                spec.OutputGate == OutputGate.None ? "OutputGate is None" : "with OutputGate.Query the gates come out of q_b_proj");
        }
        else if (!IsUsable(spec.OutputGateName))
        {
            yield return Problem.At(
                nameof(spec.OutputGateName),
                Rules.UnusableName,
                nameof(spec.OutputGateName),
                Unprintable.Escape(spec.OutputGateName, MostLetters),
                "letters, digits and underscores, as in g_proj, and not the name of another projection");
        }
    }

    private static bool IsUsable(string name)
        => name.Length is > 0 and <= MostLetters
            && name.All(static letter => letter is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or (>= '0' and <= '9') or '_')
            && name is not (ProjectionNames.Sinks or "indexer")
            && !ProjectionNames.All.Contains(name);
}
