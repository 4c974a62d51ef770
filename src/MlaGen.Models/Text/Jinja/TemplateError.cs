namespace MlaGen.Models;

/// <summary>Something in a template that cannot be read or carried out; <see cref="ChatTemplate"/> tells it with its place.</summary>
internal sealed class TemplateError(string problem) : Exception(problem);
