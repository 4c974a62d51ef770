using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Model;

/// <summary>One annotated class as written: all that survives of its symbols.</summary>
/// <param name="Target">The class to complete.</param>
/// <param name="ConfigName">Name of the model configuration it asks for, or null.</param>
/// <param name="Settings">The properties set in the attribute.</param>
/// <param name="DeclarationProblems">What is wrong with the class itself or the compilation it stands in.</param>
internal sealed record AttributeModel(
    TargetClass Target,
    string? ConfigName,
    MlaSettings Settings,
    EquatableArray<Problem> DeclarationProblems)
{
    /// <summary>Whether the attribute is not MlaGen's, but another one of the same name: what is set in it means nothing here.</summary>
    public bool IsForeign { get; init; }
}

/// <summary>One model configuration of the project, by its values alone: no position in the file, so that reformatting it changes nothing.</summary>
/// <param name="Name">The name by which an attribute asks for it.</param>
/// <param name="File">The end of its path, for messages and headers.</param>
/// <param name="Settings">What it says.</param>
/// <param name="IndexTopK">Keys a query that its sparse indexer selects, or null when it has none.</param>
/// <param name="IsValid">False when the file has mistakes, which are reported in the file: no class is generated from it.</param>
internal sealed record ConfigModel(string Name, string File, MlaSettings Settings, int? IndexTopK, bool IsValid)
{
    /// <summary>How its attention weights are quantized, where that cannot be read; else null.</summary>
    public string? Quantization { get; init; }
}
