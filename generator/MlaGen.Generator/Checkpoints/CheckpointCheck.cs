using System.Globalization;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Runtime;

namespace MlaGen.Generator.Checkpoints;

/// <summary>Compares a class with a checkpoint: every projection of every layer by name, shape and type, and what else stands there, by the rules that loading follows.</summary>
internal static class CheckpointCheck
{
    /// <summary>All that would be refused when the weights are loaded.</summary>
    public static IEnumerable<Problem> Problems(MlaSpec spec, CheckpointManifest checkpoint)
    {
        IReadOnlyList<AttentionModule> modules = AttentionModule.All(checkpoint.Tensors);
        return modules.Count == 0
            ? [Problem.OnClass(CheckpointRules.NoAttention, checkpoint.Source)]
            : modules.SelectMany(module => new Comparison(checkpoint.Source, module, spec).Problems());
    }

    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    private sealed class Comparison(string source, AttentionModule module, MlaSpec spec)
    {
        private readonly IReadOnlyList<ProjectionSpec> _projections = ProjectionSpec.Of(spec);

        /// <summary>What the class calls the projection of its output gates, null if it has none: under another name it is one mistake.</summary>
        private string? Gate => spec.OutputGate is OutputGate.HeadWise or OutputGate.ElementWise ? spec.OutputGateName : null;

        public IEnumerable<Problem> Problems()
        {
            // The other way to queries is one mistake, whatever it makes missing and surplus.
            string query = spec.Dimensions.QLoraRank == 0 ? ProjectionNames.QProj : ProjectionNames.QAProj;
            string other = AttentionTensors.OtherQuery(query)!;
            List<CheckpointTensors> others = module.Find(other, ProjectionNames.Weight);
            if (others.Count == 0 || module.Find(query, ProjectionNames.Weight).Count > 0)
            {
                return _projections.SelectMany(ProjectionProblems).Concat(Unread(static _ => true));
            }

            ProjectionSpec missing = _projections.First(projection => projection.Tensor == query);
            string[] rows = others[0].Shape.Trim('[', ']').Split(',');
            string advice = AttentionTensors.QueryAdvice(other, long.TryParse(rows[0], NumberStyles.None, CultureInfo.InvariantCulture, out long rank) ? rank : 0);
            string hint = $"; there is '{module.Path(other + ".weight")}', {others[0].Type} {others[0].Shape}: {advice}";
            return _projections
                .Where(static projection => !IsQuery(projection.Tensor))
                .SelectMany(ProjectionProblems)
                .Prepend(Problem.OnClass(CheckpointRules.MissingTensor, module.Path(query + ".weight"), module.Layers.ToString(), source, missing.Shape, missing.Formula, hint))
                .Concat(Unread(static projection => !IsQuery(projection)));
        }

        private static bool IsQuery(string projection) => projection.StartsWith("q_", StringComparison.Ordinal);

        /// <summary>What nothing reads and might change the arithmetic. Of a projection without weights only the weights are said to be missing.</summary>
        private IEnumerable<Problem> Unread(Func<string, bool> isJudged)
        {
            string[] own = [.. _projections.Select(static projection => projection.Tensor)];
            bool isRenamed = Gate is { } gate && module.Find(gate, ProjectionNames.Weight).Count == 0;
            foreach ((string rest, CheckpointTensors entry) in module.Tensors)
            {
                string projection = rest.LastIndexOf('.') is > 0 and int dot ? rest.Substring(0, dot) : string.Empty;
                bool isPacked = own.Contains(projection) && module.Find(projection, ProjectionNames.Weight).Count == 0;
                if (!isPacked && isJudged(projection) && !(isRenamed && ProjectionNames.Gates.Contains(projection)) && AttentionTensors.Objection(rest, own, spec.AllowDense, entry.IsScalar) is { } because)
                {
                    yield return Problem.OnClass(CheckpointRules.SurplusTensor, Shorten(entry.Name), entry.Layers.And(module.Layers).ToString(), source, because);
                }
            }
        }

        private IEnumerable<Problem> ProjectionProblems(ProjectionSpec projection)
        {
            string vector = projection.IsVector ? projection.Formula : projection.Formula.Substring(0, projection.Formula.IndexOf(',')) + "]";
            IEnumerable<Problem> problems = Compare(projection.Tensor, projection.WeightTensor, projection.Shape, projection.Formula, projection.IsVector)
                .Concat(projection.IsVector ? [] : ScaleProblems(projection));
            return problems.Concat(projection.Bias
                ? Compare(projection.Tensor, $"{projection.Tensor}.{ProjectionNames.Bias}", Text($"[{projection.Rows}]"), vector, isVector: true)
                : module.Find(projection.Tensor, ProjectionNames.Bias).Select(bias => Surplus(
                    bias, bias.Layers, projection.IsVector ? "the latent norms have no bias" : "AttentionBias is off, or this projection never has a bias")));
        }

        /// <summary>One tensor of a projection: there in every layer, of a type that can be read and of the right shape.</summary>
        private IEnumerable<Problem> Compare(string projection, string tensor, string shape, string formula, bool isVector)
        {
            List<CheckpointTensors> found = module.Find(tensor);
            LayerSet missing = module.Layers.Except(LayerSet.Of(found.Select(static entry => entry.Layers)));
            if (!missing.IsEmpty)
            {
                yield return Problem.OnClass(CheckpointRules.MissingTensor, module.Path(tensor), missing.ToString(), source, shape, formula, Hint(projection, tensor, missing));
            }

            foreach (CheckpointTensors entry in found)
            {
                string layers = entry.Layers.And(module.Layers).ToString();

                // Packed weights have another shape because of their type: one mistake.
                if (!(isVector ? LoadableTypes.IsVector(entry.Type) : LoadableTypes.IsMatrix(entry.Type)))
                {
                    yield return Problem.OnClass(CheckpointRules.WrongType, entry.Name, layers, source, entry.Type, isVector ? LoadableTypes.Vectors : LoadableTypes.Matrices);
                }
                else if (entry.Shape != shape)
                {
                    yield return Problem.OnClass(CheckpointRules.WrongShape, entry.Name, layers, source, entry.Shape, shape, formula);
                }
            }
        }

        private string Hint(string projection, string tensor, LayerSet missing)
        {
            if (tensor.EndsWith("." + ProjectionNames.Bias, StringComparison.Ordinal))
            {
                return "; AttentionBias on the class asks for it";
            }

            if (projection == Gate
                && ProjectionNames.Gates.SelectMany(gate => module.Find(gate, ProjectionNames.Weight)).FirstOrDefault(gate => !gate.Layers.And(missing).IsEmpty) is { } other)
            {
                return $"; there is '{other.Name}', {other.Type} {other.Shape}: {AttentionTensors.GateAdvice}";
            }

            CheckpointTensors? packed = module.Tensors
                .Where(candidate => candidate.Tail.StartsWith(projection + ".", StringComparison.Ordinal) && !candidate.Entry.Layers.And(missing).IsEmpty)
                .OrderBy(static candidate => candidate.Tail, StringComparer.Ordinal)
                .Select(static candidate => candidate.Entry)
                .FirstOrDefault();
            return packed is null ? string.Empty : $"; there is '{Shorten(packed.Name)}': the projection is quantized in a way that is not read";
        }

        /// <summary>Weights of type F8_E4M3 have one set of scales, others none.</summary>
        private IEnumerable<Problem> ScaleProblems(ProjectionSpec projection)
        {
            string weight = module.Path($"{projection.Tensor}.{ProjectionNames.Weight}");
            LayerSet scaled = LayerSet.Of(module.Find(projection.Tensor, ProjectionNames.Weight).Where(static entry => entry.Type == LoadableTypes.Scaled).Select(static entry => entry.Layers)).And(module.Layers);
            List<CheckpointTensors> inverse = module.Find(projection.Tensor, ProjectionNames.ScaleInverse);
            List<CheckpointTensors> plain = module.Find(projection.Tensor, ProjectionNames.Scale);
            LayerSet withInverse = LayerSet.Of(inverse.Select(static entry => entry.Layers));
            LayerSet withPlain = LayerSet.Of(plain.Select(static entry => entry.Layers));
            LayerSet without = scaled.Except(withInverse).Except(withPlain);
            if (!without.IsEmpty)
            {
                yield return Problem.OnClass(CheckpointRules.MissingScales, weight, without.ToString(), source, "no scales");
            }

            LayerSet twice = scaled.And(withInverse).And(withPlain);
            if (!twice.IsEmpty)
            {
                yield return Problem.OnClass(CheckpointRules.MissingScales, weight, twice.ToString(), source, "two sets of scales");
            }

            string blocks = Text($"[{LoadableTypes.BlocksOf(projection.Rows)}, {LoadableTypes.BlocksOf(projection.Columns)}]");
            string formula = LoadableTypes.ScaleFormula(projection.Rows, projection.Columns);
            string[] shapes = [blocks, "[]", "[1]", "[1, 1]", Text($"[{projection.Rows}]"), Text($"[{projection.Rows}, 1]")];
            LayerSet unscaled = LayerSet.Of(module.Find(projection.Tensor, ProjectionNames.Weight).Where(static entry => LoadableTypes.IsVector(entry.Type)).Select(static entry => entry.Layers)).And(module.Layers);
            foreach (CheckpointTensors entry in inverse.Concat(plain))
            {
                // Beside weights of a type that is not read, the type is what is wrong.
                LayerSet surplus = entry.Layers.And(unscaled);
                LayerSet used = entry.Layers.And(scaled);
                if (!surplus.IsEmpty)
                {
                    yield return Surplus(entry, surplus, $"only {LoadableTypes.Scaled} has scales");
                }

                if (!used.IsEmpty && !LoadableTypes.IsVector(entry.Type))
                {
                    yield return Problem.OnClass(CheckpointRules.WrongType, entry.Name, used.ToString(), source, entry.Type, LoadableTypes.Vectors);
                }
                else if (!used.IsEmpty && !shapes.Contains(entry.Shape))
                {
                    yield return Problem.OnClass(CheckpointRules.WrongShape, entry.Name, used.ToString(), source, entry.Shape, blocks, formula);
                }
            }
        }

        private Problem Surplus(CheckpointTensors entry, LayerSet layers, string because)
            => Problem.OnClass(CheckpointRules.SurplusTensor, entry.Name, layers.And(module.Layers).ToString(), source, because);

        // A name that is not the class's own may be of any length.
        private static string Shorten(string name) => Unprintable.Escape(name, 200);
    }
}
