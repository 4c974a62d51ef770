namespace MlaGen.Generator.Model;

/// <summary>The partial class to complete. All names are plain here: the @ that source text may need is a matter of writing them.</summary>
/// <param name="Namespace">Its namespace, empty for the global one.</param>
/// <param name="ContainingTypes">Declarations of the types around it, outermost first, as "partial class Outer".</param>
/// <param name="Name">Its name.</param>
/// <param name="Accessibility">Its accessibility as C# keywords.</param>
internal sealed record TargetClass(string Namespace, EquatableArray<string> ContainingTypes, string Name, string Accessibility)
{
    /// <summary>Its name as source text.</summary>
    public string Identifier => Escape(Name);

    /// <summary>Its whole name as source text that means it wherever it is written.</summary>
    public string Reference => "global::" + string.Join(".", FullName.Split('.').Select(Escape));

    /// <summary>Namespace, types around it and name, with dots between: how prose calls it.</summary>
    public string FullName => Join(Namespace, ContainingTypes, Name, '.');

    /// <summary>
    /// What no other class of the project is called, and a compilation finds it by: a plus sign stands before a nested type, and behind a generic one, which
    /// is never completed, the number of its parameters.
    /// </summary>
    public string MetadataName { get; init; } = Join(Namespace, ContainingTypes, Name, '+');

    /// <summary>
    /// A name as source text. The language keeps words of lower-case letters for itself, more of them with every version, and means them where it
    /// can (<c>required</c>, <c>file</c>, <c>extension</c>): so every such name gets an @, whether it is a keyword already or not.
    /// </summary>
    public static string Escape(string name) => name.All(static c => c is (>= 'a' and <= 'z') or '_') ? "@" + name : name;

    /// <summary>A declaration out of <see cref="ContainingTypes"/> as source text.</summary>
    public static string EscapeDeclaration(string declaration)
    {
        int name = declaration.LastIndexOf(' ') + 1;
        return declaration.Substring(0, name) + Escape(declaration.Substring(name));
    }

    private static string Join(string outer, IEnumerable<string> containingTypes, string name, char nested)
    {
        string path = string.Join(nested.ToString(), containingTypes.Select(static declaration => declaration.Substring(declaration.LastIndexOf(' ') + 1)).Append(name));
        return outer.Length == 0 ? path : outer + "." + path;
    }
}
