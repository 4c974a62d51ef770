using Explorer.Output;
using MlaGen;
using MlaGen.Models;

namespace Explorer.Commands;

/// <summary>The memory that models take, from their configurations alone.</summary>
internal static class SizesCommand
{
    /// <summary>Published configurations that come with the program.</summary>
    private static string Published => Path.Combine(AppContext.BaseDirectory, "Published");

    /// <summary>The table, in Markdown.</summary>
    /// <param name="directories">Directories with a <c>config.json</c>; none for the published ones.</param>
    /// <param name="output">Takes it.</param>
    public static void Run(IReadOnlyList<string> directories, TextWriter output)
    {
        output.WriteLine("| model | `model_type` | weights, billions | bf16 | int8 | int4 |");
        output.WriteLine("|---|---|---|---|---|---|");
        foreach (string directory in directories.Count > 0 ? directories : [.. Directory.GetDirectories(Published).Order(StringComparer.Ordinal)])
        {
            ModelConfig config = ModelConfig.Read(directory);
            ModelSize size = config.Size;
            output.WriteLine(FormattableString.Invariant(
                $"| {Path.GetFileName(Path.TrimEndingDirectorySeparator(directory))} | `{config.ModelType}` | {(size.Attention + size.Others) / 1e9:0.0} | {Gigabytes(WeightFormat.Stored)} | {Gigabytes(WeightFormat.Int8Group64)} | {Gigabytes(WeightFormat.Int4Group64)} |"));

            string Gigabytes(WeightFormat format) => FormattableString.Invariant($"{size.Bytes(format) / 1e9:0.0} GB");
        }
    }
}
