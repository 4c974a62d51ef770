using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Runtime;

namespace MlaGen.Generator.Emission;

/// <summary>Writes everything that completes one annotated class.</summary>
internal static class ClassEmitter
{
    private const string Mla = "global::MlaGen.";
    private const string Runtime = Mla + "Runtime.";

    /// <param name="plan">The class.</param>
    /// <param name="prefix">What the names of its files begin with.</param>
    public static IEnumerable<EmittedFile> Emit(LayerPlan plan, string prefix)
    {
        yield return new EmittedFile($"{prefix}.g.cs", Layer(plan));
        yield return new EmittedFile($"{prefix}.Weights.g.cs", WeightsEmitter.Emit(plan.Spec));
    }

    private static string Layer(LayerPlan plan)
    {
        MlaSpec spec = plan.Spec;
        Dimensions d = spec.Dimensions;
        string type = spec.Target.Reference;
        string gate = Gate(spec);
        long fullCache = (long)d.Heads * (d.QkHeadDim + d.VHeadDim);
        CodeWriter writer = EmittedNames.BeginFile(
            $"{spec.Target.FullName}: one layer of Multi-head Latent Attention, {Counted.Of(d.Heads, "head")} on a hidden state of {d.HiddenSize}.\n" +
            $"The cache keeps {d.CacheRowElements} numbers of a token in place of the {CodeWriter.Count(fullCache)} of the keys and values of {Counted.Of(d.Heads, "head")}: a latent of {d.KvLoraRank}, which is key and value of all heads, and a rotary key of {d.QkRopeHeadDim}." +
            (gate.Length == 0 ? string.Empty : $"\n{gate}") +
            string.Concat(spec.Provenance.Select(value => $"\n{value.Property}: {value.Source}.")));
        EmittedNames.KernelsMayBeSeenTwice(writer);
        string documentation =
            $"/// <remarks>\n" +
            $"/// Multi-head Latent Attention: {Counted.Of(d.Heads, "head")}, query rank {(d.QLoraRank == 0 ? "none" : $"{d.QLoraRank}")}, latent {d.KvLoraRank}, head keys {d.QkNopeHeadDim} + {d.QkRopeHeadDim} rotary, head values {d.VHeadDim}.\n" +
            (gate.Length == 0 ? string.Empty : $"/// {gate}\n") +
            $"/// The cache keeps {d.CacheRowElements} numbers of a token and layer{(spec.CacheFormat == CacheFormat.Float32 ? string.Empty : $", as <see cref=\"{Mla}CacheFormat.{spec.CacheFormat}\"/> unless it is made with another format")}. Decoding costs {CodeWriter.Count(2L * d.Heads * (d.CacheRowElements + d.KvLoraRank))} operations a cached token.\n" +
            $"/// A layer is immutable and may be used by many threads, each with a batch of its own.\n" +
            $"/// </remarks>\n" +
            EmittedNames.GeneratedCode;
        EmittedNames.InTarget(writer, spec.Target, $"{Mla}IMlaAttention<{type}>", documentation, () =>
        {
            Constants(writer, plan);
            Definition(writer, plan);
            Members(writer, plan, type);
        });
        return writer.ToString();
    }

    private static void Constants(CodeWriter writer, LayerPlan plan)
    {
        Dimensions d = plan.Spec.Dimensions;
        Constant("HiddenSize", d.HiddenSize, "Width of the residual stream (<c>hidden_size</c>).");
        Constant("Heads", d.Heads, "Attention heads (<c>num_attention_heads</c>).");
        Constant("QLoraRank", d.QLoraRank, "Rank of the query's low-rank projection (<c>q_lora_rank</c>), 0 for a single <c>q_proj</c>.");
        Constant("KvLoraRank", d.KvLoraRank, "Width of the latent (<c>kv_lora_rank</c>).");
        Constant("QkNopeHeadDim", d.QkNopeHeadDim, "Width of a head's key without its rotary part (<c>qk_nope_head_dim</c>).");
        Constant("QkRopeHeadDim", d.QkRopeHeadDim, "Width of the rotary key that all heads share (<c>qk_rope_head_dim</c>).");
        Constant("VHeadDim", d.VHeadDim, "Width of a head's value (<c>v_head_dim</c>).");
        Constant("MaxPositionEmbeddings", d.MaxPositionEmbeddings, "Positions run below this (<c>max_position_embeddings</c>).");
        Constant("CacheRowElements", d.CacheRowElements, "Numbers the cache keeps of a token" + (plan.Spec.Indexer is null ? string.Empty : " beside its index key") + ": KvLoraRank + QkRopeHeadDim.");
        if (plan.Spec.Indexer is { } indexer)
        {
            Constant("IndexTopK", indexer.TopK, "Keys that a query attends to at most (<c>index_topk</c>).");
            Constant("IndexHeads", indexer.Heads, "Heads of the sparse indexer (<c>index_n_heads</c>).");
            Constant("IndexHeadDim", indexer.HeadDim, "Width of the index key that the cache keeps of a token (<c>index_head_dim</c>).");
            if (indexer.PoolTokens > 0)
            {
                Constant("IndexPoolTokens", indexer.PoolTokens, "Neighbouring tokens whose index keys are pooled (<c>index_kpool</c>).");
            }

            if (indexer.IsShared)
            {
                writer.Summary("For each layer of the model F if it has an indexer, S if it attends to what the nearest such layer before it has selected.");
                writer.Line($"public const string IndexPattern = \"{indexer.Pattern}\";");
                writer.Line();
            }
        }

        writer.Summary($"Factor on the scores: {Words(plan.Rope.SoftmaxScaleDerivation)}.");
        writer.Line($"public const double SoftmaxScale = {CodeWriter.Literal(plan.Rope.SoftmaxScale)};");
        writer.Line();

        void Constant(string name, int value, string summary)
        {
            writer.Summary(summary);
            writer.Line($"public const int {name} = {value};");
            writer.Line();
        }
    }

    private static void Definition(CodeWriter writer, LayerPlan plan)
    {
        MlaSpec spec = plan.Spec;
        Dimensions d = spec.Dimensions;
        RopeConstants rope = plan.Rope;
        string qScale = spec.ScaleQLora ? CodeWriter.Literal((float)Math.Sqrt((double)d.HiddenSize / d.QLoraRank)) : "1f";
        string kvScale = spec.ScaleKvLora ? CodeWriter.Literal((float)Math.Sqrt((double)d.HiddenSize / d.KvLoraRank)) : "1f";
        writer.Line($"private static readonly {Runtime}MlaDefinition s_definition = new()");
        writer.Line("{");
        writer.Line($"    Contract = {MlaContract.Number},");
        writer.Line($"    Shape = new {Mla}MlaShape(HiddenSize, Heads, QLoraRank, KvLoraRank, QkNopeHeadDim, QkRopeHeadDim, VHeadDim, MaxPositionEmbeddings),");
        writer.Line($"    Kernels = global::{EmittedNames.KernelNamespace(plan.Kernels)}.Kernels.Instance,");
        writer.Line($"    CacheFormat = {Mla}CacheFormat.{spec.CacheFormat},");
        if (spec.Precision != MlaPrecision.Highest)
        {
            writer.Line($"    Precision = {Mla}MlaPrecision.{spec.Precision},");
        }

        writer.Line($"    SoftmaxScale = (float)SoftmaxScale,");
        writer.Line($"    LatentNormEpsilon = {CodeWriter.Literal(spec.LatentNormEpsilon)},");
        writer.Line($"    QLatentScale = {qScale},{(spec.ScaleQLora ? $" // sqrt(HiddenSize / QLoraRank) = sqrt({d.HiddenSize} / {d.QLoraRank})" : string.Empty)}");
        writer.Line($"    KvLatentScale = {kvScale},{(spec.ScaleKvLora ? $" // sqrt(HiddenSize / KvLoraRank) = sqrt({d.HiddenSize} / {d.KvLoraRank})" : string.Empty)}");
        writer.Line($"    RopeLayout = {Mla}RopeLayout.{(rope.InverseFrequencies.Count == 0 ? RopeLayout.None : spec.Rope.Layout)},");
        writer.Line();
        writer.Line($"    // {rope.FrequencyDerivation}; every operation in float32, as transformers does it.");
        writer.Line("    InverseFrequencies =");
        writer.Line("    [");
        for (int i = 0; i < rope.InverseFrequencies.Count; i += 8)
        {
            writer.Line("        " + string.Join(" ", rope.InverseFrequencies.Skip(i).Take(8).Select(value => CodeWriter.Literal(value) + ",")));
        }

        writer.Line("    ],");
        writer.Line();
        writer.Line($"    // {rope.AttentionFactorDerivation}");
        writer.Line($"    RopeAttentionFactor = {CodeWriter.Literal(rope.AttentionFactor)},");
        if (spec.Llama4ScalingBeta != 0)
        {
            writer.Line($"    Llama4ScalingBeta = {CodeWriter.Literal(spec.Llama4ScalingBeta)},");
            writer.Line($"    OriginalMaxPositionEmbeddings = {spec.Rope.OriginalMaxPositionEmbeddings},");
        }

        if (spec.AttentionBias)
        {
            writer.Line("    HasBias = true,");
        }

        if (spec.OutputGate != OutputGate.None)
        {
            writer.Line($"    OutputGate = {Mla}OutputGate.{spec.OutputGate},");
        }

        if (spec.AttentionSinks)
        {
            writer.Line("    HasSinks = true,");
        }

        if (spec.Indexer is { } indexer)
        {
            bool isRotated = rope.InverseFrequencies.Count > 0;
            writer.Line($"    Indexer = new {Runtime}IndexerDefinition");
            writer.Line("    {");
            writer.Line("        TopK = IndexTopK,");
            writer.Line("        Heads = IndexHeads,");
            writer.Line("        HeadDim = IndexHeadDim,");
            writer.Line($"        RopeLayout = {Mla}RopeLayout.{(isRotated ? indexer.RopeLayout : RopeLayout.None)},");
            writer.Line($"        RotatesLast = {(indexer.RopeLast ? "true" : "false")},");
            writer.Line($"        NormEpsilon = {CodeWriter.Literal(indexer.NormEpsilon)},");
            if (indexer.PoolTokens > 0)
            {
                writer.Line("        PoolTokens = IndexPoolTokens,");
            }

            if (indexer.IsShared)
            {
                writer.Line("        Pattern = IndexPattern,");
            }

            writer.Line("    },");
        }

        writer.Line();
        writer.Line(plan.BreakEvenQueries == 0
            ? "    // Decompressing never pays: the absorbed form does no more operations a cached token."
            : "    // New tokens from which on a long context is cheaper decompressed: R(n+v) / ((2R+r) - (n+r+v)), R latent, n + r key, v value.");
        writer.Line($"    BreakEvenQueries = {plan.BreakEvenQueries},");
        writer.Line("};");
        writer.Line();
    }

    private static void Members(CodeWriter writer, LayerPlan plan, string type)
    {
        Dimensions d = plan.Spec.Dimensions;
        bool lora = d.QLoraRank > 0;
        string batch = $"{Mla}MlaBatch<{type}>";
        string input = "global::System.ReadOnlySpan<float>";
        string output = "global::System.Span<float>";
        writer.Line($"private readonly {Runtime}MlaLayer<{type}> _layer;");
        writer.Line();
        writer.Summary("Makes a layer from its weights.");
        writer.Line("/// <param name=\"weights\">The layer's weights.</param>");
        writer.Line("/// <param name=\"layer\">Which layer of the cache it writes and reads, counted from 0.</param>");
        writer.Line($"/// <exception cref=\"global::System.ArgumentOutOfRangeException\"><paramref name=\"layer\"/> is negative.</exception>");
        using (writer.Braces($"public {plan.Spec.Target.Identifier}(Weights weights, int layer)"))
        {
            writer.Line("global::System.ArgumentNullException.ThrowIfNull(weights);");
            writer.Line($"_layer = new {Runtime}MlaLayer<{type}>(layer, new {Runtime}LayerWeights");
            writer.Line("{");
            if (lora)
            {
                writer.Line("    QAProj = weights.QAProj,");
                writer.Line("    QALayernorm = weights.QALayernorm,");
                writer.Line("    QProj = weights.QBProj,");
            }
            else
            {
                writer.Line("    QProj = weights.QProj,");
            }

            writer.Line("    KvAProjWithMqa = weights.KvAProjWithMqa,");
            writer.Line("    KvALayernorm = weights.KvALayernorm,");
            writer.Line("    KvBProj = weights.KvBProj,");
            foreach (string optional in ProjectionSpec.Of(plan.Spec).Select(static projection => projection.Name).Where(static name => name is "Sinks" or "GateProj"))
            {
                writer.Line($"    {optional} = weights.{optional},");
            }

            writer.Line("    OProj = weights.OProj,");
            if (plan.Spec.Indexer is not null)
            {
                writer.Line($"    Indexer = {Runtime}IndexerWeights.Of(weights.IndexerWqB, weights.IndexerWk, weights.IndexerKNorm, weights.IndexerWeightsProj{(plan.Spec.Indexer.PoolTokens == 0 ? string.Empty : ", weights.IndexerPoolEmbedding, weights.IndexerPoolGate")}),");
            }

            writer.Line("});");
        }

        writer.Line();
        writer.Summary("The layer's dimensions.");
        writer.Line($"public static {Mla}MlaShape Shape => s_definition.Shape;");
        writer.Line();
        writer.Line($"static {Runtime}MlaDefinition {Mla}IMlaAttention<{type}>.Definition => s_definition;");
        writer.Line();
        writer.Summary("Which layer of the cache this one writes and reads.");
        writer.Line("public int Layer => _layer.Layer;");
        writer.Line();
        writer.Summary("Loads a layer by its Hugging Face names.");
        writer.Line("/// <param name=\"checkpoint\">Where the tensors are.</param>");
        writer.Line("/// <param name=\"prefix\">What the names begin with, for example <c>model.layers.0.self_attn.</c>.</param>");
        writer.Line("/// <param name=\"layer\">Which layer of the cache it writes and reads, counted from 0.</param>");
        writer.Line("/// <returns>The layer.</returns>");
        writer.Line($"/// <exception cref=\"{Mla}CheckpointException\">A tensor is missing, surplus, of another shape or of a type that weights cannot have.</exception>");
        writer.Line($"public static {type} Load({Mla}ICheckpoint checkpoint, string prefix, int layer) => new(Weights.Load(checkpoint, prefix), layer);");
        writer.Line();
        writer.Summary("Bytes that a cache takes once it is full, whole pages of the default size. Nothing is allocated.");
        writer.Line("/// <param name=\"layers\">Layers of the model.</param>");
        writer.Line("/// <param name=\"tokens\">Tokens of all sequences together.</param>");
        writer.Line("/// <param name=\"format\">Format of the cache.</param>");
        writer.Line("/// <returns>The bytes.</returns>");
        writer.Line($"public static long CacheBytes(int layers, long tokens, {Mla}CacheFormat format = {Mla}CacheFormat.{plan.Spec.CacheFormat}) => {Mla}CacheLayout.Of<{type}>(format).Bytes(layers, tokens);");
        writer.Line();
        writer.Summary("Makes a cache for layers of this class.");
        writer.Line("/// <param name=\"layers\">Layers of the model.</param>");
        writer.Line("/// <param name=\"maxTokens\">Tokens that all sequences together may hold.</param>");
        writer.Line("/// <param name=\"options\">Format, page size and memory; null for the defaults.</param>");
        writer.Line("/// <returns>An empty cache.</returns>");
        writer.Line($"public static {Mla}LatentCache<{type}> CreateCache(int layers, long maxTokens, {Mla}LatentCacheOptions? options = null) => new(layers, maxTokens, options);");
        writer.Line();
        writer.Summary(
            "Compiles everything that steps of this class run, in about a tenth of a second, so that the first one is as fast as those that follow.\n" +
            "Otherwise it is compiled as it is first called. Needs no weights, and so can run beside their loading.");
        writer.Line("/// <remarks>Thread-safe. Once a process is enough: later calls compile nothing.</remarks>");
        writer.Line($"public static void Warmup() => {Runtime}MlaLayer.Warmup<{type}>();");
        writer.Line();
        writer.Summary("Which attention cores the class has for a cache, which of them run on this machine, and why the better ones do not.");
        writer.Line("/// <param name=\"format\">Format of the cache; null for the class's own.</param>");
        writer.Line("/// <returns>The cores of both forms, the best first.</returns>");
        writer.Line($"public static {Mla}MlaCores Cores({Mla}CacheFormat? format = null) => {Mla}MlaCores.Of<{type}>(format);");
        writer.Line();
        writer.Summary(
            "Runs the layer: projects the hidden states, appends the batch's new tokens to the cache and attends to every token up to and\n" +
            "including each row's own.");
        writer.Line("/// <param name=\"batch\">The step: which sequences, how many new tokens of each.</param>");
        writer.Line($"/// <param name=\"hidden\">Hidden states <c>[batch.Rows, {d.HiddenSize}]</c>.</param>");
        writer.Line($"/// <param name=\"output\">Takes the layer's output <c>[batch.Rows, {d.HiddenSize}]</c>; it may be <paramref name=\"hidden\"/> itself.</param>");
        writer.Line("/// <exception cref=\"global::System.ArgumentException\">A span has another length; nothing was changed.</exception>");
        writer.Line("/// <exception cref=\"global::System.InvalidOperationException\">The batch is empty, or has rows that append no token.</exception>");
        writer.Line("/// <exception cref=\"global::System.OverflowException\">The cache's format cannot hold a value; the step can only be rolled back.</exception>");
        writer.Line("/// <exception cref=\"global::System.OperationCanceledException\">The batch's token was cancelled; the step can only be rolled back.</exception>");
        writer.Line($"public void Forward({batch} batch, {input} hidden, {output} output) => _layer.Forward(batch, hidden, output);");
        writer.Line();
        string parts = (plan.Spec.AttentionSinks, plan.Spec.OutputGate) switch
        {
            (true, OutputGate.None) => "\nSinks are no part of it: they are added once, after the last merge, by a factor of sigmoid(logSumExp - sink) on a head's output.",
            (false, OutputGate.None) => string.Empty,
            (false, _) => "\nThe output gate is no part of it: it multiplies values, after the projection from latents.",
            _ => "\nSinks and output gate are no part of it: sinks are added once, after the last merge, by a factor of sigmoid(logSumExp - sink) on a head's output; the gate multiplies values, after the projection from latents.",
        };
        writer.Summary("The attention core alone, for engines that own their projections: absorbed queries against cached rows." + parts);
        writer.Line("/// <param name=\"batch\">The step.</param>");
        writer.Line("/// <param name=\"layer\">Layer of the cache.</param>");
        writer.Line($"/// <param name=\"queries\">Absorbed, rotated, unscaled queries <c>[batch.Rows, {d.Heads}, {d.CacheRowElements}]</c>; the softmax scale is applied inside.</param>");
        writer.Line($"/// <param name=\"output\">Takes weighted sums of latents <c>[batch.Rows, {d.Heads}, {d.KvLoraRank}]</c>; zeros for a row without keys.</param>");
        writer.Line($"/// <param name=\"logSumExp\">Takes the natural logarithm of each softmax's denominator <c>[batch.Rows, {d.Heads}]</c>; negative infinity for a row without keys.</param>");
        writer.Line("/// <exception cref=\"global::System.ArgumentException\">A span has another length; nothing was changed.</exception>");
        writer.Line("/// <exception cref=\"global::System.InvalidOperationException\">The batch is empty, or a layer has not written the rows of its new tokens.</exception>");
        writer.Line("/// <exception cref=\"global::System.OperationCanceledException\">The batch's token was cancelled.</exception>");
        writer.Line($"public static void AttendLatent({batch} batch, int layer, {input} queries, {output} output, {output} logSumExp) => {Runtime}MlaLayer.AttendLatent(batch, layer, queries, output, logSumExp);");
        writer.Line();
        writer.Summary("The attention core alone on selected tokens: the softmax is over them, and no others are read.");
        writer.Line("/// <param name=\"batch\">The step.</param>");
        writer.Line("/// <param name=\"layer\">Layer of the cache.</param>");
        writer.Line($"/// <param name=\"queries\">Absorbed, rotated, unscaled queries <c>[batch.Rows, {d.Heads}, {d.CacheRowElements}]</c>; the softmax scale is applied inside.</param>");
        writer.Line("/// <param name=\"selected\">Which tokens each row attends to <c>[batch.Rows, most]</c>: indices in its sequence, in ascending order, and -1 behind the last one.</param>");
        writer.Line($"/// <param name=\"output\">Takes weighted sums of latents <c>[batch.Rows, {d.Heads}, {d.KvLoraRank}]</c>; zeros for a row that selects nothing.</param>");
        writer.Line($"/// <param name=\"logSumExp\">Takes the natural logarithm of each softmax's denominator <c>[batch.Rows, {d.Heads}]</c>; negative infinity for a row that selects nothing.</param>");
        writer.Line("/// <exception cref=\"global::System.ArgumentException\">A span has another length, or a row selects what it does not see, or out of order; nothing was changed.</exception>");
        writer.Line("/// <exception cref=\"global::System.InvalidOperationException\">The batch is empty, or a layer has not written the rows of its new tokens.</exception>");
        writer.Line("/// <exception cref=\"global::System.OperationCanceledException\">The batch's token was cancelled.</exception>");
        writer.Line($"public static void AttendLatent({batch} batch, int layer, {input} queries, global::System.ReadOnlySpan<int> selected, {output} output, {output} logSumExp) => {Runtime}MlaLayer.AttendLatent(batch, layer, queries, selected, output, logSumExp);");
        writer.Line();
        if (plan.Spec.Indexer is { PoolTokens: 0 } indexer)
        {
            writer.Summary("The scores of the sparse indexer alone, for engines that own their projections.");
            writer.Line("/// <param name=\"batch\">The step.</param>");
            writer.Line("/// <param name=\"layer\">Layer of the cache.</param>");
            writer.Line($"/// <param name=\"indexQueries\">Rotated index queries <c>[batch.Rows, {indexer.Heads}, {indexer.HeadDim}]</c>.</param>");
            writer.Line($"/// <param name=\"indexWeights\">Weights of the index heads <c>[batch.Rows, {indexer.Heads}]</c>; the factors on scores and weights are applied inside.</param>");
            writer.Line("/// <param name=\"scores\">Takes scores of the tokens of each row's sequence <c>[batch.Rows, tokens]</c>; negative infinity for those that the row does not see.</param>");
            writer.Line("/// <exception cref=\"global::System.ArgumentException\">A span has another length; nothing was changed.</exception>");
            writer.Line("/// <exception cref=\"global::System.InvalidOperationException\">The batch is empty, or a layer has not written the rows of its new tokens.</exception>");
            writer.Line("/// <exception cref=\"global::System.OperationCanceledException\">The batch's token was cancelled.</exception>");
            writer.Line($"public static void IndexScores({batch} batch, int layer, {input} indexQueries, {input} indexWeights, {output} scores) => {Runtime}MlaLayer.IndexScores(batch, layer, indexQueries, indexWeights, scores);");
            writer.Line();
        }

        (string indexed, int indexElements) = plan.Spec.Indexer switch
        {
            null => (string.Empty, 0),
            { PoolTokens: 0 } keys => (", then index key", keys.HeadDim),
            var pools => (", then index key and the logits by which its pool weighs it,", 2 * pools.HeadDim),
        };
        writer.Summary("Writes the rows of the batch's new tokens, for engines that own their projections.");
        writer.Line("/// <param name=\"batch\">The step.</param>");
        writer.Line("/// <param name=\"layer\">Layer of the cache.</param>");
        writer.Line($"/// <param name=\"rows\">Normalised latent, then rotated key{indexed} of each new token <c>[batch.Rows, {d.CacheRowElements + indexElements}]</c>.</param>");
        writer.Line("/// <exception cref=\"global::System.ArgumentException\">A span has another length; nothing was changed.</exception>");
        writer.Line("/// <exception cref=\"global::System.InvalidOperationException\">The batch is empty.</exception>");
        writer.Line("/// <exception cref=\"global::System.OverflowException\">The cache's format cannot hold a value; the step can only be rolled back.</exception>");
        writer.Line($"public static void AppendLatent({batch} batch, int layer, {input} rows) => {Runtime}MlaLayer.AppendLatent(batch, layer, rows);");
        writer.Line();
        string refusal = (plan.Spec.Indexer is not null, plan.Spec.AttentionSinks, plan.Spec.OutputGate) switch
        {
            (true, _, _) => "Always: the class attends to a selection, which its indexer makes of hidden states and index keys.",
            (_, true, OutputGate.None) => "Always: ProjectOutput does not get what sinks take, the log-sum-exp of all parts.",
            (_, false, OutputGate.None) => string.Empty,
            (_, false, _) => "Always: ProjectOutput does not get what the output gate takes, the hidden states.",
            _ => "Always: ProjectOutput does not get what output gate and sinks take, the hidden states and the log-sum-exp of all parts.",
        };
        writer.Summary(
            "What comes before AttendLatent, for engines that keep rows elsewhere: from hidden states to absorbed queries and to the rows of the\n" +
            "new tokens. Of the batch it takes positions, threads and working memory; it reads and writes no cache.");
        writer.Line("/// <param name=\"batch\">The step.</param>");
        writer.Line($"/// <param name=\"hidden\">Hidden states <c>[batch.Rows, {d.HiddenSize}]</c>.</param>");
        writer.Line($"/// <param name=\"queries\">Takes absorbed, rotated, unscaled queries <c>[batch.Rows, {d.Heads}, {d.CacheRowElements}]</c>.</param>");
        writer.Line($"/// <param name=\"rows\">Takes normalised latent, then rotated key of each new token <c>[batch.Rows, {d.CacheRowElements}]</c>.</param>");
        writer.Line("/// <exception cref=\"global::System.ArgumentException\">A span has another length; nothing was changed.</exception>");
        writer.Line($"/// <exception cref=\"global::System.InvalidOperationException\">{(refusal.Length > 0 ? refusal : "The batch is empty, or has rows that append no token.")}</exception>");
        writer.Line("/// <exception cref=\"global::System.OperationCanceledException\">The batch's token was cancelled.</exception>");
        writer.Line($"public void ProjectLatent({batch} batch, {input} hidden, {output} queries, {output} rows) => _layer.ProjectLatent(batch, hidden, queries, rows);");
        writer.Line();
        writer.Summary("What comes after AttendLatent: from weighted sums of latents, those of all parts merged, to the layer's output.");
        writer.Line("/// <param name=\"batch\">The step.</param>");
        writer.Line($"/// <param name=\"latents\">Weighted sums of latents <c>[batch.Rows, {d.Heads}, {d.KvLoraRank}]</c>.</param>");
        writer.Line($"/// <param name=\"output\">Takes the layer's output <c>[batch.Rows, {d.HiddenSize}]</c>.</param>");
        writer.Line("/// <exception cref=\"global::System.ArgumentException\">A span has another length; nothing was changed.</exception>");
        writer.Line($"/// <exception cref=\"global::System.InvalidOperationException\">{(refusal.Length > 0 ? refusal : "The batch is empty.")}</exception>");
        writer.Line("/// <exception cref=\"global::System.OperationCanceledException\">The batch's token was cancelled.</exception>");
        writer.Line($"public void ProjectOutput({batch} batch, {input} latents, {output} output) => _layer.ProjectOutput(batch, latents, output);");
    }

    /// <summary>What stands between attention and the layer's output, as a sentence; empty where nothing does.</summary>
    private static string Gate(MlaSpec spec)
    {
        string sinks = spec.AttentionSinks ? "Each head has a learned sink in its softmax. " : string.Empty;
        string gate = spec.OutputGate switch
        {
            OutputGate.HeadWise => $"The output of a head is multiplied by the sigmoid of its gate, which {spec.OutputGateName} makes of the hidden state.",
            OutputGate.ElementWise => $"The output of a head is multiplied, element by element, by the sigmoids of its gates, which {spec.OutputGateName} makes of the hidden state.",
            OutputGate.Query => "The output of a head is multiplied, element by element, by the sigmoids of its gates, which the query projection makes.",
            _ => string.Empty,
        };
        return (sinks + gate).TrimEnd();
    }

    /// <summary>Prose as it may stand in an XML comment.</summary>
    private static string Words(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;");
}
