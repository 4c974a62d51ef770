namespace MlaGen.Generator.Tests.CallSites;

/// <summary>Lengths of what is passed to a layer: MLA0300, MLA0301 and MLA0302, and how far a length is followed. Attention is 256 wide, its cached rows 80, its latent 64, 8 heads.</summary>
public class LengthTests
{
    [Theory]
    [InlineData("{|MLA0300:new float[7000]|}", "'hidden' gets 7000 elements; expected a positive multiple of 256, the width of a row (HiddenSize of 'Attention')")]
    [InlineData("{|MLA0300:new float[0]|}", "'hidden' gets 0 elements; expected a positive multiple of 256, the width of a row (HiddenSize of 'Attention')")]
    [InlineData("{|MLA0300:new float[] { 1, 2, 3 }|}", "'hidden' gets 3 elements; expected a positive multiple of 256, the width of a row (HiddenSize of 'Attention')")]
    [InlineData("{|MLA0300:[1f, 2f]|}", "'hidden' gets 2 elements; expected a positive multiple of 256, the width of a row (HiddenSize of 'Attention')")]
    [InlineData("{|MLA0300:stackalloc float[255]|}", "'hidden' gets 255 elements; expected a positive multiple of 256, the width of a row (HiddenSize of 'Attention')")]
    public Task Length_is_not_a_whole_number_of_rows(string hidden, string message)
        => CallSiteProject.Verify(CallSiteProject.Method($"layer.Forward(given, {hidden}, output);"), message);

    [Theory]
    [InlineData("float[] x = new float[255];", "x")]
    [InlineData("var x = new float[255]; var y = x;", "y")]
    [InlineData("Span<float> x = stackalloc float[255];", "x")]
    [InlineData("const int Size = 255; float[] x = new float[Size];", "x")]
    [InlineData("int size = 255; Span<float> x = stackalloc float[size];", "x")]
    [InlineData("int size = 5; float[] x = new float[size * Attention.HiddenSize - 1];", "x")]
    [InlineData("", "hidden[..255]")]
    [InlineData("", "hidden[1..256]")]
    [InlineData("", "hidden[^255..]")]
    [InlineData("", "hidden.AsSpan()[..255]")]
    [InlineData("", "hidden.AsSpan(n, 255)")]
    [InlineData("", "hidden.AsSpan(n).Slice(1, 255)")]
    [InlineData("", "hidden.AsMemory(n, 255).Span")]
    [InlineData("float[] x = new float[256];", "x[1..]")]
    [InlineData("float[] x = new float[256];", "x[..^1]")]
    [InlineData("float[] x = new float[256];", "x.AsSpan(1)")]
    [InlineData("float[] x = new float[256];", "x.AsSpan()[^255..]")]
    [InlineData("float[] x = new float[256];", "x.AsSpan().Slice(1)")]
    [InlineData("float[] x = new float[256];", "x[1..^0]")]
    [InlineData("float[] x = new float[255]; x[0] = 1; Array.Fill(x, 2f); Keep(x);", "x")]
    [InlineData("float[] x = new float[255]; Action later = () => x[0] = 1;", "x")]
    public Task Length_is_followed(string before, string hidden)
        => CallSiteProject.Verify(CallSiteProject.Method($"{before} layer.Forward(given, {{|MLA0300:{hidden}|}}, output);"));

    [Theory]
    [InlineData("float[] x = new float[255]; x = hidden;", "x")]
    [InlineData("float[] x = new float[255]; if (n > 3) { x = hidden; }", "x")]
    [InlineData("float[] x = new float[255]; (x, n) = (hidden, 1);", "x")]
    [InlineData("float[] x = new float[255]; Array.Resize(ref x, 256);", "x")]
    [InlineData("float[] x = new float[255]; ref float[] y = ref x; y = hidden;", "x")]
    [InlineData("float[] x = new float[255]; Action grow = () => x = hidden;", "x")]
    [InlineData("int size = 255; size++; float[] x = new float[size];", "x")]
    [InlineData("float[]? x = null; x ??= hidden;", "x")]
    [InlineData("", "new float[n]")]
    [InlineData("", "new float[n * 255]")]
    [InlineData("", "n > 3 ? new float[256] : hidden")]
    [InlineData("", "hidden[1..]")]
    [InlineData("", "hidden[..^255]")]
    [InlineData("", "hidden.AsSpan(255)")]
    [InlineData("", "[.. hidden, 1f]")]
    [InlineData("", "hidden.Take(255).ToArray()")]
    public Task Length_that_is_not_certain_is_left_alone(string before, string hidden)
        => CallSiteProject.Verify(CallSiteProject.Method($"{before} layer.Forward(given, {hidden}, output);"));

