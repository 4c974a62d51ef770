using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.Extensions.AI;
using MlaGen.Generator.Tests.Infrastructure;
using MlaGen.Models;

namespace MlaGen.Generator.Tests;

/// <summary>What the README tells a newcomer to type is there, and its numbers are the shape's.</summary>
public partial class ReadmeTests
{
    private static readonly string _readme = File.ReadAllText(Path.Combine(TestProject.Repository, "README.md"));

    [Fact]
    public void What_is_saved_counts_keys_and_values_of_all_heads_and_is_said_once()
    {
        // DeepSeek-V3: heads, key without and with its rotary part, value, latent.
        const int Heads = 128, Nope = 128, Rope = 64, Value = 128, Latent = 512;
        const int Full = Heads * (Nope + Rope + Value);
        const int Row = Latent + Rope;
        const double Operations = 2.0 * Heads * ((2 * Latent) + Rope) / (2 * Heads * (Nope + Rope + Value));
        string words = WhiteSpace().Replace(_readme, " ");

        Assert.Contains($"128 keys of {Nope + Rope} numbers and 128 values of {Value}, together {Full.ToString("#,0", CultureInfo.InvariantCulture)}", words, StringComparison.Ordinal);
        Assert.Contains(FormattableString.Invariant($"{Row}, which is {(double)Full / Row:0} times less to store and to read, for about {Operations:0.0} times the arithmetic"), words, StringComparison.Ordinal);
        Assert.Single(TimesLess().Matches(words));
    }

    [Fact]
    public void Projects_that_commands_name_are_there()
    {
        string[] named = [.. Commands().SelectMany(static command => ProjectPath().Matches(command)).Select(static match => match.Groups[1].Value).Distinct()];

        Assert.Equal(["samples/Storyteller", "samples/Explorer", "samples/Chat", "samples/Cluster", "MlaGen.sln", "src/MlaGen", "templates"], named);
        Assert.All(named, static path => Assert.True(Path.Exists(Path.Combine(TestProject.Repository, path)), path));
    }

    [Fact]
    public void Package_and_template_have_the_names_and_the_version_that_commands_say()
    {
        string version = XElement.Load(Path.Combine(TestProject.Repository, "Directory.Build.props")).Descendants("Version").Single().Value;
        string template = File.ReadAllText(Path.Combine(TestProject.Repository, "templates", "mlagen-console", ".template.config", "template.json"));

        Assert.Contains("dotnet add package MlaGen", Commands());
        Assert.Contains($"dotnet new install packages/MlaGen.Templates.{version}.nupkg", Commands());
        Assert.Contains("dotnet new mlagen-console -o First", Commands());
        Assert.Contains("\"shortName\": \"mlagen-console\"", template, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("MlaModelConfig", "Include")]
    [InlineData("MlaCheckpoint", "Include", "Class")]
    public void Items_are_shown_with_what_the_build_reads_of_them(string item, params string[] attributes)
    {
        XElement shown = XElement.Parse(Regex.Match(_readme, $"<{item} [^>]*/>").Value);

        Assert.Equal(attributes, shown.Attributes().Select(static attribute => attribute.Name.LocalName));
        Assert.Contains($"@({item}", File.ReadAllText(Path.Combine(TestProject.Repository, "src", "MlaGen", "build", "MlaGen.targets")), StringComparison.Ordinal);
    }

    [Fact]
    public void Five_lines_to_chat_with_a_checkpoint_compile()
    {
        string code = Regex.Match(_readme, "(?<=## Chat with a checkpoint you have\\n.*?```csharp\\n).*?(?=```)", RegexOptions.Singleline).Value;
        CSharpCompilation compilation = CSharpCompilation.Create(
            "User",
            [CSharpSyntaxTree.ParseText("using System;\n" + code, Compilations.ParseOptions)],
            [
                .. Compilations.References,
                MetadataReference.CreateFromFile(typeof(LanguageModel).Assembly.Location),
                MetadataReference.CreateFromFile(typeof(IChatClient).Assembly.Location),
            ],
            Compilations.Options.WithOutputKind(OutputKind.ConsoleApplication));
        Compilations.Driver().RunGeneratorsAndUpdateCompilation(compilation, out Compilation generated, out _);

        Assert.Equal(5, code.Split('\n').SkipWhile(static line => line.Length > 0).Skip(1).TakeWhile(static line => line.Length > 0).Count());
        Assert.Empty(generated.GetDiagnostics().Where(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));
    }

    private static string[] Commands() => [.. _readme.Split('\n').Where(static line => line.StartsWith("    dotnet ", StringComparison.Ordinal)).Select(static line => line.Trim())];

    [GeneratedRegex("(?:--project |test |pack )(?:mlagen/)?((?:samples|src|templates)[/A-Za-z]*|MlaGen.sln)")]
    private static partial Regex ProjectPath();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();

    [GeneratedRegex("[0-9]+ times (less|fewer)")]
    private static partial Regex TimesLess();
}
