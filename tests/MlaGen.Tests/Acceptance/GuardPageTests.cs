using System.Runtime.InteropServices;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Caching.Formats;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>
/// Prefill, decode and trees with nothing behind any page of the cache, nor behind inputs and outputs: whatever reads or writes beyond one ends the
/// process. And full of NaN wherever no token wrote, which must not change a bit.
/// </summary>
[Trait("Suite", "Acceptance")]
public sealed class GuardPageTests
{
    private static readonly int[] _tree = [-1, 0, 0, 1, -1];

    private static readonly int[] _path = [0, 1, 3];

    public static TheoryData<CacheFormat, MlaForm, int> Cases
    {
        get
        {
            var data = new TheoryData<CacheFormat, MlaForm, int>();
            foreach (CacheFormat format in TestLayer.Formats)
            {
                foreach (MlaForm form in (MlaForm[])[MlaForm.Absorbed, MlaForm.Decompressed])
                {
                    foreach (int pageTokens in (int[])[1, 16, 37, TestLayer.Get(format).Layout.PageTokens])
                    {
                        data.Add(format, form, pageTokens);
                    }
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Nothing_beyond_a_page_an_input_or_an_output_is_touched(CacheFormat format, MlaForm form, int pageTokens)
    {
        TestLayer layer = TestLayer.Get(format);

        // A context whose last page the first new token fills, and one of none: short sequences are read where they lie.
        foreach (int cached in (int[])[0, (Math.Max(1, 160 / pageTokens) * pageTokens) - 1])
        {
            float[] expected = Tell(layer, new RunOptions { Form = form, FreshByte = 0 }, cached);
            int pageBytes = checked((int)layer.Layout.Bytes(1, 1, pageTokens));
            float[] guarded = Tell(layer, new RunOptions { Form = form, PageTokens = pageTokens, Memory = new GuardedMemoryPool(pageBytes, RunOptions.NaN) }, cached);
            Compare.AssertSameBits($"behind {cached} tokens", guarded, expected);
        }
    }

    /// <summary>A token, a prompt, a tree of which a path is kept, and two tokens behind it.</summary>
    private static float[] Tell(TestLayer layer, RunOptions options, int cached)
    {
        var text = new Continuation(layer, "guarded", cached, 30);
        using AttentionRun run = layer.Open(options);
        LatentSequence sequence = text.Start(run);
        MlaForm form = run.Batch.Form;
        List<float> outputs = [];
        int given = 0;
        foreach (int tokens in (int[])[1, 20])
        {
            outputs.AddRange(Step(run, sequence, text.Prompt.Slice(given, tokens), parents: []));
            run.Batch.Commit();
            given += tokens;
        }

        run.Batch.Form = MlaForm.Absorbed;
        outputs.AddRange(Step(run, sequence, text.Prompt.Slice(given, _tree.Length), _tree));
        run.Batch.Accept(sequence, _path);
        run.Batch.Commit();
        run.Batch.Form = form;
        outputs.AddRange(Step(run, sequence, text.Prompt.Slice(28, 2), parents: []));
        run.Batch.Commit();
        return [.. outputs];
    }

    private static float[] Step(AttentionRun run, LatentSequence sequence, Prompt prompt, ReadOnlySpan<int> parents)
    {
        using GuardedMemory hidden = Guarded<float>(prompt.Hidden);
        using GuardedMemory output = Guarded<float>(AttentionRun.Poisoned(prompt.Hidden.Length));
        using GuardedMemory positions = Guarded<int>(Enumerable.Range(sequence.Length, prompt.Tokens).ToArray());
        using GuardedMemory guardedParents = Guarded(parents);
        run.Batch.Add(sequence, prompt.Tokens, MemoryMarshal.Cast<byte, int>(positions.GetSpan()), MemoryMarshal.Cast<byte, int>(guardedParents.GetSpan()));
        run.Forward(MemoryMarshal.Cast<byte, float>(hidden.GetSpan()), MemoryMarshal.Cast<byte, float>(output.GetSpan()));
        float[] result = MemoryMarshal.Cast<byte, float>(output.GetSpan()).ToArray();
        AttentionRun.AssertWritten(result);
        return result;
    }

    private static GuardedMemory Guarded<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        var memory = new GuardedMemory(bytes.Length);
        bytes.CopyTo(memory.GetSpan());
        return memory;
    }
}