    [Theory]
    [InlineData("Attention.AttendLatent(given, 0, {|MLA0300:new float[639]|}, new float[512], new float[8]);", "'queries' gets 639 elements; expected a positive multiple of 640, the width of a row (Heads · CacheRowElements of 'Attention')")]
    [InlineData("Attention.AttendLatent(given, 0, new float[640], {|MLA0300:new float[640]|}, new float[8]);", "'output' gets 640 elements; expected a positive multiple of 512, the width of a row (Heads · KvLoraRank of 'Attention')")]
    [InlineData("Attention.AttendLatent(given, 0, new float[640], new float[512], {|MLA0300:new float[1]|});", "'logSumExp' gets 1 element; expected a positive multiple of 8, the width of a row (Heads of 'Attention')")]
    [InlineData("Attention.AppendLatent(given, 0, {|MLA0300:new float[81]|});", "'rows' gets 81 elements; expected a positive multiple of 80, the width of a row (CacheRowElements of 'Attention')")]
    [InlineData("layer.ProjectLatent(given, hidden, {|MLA0300:new float[641]|}, new float[80]);", "'queries' gets 641 elements; expected a positive multiple of 640, the width of a row (Heads · CacheRowElements of 'Attention')")]
    [InlineData("layer.ProjectLatent(given, hidden, new float[640], {|MLA0300:new float[81]|});", "'rows' gets 81 elements; expected a positive multiple of 80, the width of a row (CacheRowElements of 'Attention')")]
    [InlineData("layer.ProjectOutput(given, {|MLA0300:new float[640]|}, output);", "'latents' gets 640 elements; expected a positive multiple of 512, the width of a row (Heads · KvLoraRank of 'Attention')")]
    [InlineData("layer.Forward(output: {|MLA0300:new float[1]|}, batch: given, hidden: hidden);", "'output' gets 1 element; expected a positive multiple of 256, the width of a row (HiddenSize of 'Attention')")]
    public Task Every_span_has_its_own_width(string call, string message)
        => CallSiteProject.Verify(CallSiteProject.Method(call.Replace("output: {|MLA0300:new float[1]|}", "{|MLA0300:output: new float[1]|}", StringComparison.Ordinal)), message);

    [Fact]
    public Task Length_does_not_fit_the_rows_of_the_batch()
        => CallSiteProject.Verify(
            CallSiteProject.Method(
                """
                using MlaBatch<Attention> batch = cache.CreateBatch();
                int first = batch.Add(sequences[0], 2);
                batch.Add(sequences[1], 1);
                layer.Forward(batch, {|MLA0301:new float[512]|}, output);
                batch.Commit();
                batch.Add(sequences[0], 1);
                layer.Forward(batch, new float[256], {|MLA0301:hidden.AsSpan(0, 768)|});
                batch.Commit();
                """),
            "'hidden' gets 512 elements; expected 768, which is the 3 rows of batch 'batch' times 256 (HiddenSize of 'Attention')",
            "'output' gets 768 elements; expected 256, which is the 1 row of batch 'batch' times 256 (HiddenSize of 'Attention')");

    [Theory]
    [InlineData("foreach (Attention each in layers) { each.Forward(batch, {|MLA0301:new float[256]|}, output); } batch.Commit();")]
    [InlineData("if (n > 1) { layer.Forward(batch, {|MLA0301:new float[256]|}, output); } batch.Commit();")]
    [InlineData("batch.Rollback(); batch.AddQueries(sequence, 4); Attention.AttendLatent(batch, 0, new float[4 * 640], {|MLA0301:new float[5 * 512]|}, new float[4 * 8]);")]
    [InlineData("layer.Forward(batch, {|MLA0301:new float[256]|}, output); batch.Commit(); while (n-- > 0) { batch.Add(sequence, 1); batch.Commit(); }")]
    public Task Rows_are_certain(string code)
        => CallSiteProject.Verify(CallSiteProject.Method("using var batch = cache.CreateBatch(); batch.Add(sequence, 2); " + code));

