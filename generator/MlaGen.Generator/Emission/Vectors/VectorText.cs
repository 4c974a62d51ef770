namespace MlaGen.Generator.Emission.Vectors;

/// <summary>The C# text of operations on vectors of one width; one lane means plain floats.</summary>
internal sealed class VectorText(int lanes)
{
    public int Lanes { get; } = lanes;

    public string Type => Lanes == 1 ? "float" : $"{Class}<float>";

    public string Zero => Lanes == 1 ? "0f" : $"{Class}<float>.Zero";

    /// <summary>The type of as many words.</summary>
    public string Words => $"{Class}<uint>";

    /// <summary>Of each lane, its own bit.</summary>
    public string Places => $"{Class}.Create({string.Join(", ", Enumerable.Range(0, Lanes).Select(lane => $"{1u << lane}u"))})";

    private string Class => $"Vector{Lanes * 32}";

    /// <summary>Loads the vector that starts <paramref name="offset"/> elements behind a reference.</summary>
    public string Load(string reference, int offset = 0) =>
        Lanes == 1 ? Element(reference, offset)
        : offset == 0 ? $"{Class}.LoadUnsafe(ref {reference})"
        : $"{Class}.LoadUnsafe(ref {reference}, {offset})";

    public string Store(string value, string reference, int offset = 0) =>
        Lanes == 1 ? $"{Element(reference, offset)} = {value};"
        : offset == 0 ? $"{Class}.StoreUnsafe({value}, ref {reference});"
        : $"{Class}.StoreUnsafe({value}, ref {reference}, {offset});";

    public string Broadcast(string scalar) => Lanes == 1 ? scalar : $"{Class}.Create({scalar})";

    public string MultiplyAdd(string left, string right, string addend) =>
        Lanes == 1 ? $"float.MultiplyAddEstimate({left}, {right}, {addend})" : $"{Class}.MultiplyAddEstimate({left}, {right}, {addend})";

    public string Max(string left, string right) => Lanes == 1 ? $"float.MaxNative({left}, {right})" : $"{Class}.MaxNative({left}, {right})";

    /// <summary>The value where both sides are equal, the alternative elsewhere.</summary>
    public string WhereEqual(string left, string right, string value, string alternative) =>
        Lanes == 1 ? $"{left} == {right} ? {value} : {alternative}"
        : $"{Class}.ConditionalSelect({Class}.Equals({left}, {right}), {value}, {alternative})";

    /// <summary>The value, but an alternative in lanes whose bit of a word is 0.</summary>
    public string WithoutPlaces(string word, string places, string alternative, string value) =>
        $"{Class}.ConditionalSelect({Class}.Equals({Class}.Create({word}) & {places}, {Words}.Zero).AsSingle(), {alternative}, {value})";

    /// <summary>An element behind a reference.</summary>
    public static string Element(string reference, int offset) => offset == 0 ? reference : $"Unsafe.Add(ref {reference}, {offset})";

    /// <summary>A reference moved by a constant or an expression.</summary>
    public static string Moved(string reference, string by) => by == "0" ? $"ref {reference}" : $"ref Unsafe.Add(ref {reference}, {by})";
}
