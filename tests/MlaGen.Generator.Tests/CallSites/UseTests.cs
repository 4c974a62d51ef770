namespace MlaGen.Generator.Tests.CallSites;

/// <summary>What becomes of weights, caches, sequences and batches: MLA0303 to MLA0306.</summary>
public class UseTests
{
    private const string Weights = "Attention.Weights mine = Attention.Weights.Load(null!, \"\"); Other.Weights theirs = Other.Weights.Load(null!, \"\"); ";

    [Theory]
    [InlineData("_ = new Attention({|MLA0303:(Attention.Weights)(object)theirs|}, 0);", "These weights are of 'Other.Weights' and can never be 'Attention.Weights'")]
    [InlineData("object any = theirs; _ = new Attention({|MLA0303:(Attention.Weights)any|}, 0);", "These weights are of 'Other.Weights' and can never be 'Attention.Weights'")]
    [InlineData("object any = theirs; object again = any; Attention.Weights? none = {|MLA0303:again as Attention.Weights|};", "These weights are of 'Other.Weights' and can never be 'Attention.Weights'")]
    [InlineData("_ = new Attention({|MLA0303:System.Runtime.CompilerServices.Unsafe.As<Attention.Weights>(theirs)|}, 0);", "These weights are of 'Other.Weights' and can never be 'Attention.Weights'")]
    [InlineData("Keep({|MLA0303:(Attention.KvBProj)(object)theirs.KvBProj|});", "These weights are of 'Other.KvBProj' and can never be 'Attention.KvBProj'")]
    [InlineData("Keep({|MLA0303:(Attention.OProj)(MlaGen.Runtime.Projection)mine.KvBProj|});", "These weights are of 'Attention.KvBProj' and can never be 'Attention.OProj'")]
    public Task Weights_are_another_classes(string code, string message)
        => CallSiteProject.Verify(CallSiteProject.Method(Weights + code), message);

    [Theory]
    [InlineData("_ = new Attention((Attention.Weights)(object)mine, 0); Keep(theirs);")]
    [InlineData("object any = n > 1 ? theirs : mine; _ = new Attention((Attention.Weights)any, 0);")]
    [InlineData("object any = theirs; any = mine; _ = new Attention((Attention.Weights)any, 0);")]
    [InlineData("object any = theirs; Keep(any is Attention.Weights);")]
    [InlineData("_ = new Attention((Attention.Weights)(object)null!, 0);")]
    public Task Weights_that_may_be_right_are_left_alone(string code)
        => CallSiteProject.Verify(CallSiteProject.Method(Weights + code));

    [Theory]
    [InlineData("LatentSequence mine = {|MLA0304:cache.CreateSequence()|}; given.Add(mine, 1);", "This 'LatentSequence' is never disposed; its pages are lost to other sequences of the cache")]
    [InlineData("var mine = {|MLA0304:cache.CreateBatch()|}; Console.WriteLine(mine.Rows);", "This 'MlaBatch' is never disposed; its working memory is kept, and a step that is not committed stays open")]
    [InlineData("var mine = {|MLA0304:Attention.CreateCache(4, 1024)|}; using var its = mine.CreateSequence();", "This 'LatentCache' is never disposed; its pages are kept")]
    [InlineData("var mine = {|MLA0304:new LatentCache<Attention>(4, 1024)|};", "This 'LatentCache' is never disposed; its pages are kept")]
    [InlineData("LatentSequence mine; mine = {|MLA0304:cache.CreateSequence()|}; mine.Truncate(0);", "This 'LatentSequence' is never disposed; its pages are lost to other sequences of the cache")]
    [InlineData("given.Add({|MLA0304:cache.CreateSequence()|}, 1);", "This 'LatentSequence' is never disposed; its pages are lost to other sequences of the cache")]
    [InlineData("using var mine = {|MLA0304:Attention.CreateCache(4, 1024)|}.CreateSequence();", "This 'LatentCache' is never disposed; its pages are kept")]
    [InlineData("using var first = cache.CreateSequence(); var mine = {|MLA0304:first.Fork()|}; Console.WriteLine(mine.Length);", "This 'LatentSequence' is never disposed; its pages are lost to other sequences of the cache")]
    [InlineData("_ = {|MLA0304:cache.CreateSequence()|};", "This 'LatentSequence' is never disposed; its pages are lost to other sequences of the cache")]
    [InlineData("Action later = () => { var mine = {|MLA0304:cache.CreateSequence()|}; Console.WriteLine(mine.Length); }; later();", "This 'LatentSequence' is never disposed; its pages are lost to other sequences of the cache")]
    public Task Never_disposed(string code, string message)
        => CallSiteProject.Verify(CallSiteProject.Method(code), message);