    [Theory]
    [InlineData("if (n > 1) { batch.Add(sequences[0], 1); } layer.Forward(batch, new float[256], output); batch.Commit();")]
    [InlineData("foreach (LatentSequence each in sequences) { batch.Add(each, 1); } layer.Forward(batch, new float[256], output); batch.Commit();")]
    [InlineData("for (int i = 0; i < n; i++) { layer.Forward(batch, new float[256], output); batch.Commit(); batch.Add(sequences[0], 1); }")]
    [InlineData("batch.Add(sequences[0], n); layer.Forward(batch, new float[256], output); batch.Commit();")]
    [InlineData("try { batch.Add(sequences[0], 1); } catch (LatentCacheFullException) { } layer.Forward(batch, new float[512], output); batch.Commit();")]
    [InlineData("Action more = () => batch.Add(sequences[0], 1); more(); layer.Forward(batch, new float[256], output); batch.Commit();")]
    [InlineData("Keep(batch); layer.Forward(batch, new float[256], output); batch.Commit();")]
    [InlineData("MlaBatch<Attention> same = batch; same.Add(sequences[0], 1); layer.Forward(batch, new float[256], output); batch.Commit();")]
    [InlineData("again: layer.Forward(batch, new float[256], output); batch.Commit(); batch.Add(sequences[0], 1); if (n-- > 0) { goto again; }")]
    [InlineData("_ = n > 1 && batch.Add(sequences[0], 1) == 2; layer.Forward(batch, new float[256], output); batch.Commit();")]
    [InlineData("switch (n) { case 1: batch.Commit(); batch.Add(sequences[0], 1); break; } layer.Forward(batch, new float[256], output); batch.Commit();")]
    public Task Rows_that_are_not_certain_are_left_alone(string code)
        => CallSiteProject.Verify(CallSiteProject.Method("using var batch = cache.CreateBatch(); batch.Add(sequence, 2); " + code));

    [Fact]
    public Task Batch_that_was_made_elsewhere_has_rows_that_are_not_certain()
        => CallSiteProject.Verify(CallSiteProject.Method("given.Add(sequence, 2); layer.Forward(given, new float[256], output); given.Commit();"));

    [Theory]
    [InlineData("_ = new Attention.KvBProj({|MLA0302:new float[100]|});", "'weights' of 'KvBProj' gets 100 elements; expected 32768 (Rows · Columns)")]
    [InlineData("_ = new Attention.QALayernorm({|MLA0302:new float[127]|});", "'weights' of 'QALayernorm' gets 127 elements; expected 128 (Length)")]
    [InlineData("_ = new Attention.QALayernorm({|MLA0302:stackalloc float[129]|});", "'weights' of 'QALayernorm' gets 129 elements; expected 128 (Length)")]
    [InlineData("_ = new Other.KvAProjWithMqa(new float[40 * 64], {|MLA0302:new float[64]|});", "'bias' of 'KvAProjWithMqa' gets 64 elements; expected 40 (Rows)")]
    [InlineData("float[] weights = new float[Attention.OProj.Rows]; Attention.OProj o = new({|MLA0302:weights|});", "'weights' of 'OProj' gets 256 elements; expected 65536 (Rows · Columns)")]
    public Task Projection_gets_another_number_of_weights(string code, string message)
        => CallSiteProject.Verify(CallSiteProject.Method(code), message);

    [Theory]
    [InlineData("_ = new Attention.KvBProj(new float[Attention.KvBProj.Rows * Attention.KvBProj.Columns]);")]
    [InlineData("_ = new Attention.KvBProj(new float[n]);")]
    [InlineData("_ = new Attention.KvBProj(hidden.AsMemory(n, 512 * 64));")]
    [InlineData("_ = new Attention.QALayernorm(new float[128]);")]
    public Task Projection_gets_as_many_weights_as_it_has_or_who_knows(string code)
        => CallSiteProject.Verify(CallSiteProject.Method(code));
}
