namespace MlaGen.Generator.Model;

/// <summary>One emitted file.</summary>
/// <param name="HintName">Its name within the compilation.</param>
/// <param name="Text">Its text, with line feeds.</param>
internal sealed record EmittedFile(string HintName, string Text);

/// <summary>The files of one class, or of one set of kernels.</summary>
internal sealed record EmittedFiles(EquatableArray<EmittedFile> Files);