    [Theory]
    [InlineData("using LatentSequence mine = cache.CreateSequence();")]
    [InlineData("using LatentSequence first = cache.CreateSequence(); using LatentSequence mine = first.Fork();")]
    [InlineData("using (cache.CreateSequence()) { }")]
    [InlineData("using (var mine = cache.CreateSequence()) { given.Add(mine, 1); }")]
    [InlineData("var mine = cache.CreateSequence(); using (mine) { }")]
    [InlineData("var mine = cache.CreateSequence(); try { given.Add(mine, 1); } finally { mine.Dispose(); }")]
    [InlineData("var mine = cache.CreateSequence(); mine?.Dispose();")]
    [InlineData("IDisposable mine = cache.CreateSequence(); mine.Dispose();")]
    [InlineData("var mine = cache.CreateSequence(); ((IDisposable)mine).Dispose();")]
    [InlineData("cache.CreateSequence().Dispose();")]
    [InlineData("var mine = cache.CreateSequence(); Keep(mine);")]
    [InlineData("var mine = cache.CreateSequence(); sequences[0] = mine;")]
    [InlineData("sequences[0] = cache.CreateSequence();")]
    [InlineData("var mine = cache.CreateSequence(); Action later = () => mine.Dispose(); later();")]
    [InlineData("var mine = cache.CreateSequence(); var other2 = mine; other2.Dispose();")]
    [InlineData("List<LatentSequence> all = [cache.CreateSequence(), cache.CreateSequence()]; all.ForEach(each => each.Dispose());")]
    [InlineData("var (a, b) = (cache.CreateSequence(), cache.CreateBatch()); a.Dispose(); b.Dispose();")]
    [InlineData("LatentSequence Make() => cache.CreateSequence(); using var mine = Make();")]
    [InlineData("LatentSequence? mine = null; mine ??= cache.CreateSequence(); mine.Dispose();")]
    [InlineData("LatentSequence[] many = [.. Enumerable.Range(0, n).Select(_ => cache.CreateSequence())]; Keep(many);")]
    public Task Disposed_or_given_away(string code) => CallSiteProject.Verify(CallSiteProject.Method(code));

    [Theory]
    [InlineData("using var {|MLA0305:batch|} = cache.CreateBatch(); batch.Add(sequence, n); layer.Forward(batch, hidden, output);")]
    [InlineData("using MlaBatch<Attention> {|MLA0305:batch|} = cache.CreateBatch(); batch.Add(sequence, n); foreach (var each in layers) { each.Forward(batch, hidden, output); }")]
    [InlineData("using (var {|MLA0305:batch|} = cache.CreateBatch()) { for (int i = 0; i < 5; i++) { batch.Add(sequence, 1); layer.Forward(batch, hidden, output); } }")]
    public Task Never_committed(string code)
        => CallSiteProject.Verify(
            CallSiteProject.Method(code),
            "Batch 'batch' runs through 'Forward' and is never committed: its sequences forget the new tokens; call 'Commit', or 'Rollback' where that is meant");

    [Theory]
    [InlineData("batch.Add(sequence, n); layer.Forward(batch, hidden, output); batch.Commit();")]
    [InlineData("batch.Add(sequence, n); layer.Forward(batch, hidden, output); if (n > 1) { batch.Commit(); }")]
    [InlineData("batch.Add(sequence, n); layer.Forward(batch, hidden, output); batch.Rollback();")]
    [InlineData("batch.Add(sequence, n); layer.Forward(batch, hidden, output); Keep(batch);")]
    [InlineData("batch.Add(sequence, n); layer.Forward(batch, hidden, output); Action commit = batch.Commit; commit();")]
    [InlineData("batch.AddQueries(sequence, n); Attention.AttendLatent(batch, 0, hidden, output, hidden);")]
    [InlineData("batch.Add(sequence, n);")]
    public Task Committed_or_not_run(string code) => CallSiteProject.Verify(CallSiteProject.Method("using var batch = cache.CreateBatch(); " + code));

    [Theory]
    [InlineData("foreach (LatentSequence each in sequences) { given.Add(each, 1); {|MLA0306:layer.Forward(given, hidden, output)|}; given.Commit(); }")]
    [InlineData("foreach (var each in sequences) { given.Add(each, 1); foreach (var one in layers) { {|MLA0306:one.Forward(given, hidden, output)|}; } given.Commit(); }")]
    [InlineData("for (int i = 0; i < n; i++) { given.Add(sequences[i], 1); {|MLA0306:layer.Forward(given, hidden, output)|}; given.Commit(); }")]
    [InlineData("List<LatentSequence> list = [.. sequences]; for (int i = 0; i < n; i++) { using var batch = cache.CreateBatch(); batch.Add(list[i], 1); {|MLA0306:layer.Forward(batch, hidden, output)|}; batch.Commit(); }")]
    public Task One_batch_would_do(string code)
        => CallSiteProject.Verify(
            CallSiteProject.Method(code),
            "'Forward' runs once for each sequence of the loop; one batch that every sequence is added to reads the weights once for all of them");

    [Theory]
    [InlineData("foreach (LatentSequence each in sequences) { given.Add(each, 1); } layer.Forward(given, hidden, output); given.Commit();")]
    [InlineData("for (int i = 0; i < n; i++) { given.Add(sequence, 1); layer.Forward(given, hidden, output); given.Commit(); }")]
    [InlineData("foreach (LatentSequence each in sequences) { while (n-- > 0) { given.Add(each, 1); layer.Forward(given, hidden, output); given.Commit(); } }")]
    [InlineData("for (int i = 0; i < n; i++) { given.Add(sequences[0], 1); layer.Forward(given, hidden, output); given.Commit(); }")]
    [InlineData("foreach (LatentSequence each in sequences) { given.Add(each, 1); given.Add(sequence, 1); layer.Forward(given, hidden, output); given.Commit(); }")]
    [InlineData("for (int i = 0; i < n; i++) { using var mine = cache.CreateSequence(); given.Add(mine, 1); layer.Forward(given, hidden, output); given.Commit(); }")]
    public Task Loop_that_is_needed(string code) => CallSiteProject.Verify(CallSiteProject.Method(code));

    [Fact]
    public Task Class_that_looks_like_a_generated_one_is_none_of_ours()
        => CallSiteProject.Verify(
            """
            using System;

            internal static class Program
            {
                private static void Run(Layer layer, MlaBatch<Layer> batch) => layer.Forward(batch, new float[7], new float[7]);
            }

            internal sealed class MlaBatch<T>;

            internal sealed class Layer
            {
                public const int HiddenSize = 256;

                public void Forward(MlaBatch<Layer> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException(batch.ToString());
            }
            """);
}
