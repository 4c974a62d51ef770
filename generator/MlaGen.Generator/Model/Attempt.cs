using Microsoft.CodeAnalysis;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Model;

/// <summary>An exception of the generator itself, as a value: what it was about and what it said.</summary>
/// <param name="Subject">What is left out, in words: a class, a configuration, a set of kernels.</param>
/// <param name="MetadataName">The class, by the name that finds it again, or null for anything else.</param>
/// <param name="Exception">The exception, on one line.</param>
internal sealed record Failure(string Subject, string? MetadataName, string Exception)
{
    public static Failure Of(string subject, string? metadataName, Exception exception)
        => new(subject, metadataName, string.Join(" ", exception.ToString().Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Trim())));

    /// <summary>How messages call a class.</summary>
    public static string ClassOf(string name) => $"class '{name}'";

    /// <summary>How a set of kernels is called, as no other one is.</summary>
    public static string KernelsOf(KernelShape shape) => $"kernels {shape.Name}";

    /// <summary>What is reported of it.</summary>
    /// <param name="place">The class, or null where there is none.</param>
    public Diagnostic ToDiagnostic(Location? place) => Diagnostic.Create(GeneratorRules.Failed, place, Subject, Exception);
}

/// <summary>
/// A step of the generator for one class, configuration or set of kernels: what came of it, nothing where there are mistakes, or a failure. An exception
/// that left the generator would take every class of the project with it.
/// </summary>
internal sealed record Attempt<T>(T? Value, Failure? Failure)
    where T : class
{
    /// <summary>Nothing came of it, and nothing failed.</summary>
    public static readonly Attempt<T> Nothing = new(null, null);

    public static Attempt<T> Of(string subject, string? metadataName, Func<T?> step)
    {
        try
        {
            return new(step(), null);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return new(null, Failure.Of(subject, metadataName, exception));
        }
    }

    /// <summary>Takes the next step for a class, if there is something to go on from.</summary>
    public Attempt<TNext> Then<TNext>(Func<T, TargetClass> target, Func<T, TNext?> step)
        where TNext : class
        => Then(value => Failure.ClassOf(target(value).Name), value => target(value).MetadataName, step);

    /// <summary>Takes the next step, if there is something to go on from.</summary>
    public Attempt<TNext> Then<TNext>(Func<T, string> subject, Func<T, string?> metadataName, Func<T, TNext?> step)
        where TNext : class
        => Value is { } value ? Attempt<TNext>.Of(subject(value), metadataName(value), () => step(value)) : new(null, Failure);
}
