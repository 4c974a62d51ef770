using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Emission;

/// <summary>Writes the typed projections of a class and the set of them that one layer needs.</summary>
internal static class WeightsEmitter
{
    private const string Runtime = "global::MlaGen.Runtime.";

    public static string Emit(MlaSpec spec)
    {
        CodeWriter writer = EmittedNames.BeginFile(
            $"{spec.Target.FullName}: weights. Every projection is a type of its own, so that one cannot stand where another belongs;\n" +
            "shapes are checked when a checkpoint is loaded, and elements keep the type that they have there.");
        EmittedNames.InTarget(writer, spec.Target, null, string.Empty, () =>
        {
            IReadOnlyList<ProjectionSpec> projections = ProjectionSpec.Of(spec);
            foreach (ProjectionSpec projection in projections)
            {
                Projection(writer, projection);
                writer.Line();
            }

            WeightSet(writer, projections, spec.AllowDense);
        });
        return writer.ToString();
    }

    private static void Projection(CodeWriter writer, ProjectionSpec p)
    {
        writer.Summary($"<c>{p.Tensor}</c>: {p.What}. Shape {p.Shape} = {p.Formula}.");
        writer.Line(EmittedNames.GeneratedCode);
        if (p.IsSinks)
        {
            using (writer.Braces($"public sealed class {p.Name} : {Runtime}SinkWeight"))
            {
                Constant(writer, "Length", p.Rows, $"Elements: {p.Formula}.");
                writer.Summary($"Takes {Counted.Of(p.Rows, "logit")}, to which no scale is applied.");
                writer.Line("/// <param name=\"weights\">The logits.</param>");
                writer.Line($"public {p.Name}(global::System.ReadOnlySpan<float> weights) : base(weights, Length, \"{p.WeightTensor}\", \"{p.Formula}\") {{ }}");
                writer.Line();
                writer.Line($"internal {p.Name}(global::MlaGen.ICheckpoint checkpoint, string prefix) : base(checkpoint, prefix + \"{p.WeightTensor}\", Length, \"{p.Formula}\") {{ }}");
            }

            return;
        }

        if (p.IsVector)
        {
            using (writer.Braces($"public sealed class {p.Name} : {Runtime}NormWeight"))
            {
                Constant(writer, "Length", p.Rows, $"Elements: {p.Formula}.");
                writer.Summary($"Takes {Counted.Of(p.Rows, "weight")}.");
                writer.Line("/// <param name=\"weights\">The weights.</param>");
                writer.Line($"public {p.Name}(global::System.ReadOnlySpan<float> weights) : base(weights, Length, \"{p.Tensor}.weight\", \"{p.Formula}\") {{ }}");
                writer.Line();
                writer.Line($"internal {p.Name}(global::MlaGen.ICheckpoint checkpoint, string prefix) : base(checkpoint, prefix + \"{p.Tensor}\", Length, \"{p.Formula}\") {{ }}");
            }

            return;
        }

        string bias = p.Bias ? "true" : "false";
        string panelRows = p.PanelRows.Length == 0 ? string.Empty : ", " + p.PanelRows;
        using (writer.Braces($"public sealed class {p.Name} : {Runtime}Projection"))
        {
            Constant(writer, "Rows", p.Rows, "Outputs.");
            Constant(writer, "Columns", p.Columns, "Inputs.");
            writer.Summary($"Packs {p.Shape} weights, row-major{(p.Bias ? ", and a bias for each row" : string.Empty)}.");
            writer.Line("/// <param name=\"weights\">The weights.</param>");
            if (p.Bias)
            {
                writer.Line("/// <param name=\"bias\">The biases.</param>");
                writer.Line($"public {p.Name}(global::System.ReadOnlyMemory<float> weights, global::System.ReadOnlySpan<float> bias) : base(weights, bias, Rows, Columns, \"{p.Tensor}\", \"{p.Formula}\"{panelRows}) {{ }}");
            }
            else
            {
                writer.Line($"public {p.Name}(global::System.ReadOnlyMemory<float> weights) : base(weights, Rows, Columns, \"{p.Tensor}\", \"{p.Formula}\"{panelRows}) {{ }}");
            }

            writer.Line();
            writer.Line($"internal {p.Name}(global::MlaGen.ICheckpoint checkpoint, string prefix) : base(checkpoint, prefix + \"{p.Tensor}\", Rows, Columns, \"{p.Formula}\", bias: {bias}{panelRows}) {{ }}");
        }
    }

    private static void WeightSet(CodeWriter writer, IReadOnlyList<ProjectionSpec> projections, bool allowDense)
    {
        writer.Summary("The weights of one layer.");
        writer.Line(EmittedNames.GeneratedCode);
        using (writer.Braces("public sealed class Weights"))
        {
            writer.Summary("Takes weights that are already packed.");
            foreach (ProjectionSpec p in projections)
            {
                writer.Line($"/// <param name=\"{Parameter(p)}\"><c>{p.Tensor}</c>: {p.What}.</param>");
            }

            using (writer.Braces($"public Weights({string.Join(", ", projections.Select(p => $"{p.Name} {Parameter(p)}"))})"))
            {
                foreach (ProjectionSpec p in projections)
                {
                    writer.Line($"global::System.ArgumentNullException.ThrowIfNull({Parameter(p)});");
                }

                foreach (ProjectionSpec p in projections)
                {
                    writer.Line($"this.{p.Name} = {Parameter(p)};");
                }
            }

            foreach (ProjectionSpec p in projections)
            {
                writer.Line();
                writer.Summary($"<c>{p.Tensor}</c>: {p.What}.");
                writer.Line($"public {p.Name} {p.Name} {{ get; }}");
            }

            writer.Line();
            writer.Summary("Loads and packs the weights of one layer by their Hugging Face names.");
            writer.Line("/// <param name=\"checkpoint\">Where the tensors are.</param>");
            writer.Line("/// <param name=\"prefix\">What the names begin with, for example <c>model.layers.0.self_attn.</c>.</param>");
            writer.Line("/// <returns>The weights.</returns>");
            writer.Line("/// <exception cref=\"global::MlaGen.CheckpointException\">A tensor is missing, surplus, of another shape or of a type that weights cannot have.</exception>");
            using (writer.Braces("public static Weights Load(global::MlaGen.ICheckpoint checkpoint, string prefix)"))
            {
                writer.Line("global::System.ArgumentNullException.ThrowIfNull(checkpoint);");
                writer.Line("global::System.ArgumentNullException.ThrowIfNull(prefix);");
                string read = string.Join(", ", projections.Select(static p => $"\"{p.Tensor}\""));
                writer.Line($"{Runtime}LayerWeights.RefuseUnread(checkpoint, prefix, allowDense: {(allowDense ? "true" : "false")}, {read});");
                writer.Line($"return new Weights({string.Join(", ", projections.Select(p => $"new {p.Name}(checkpoint, prefix)"))});");
            }
        }
    }

    private static void Constant(CodeWriter writer, string name, int value, string summary)
    {
        writer.Summary(summary);
        writer.Line($"public const int {name} = {value};");
        writer.Line();
    }

    private static string Parameter(ProjectionSpec p) => char.ToLowerInvariant(p.Name[0]) + p.Name.Substring(1);
}
