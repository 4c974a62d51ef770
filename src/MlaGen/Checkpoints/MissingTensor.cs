namespace MlaGen.Runtime;

/// <summary>What a checkpoint has in place of a tensor that it lacks: most often the prefix is wrong, or the class has the other way to queries.</summary>
internal static class MissingTensor
{
    /// <summary>The end of a sentence about a missing tensor of a generated class; empty when the checkpoint has nothing like it.</summary>
    public static string Hint(ICheckpoint checkpoint, string name)
    {
        string tensor = name[(name.LastIndexOf('.') + 1)..];
        string? projection = ProjectionNames.All
            .Where(candidate => name.EndsWith($"{candidate}.{tensor}", StringComparison.Ordinal))
            .MaxBy(static candidate => candidate.Length);
        if (projection is null)
        {
            return GateHint(checkpoint, name, tensor);
        }

        string end = $"{projection}.{tensor}";
        string prefix = name[..^end.Length];
        string? other = AttentionTensors.OtherQuery(projection);
        if (other is not null && checkpoint.TryGetTensor($"{prefix}{other}.weight", out CheckpointTensor? query))
        {
            return $"; there is {CheckpointException.Quote(query.Name)}, {query.Describe()}: {AttentionTensors.QueryAdvice(other, query.Shape.FirstOrDefault())}";
        }

        if (tensor == "bias" && checkpoint.TryGetTensor($"{prefix}{projection}.weight", out _))
        {
            return "; AttentionBias on the class asks for it";
        }

        string[] names = [.. checkpoint.Names];
        if (names.Where(candidate => candidate.StartsWith($"{prefix}{projection}.", StringComparison.Ordinal)).Order(StringComparer.Ordinal).FirstOrDefault() is { } packed)
        {
            return $"; there is {CheckpointException.Quote(packed)}: the projection is quantized in a way that is not read";
        }

        string? nearest = Nearest(names, name, end) ?? (other is null ? null : Nearest(names, name, other + ".weight"));
        return nearest switch
        {
            null => string.Empty,
            _ when nearest == $"{prefix}.{end}" => $"; the prefix lacks its last dot: there is {CheckpointException.Quote(nearest)}",
            _ => $"; the nearest name there is {CheckpointException.Quote(nearest)}",
        };
    }

    /// <summary>A gate's projection may have any name.</summary>
    private static string GateHint(ICheckpoint checkpoint, string name, string tensor)
    {
        if (tensor != ProjectionNames.Weight || name.Length < tensor.Length + 2)
        {
            return string.Empty;
        }

        string prefix = name[..(name.LastIndexOf('.', name.Length - tensor.Length - 2) + 1)];
        foreach (string gate in ProjectionNames.Gates)
        {
            if (checkpoint.TryGetTensor($"{prefix}{gate}.{tensor}", out CheckpointTensor? other))
            {
                return $"; there is {CheckpointException.Quote(other.Name)}, {other.Describe()}: {AttentionTensors.GateAdvice}";
            }
        }

        return string.Empty;
    }

    private static string? Nearest(string[] names, string name, string end) =>
        NearestName.Of(name, names.Where(candidate => candidate == end || candidate.EndsWith("." + end, StringComparison.Ordinal)));
}
