using System.Globalization;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Checkpoints;

/// <summary>Compares a class with a checkpoint: every projection of every layer by name, shape and type, by the rules that loading follows.</summary>
internal static class CheckpointCheck
{
    private const string BlockScaled = "F8_E4M3";
    private const string MatrixTypes = "BF16, F16, F32 or block-scaled F8_E4M3";
    private const string VectorTypes = "BF16, F16 or F32";

    /// <summary>Rows and columns that share one scale.</summary>
    private const int BlockSize = 128;

    private static readonly string[] _floatTypes = ["BF16", "F16", "F32"];

    /// <summary>All that would be refused when the weights are loaded.</summary>
    public static IEnumerable<Problem> Problems(MlaSpec spec, CheckpointManifest checkpoint)
    {
        List<IGrouping<string, CheckpointTensors>> modules =
        [
            .. checkpoint.Tensors
                .GroupBy(static tensor => tensor.Module)
                .Where(static module => module.Any(static tensor => ProjectionNames.Distinctive.Contains(tensor.Projection))),
        ];
        return modules.Count == 0
            ? [Problem.OnClass(CheckpointRules.NoAttention, checkpoint.Source)]
            : modules.SelectMany(module => new Module(checkpoint.Source, module.Key, [.. module]).Problems(spec));
    }

    private static int BlocksOf(int elements) => (elements + BlockSize - 1) / BlockSize;

    /// <summary>The attention modules that have one name but for the layer.</summary>
    private sealed class Module(string source, string name, IReadOnlyList<CheckpointTensors> tensors)
    {
        // A layer of another kind may have an o_proj of its own.
        private readonly LayerSet _layers = LayerSet.Of(tensors.Where(static tensor => ProjectionNames.Distinctive.Contains(tensor.Projection)).Select(static tensor => tensor.Layers));

        public IEnumerable<Problem> Problems(MlaSpec spec) => ProjectionSpec.Of(spec).SelectMany(ProjectionProblems);

        private IEnumerable<Problem> ProjectionProblems(ProjectionSpec projection)
        {
            string vector = projection.IsVector ? projection.Formula : projection.Formula.Substring(0, projection.Formula.IndexOf(',')) + "]";
            string length = string.Format(CultureInfo.InvariantCulture, "[{0}]", projection.Rows);
            IEnumerable<Problem> problems = Compare(projection.Tensor, ProjectionNames.Weight, projection.Shape, projection.Formula, projection.IsVector ? VectorTypes : MatrixTypes)
                .Concat(projection.IsVector ? [] : ScaleProblems(projection));
            if (projection.Bias)
            {
                return problems.Concat(Compare(projection.Tensor, ProjectionNames.Bias, length, vector, VectorTypes));
            }

            return projection.IsVector
                ? problems
                : problems.Concat(Find(projection.Tensor, ProjectionNames.Bias)
                    .Select(bias => Problem.OnClass(CheckpointRules.SurplusTensor, Path(bias), bias.Layers.And(_layers).ToString(), source, "AttentionBias is off, or this projection never has a bias")));
        }

        /// <summary>One tensor of a projection: there in every layer, of the right shape and of a type that can be read.</summary>
        private IEnumerable<Problem> Compare(string projection, string tensor, string shape, string formula, string types)
        {
            List<CheckpointTensors> found = Find(projection, tensor);
            LayerSet missing = _layers.Except(LayerSet.Of(found.Select(static entry => entry.Layers)));
            if (!missing.IsEmpty)
            {
                yield return Problem.OnClass(CheckpointRules.MissingTensor, Path(projection, tensor), missing.ToString(), source, shape, formula);
            }

            foreach (CheckpointTensors entry in found)
            {
                string layers = entry.Layers.And(_layers).ToString();
                if (entry.Shape != shape)
                {
                    yield return Problem.OnClass(CheckpointRules.WrongShape, Path(entry), layers, source, entry.Shape, shape, formula);
                }

                if (!_floatTypes.Contains(entry.Type) && !(types == MatrixTypes && entry.Type == BlockScaled))
                {
                    yield return Problem.OnClass(CheckpointRules.WrongType, Path(entry), layers, source, entry.Type, types);
                }
            }
        }

        /// <summary>Block-scaled weights have one set of scales, others none.</summary>
        private IEnumerable<Problem> ScaleProblems(ProjectionSpec projection)
        {
            List<CheckpointTensors> weights = Find(projection.Tensor, ProjectionNames.Weight);
            LayerSet scaled = LayerSet.Of(weights.Where(static entry => entry.Type == BlockScaled).Select(static entry => entry.Layers)).And(_layers);
            List<CheckpointTensors> inverse = Find(projection.Tensor, ProjectionNames.ScaleInverse);
            List<CheckpointTensors> plain = Find(projection.Tensor, ProjectionNames.Scale);
            LayerSet withInverse = LayerSet.Of(inverse.Select(static entry => entry.Layers));
            LayerSet withPlain = LayerSet.Of(plain.Select(static entry => entry.Layers));
            LayerSet without = scaled.Except(withInverse).Except(withPlain);
            if (!without.IsEmpty)
            {
                yield return Problem.OnClass(CheckpointRules.MissingScales, Path(projection.Tensor, ProjectionNames.Weight), without.ToString(), source, "no scales");
            }

            LayerSet twice = scaled.And(withInverse).And(withPlain);
            if (!twice.IsEmpty)
            {
                yield return Problem.OnClass(CheckpointRules.MissingScales, Path(projection.Tensor, ProjectionNames.Weight), twice.ToString(), source, "two sets of scales");
            }

            string shape = string.Format(CultureInfo.InvariantCulture, "[{0}, {1}]", BlocksOf(projection.Rows), BlocksOf(projection.Columns));
            string formula = string.Format(CultureInfo.InvariantCulture, "[⌈{0}/{2}⌉, ⌈{1}/{2}⌉]", projection.Rows, projection.Columns, BlockSize);
            foreach (CheckpointTensors entry in inverse.Concat(plain))
            {
                LayerSet surplus = entry.Layers.And(_layers).Except(scaled);
                LayerSet used = entry.Layers.And(scaled);
                if (!surplus.IsEmpty)
                {
                    yield return Problem.OnClass(CheckpointRules.SurplusTensor, Path(entry), surplus.ToString(), source, "only F8_E4M3 has scales");
                }

                if (!used.IsEmpty && entry.Shape != shape)
                {
                    yield return Problem.OnClass(CheckpointRules.WrongShape, Path(entry), used.ToString(), source, entry.Shape, shape, formula);
                }

                if (!used.IsEmpty && !_floatTypes.Contains(entry.Type))
                {
                    yield return Problem.OnClass(CheckpointRules.WrongType, Path(entry), used.ToString(), source, entry.Type, VectorTypes);
                }
            }
        }

        private List<CheckpointTensors> Find(string projection, string tensor)
            => [.. tensors.Where(entry => entry.Projection == projection && entry.Tensor == tensor && !entry.Layers.And(_layers).IsEmpty)];

        private string Path(CheckpointTensors entry) => Path(entry.Projection, entry.Tensor);

        private string Path(string projection, string tensor) => name.Length == 0 ? $"{projection}.{tensor}" : $"{name}.{projection}.{tensor}";
    }
}
