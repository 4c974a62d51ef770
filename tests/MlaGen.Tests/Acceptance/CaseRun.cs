using System.Runtime.InteropServices;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Caching.Formats;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>
/// Runs a case in hostile surroundings: pages in random order, NaN in every row, page and scratch that no token wrote, and nothing at all
/// behind the cache's memory and behind every input and output.
/// </summary>
internal static class CaseRun
{
    /// <summary>More tokens than a block of any tier has.</summary>
    private const int PoisonTokens = 160;

    /// <summary>Operations of a run: the case's own, and those that fill the scratch with NaN.</summary>
    public static long Flops(AttentionCase test) => test.Flops + (PoisonTokens * test.Shape.FlopsPerKey);

    /// <summary>Output and log-sum-exp of every sequence equal those of the oracle on the rows that the cache holds.</summary>
    public static void AssertOracle(AttentionCase test)
    {
        OracleSpec spec = test.Shape.TestLayer.Spec;
        using AttentionRun run = Open(test, isHostile: true);
        LatentSequence[] sequences = [.. test.Sequences.Select(_ => run.CreateSequence())];
        (float[] output, float[] logSumExp) = Attend(run, test, sequences);

        int row = 0;
        for (int i = 0; i < sequences.Length; i++)
        {
            (int keys, int queries) = test.Sequences[i];
            float[] stored = AttentionRun.Rows(sequences[i], spec.RowWidth);
            if (test.Shape.Format == CacheFormat.Float32)
            {
                Compare.AssertSameBits($"rows of sequence {i}", stored, test.Rows(i));
            }

            LatentAttention expected = AbsorbedOracle.Attend(spec, OracleMath.Widen(test.Queries(i)), queries, OracleMath.Widen(stored));
            string what = $"sequence {i}, {queries} queries over {keys} keys";
            Compare.AssertClose<float, double>(
                $"log-sum-exp of {what}", logSumExp.AsSpan(row * spec.Heads, queries * spec.Heads), expected.LogSumExp, Tolerance.LogSumExpOf(test.Shape.Precision).ForScores(expected.MaxScore));
            Compare.AssertClose<float, double>(
                $"output of {what}", output.AsSpan(row * spec.Heads * spec.KvLoraRank, queries * spec.Heads * spec.KvLoraRank), expected.Output, test.OutputTolerance(expected.MaxScore));
            row += queries;
        }
    }

    /// <summary>The surroundings change no bit: pages in order and memory of zeros give the same.</summary>
    public static void AssertSurroundingsDoNotMatter(AttentionCase test)
    {
        (float[] output, float[] logSumExp) = Outputs(isHostile: true);
        (float[] expectedOutput, float[] expectedLogSumExp) = Outputs(isHostile: false);
        Compare.AssertSameBits("output", output, expectedOutput);
        Compare.AssertSameBits("log-sum-exp", logSumExp, expectedLogSumExp);

        (float[], float[]) Outputs(bool isHostile)
        {
            using AttentionRun run = Open(test, isHostile);
            return Attend(run, test, [.. test.Sequences.Select(_ => run.CreateSequence())]);
        }
    }

    private static AttentionRun Open(AttentionCase test, bool isHostile)
    {
        int pages = test.Sequences.Append((Keys: PoisonTokens, 1)).Sum(sequence => (sequence.Keys + test.PageTokens - 1) / test.PageTokens);
        AttentionRun run = test.Shape.TestLayer.Open(new RunOptions
        {
            PageTokens = test.PageTokens,
            MaxTokens = (pages + (pages / 8) + 1) * test.PageTokens,
            FreshByte = isHostile ? RunOptions.NaN : (byte)0,
        });
        if (isHostile)
        {
            run.ShufflePages(seed: pages);
            PoisonScratch(run, test.Shape.TestLayer.Spec);
        }

        return run;
    }

    /// <summary>Fills the working memory with NaN by attending from NaN to NaN.</summary>
    private static void PoisonScratch(AttentionRun run, OracleSpec spec)
    {
        using LatentSequence sequence = run.CreateSequence(new float[PoisonTokens * spec.RowWidth], spec.RowWidth);
        for (int token = 0; token < sequence.Length; token++)
        {
            sequence.Row(sequence.Pool.Attended, 0, token).Fill(RunOptions.NaN);
        }

        run.Batch.AddQueries(sequence, 1);
        run.AttendLatent(AttentionRun.Poisoned(spec.Heads * spec.RowWidth), new float[spec.Heads * spec.KvLoraRank], new float[spec.Heads]);
        run.Batch.Rollback();
    }

    /// <summary>Caches the earlier tokens of each sequence, then appends and attends in one step.</summary>
    private static (float[] Output, float[] LogSumExp) Attend(AttentionRun run, AttentionCase test, LatentSequence[] sequences)
    {
        OracleSpec spec = test.Shape.TestLayer.Spec;
        int batchRows = test.Sequences.Sum(sequence => sequence.Queries);
        using var rows = new GuardedMemory(batchRows * spec.RowWidth * sizeof(float));
        using var queries = new GuardedMemory(batchRows * spec.Heads * spec.RowWidth * sizeof(float));
        using var output = new GuardedMemory(batchRows * spec.Heads * spec.KvLoraRank * sizeof(float));
        using var logSumExp = new GuardedMemory(batchRows * spec.Heads * sizeof(float));
        rows.GetSpan().Fill(RunOptions.NaN);
        output.GetSpan().Fill(RunOptions.NaN);
        logSumExp.GetSpan().Fill(RunOptions.NaN);

        int row = 0;
        for (int i = 0; i < sequences.Length; i++)
        {
            (int keys, int asking) = test.Sequences[i];
            int added = keys < asking ? 0 : asking;
            ReadOnlySpan<float> all = test.Rows(i);
            run.Append(sequences[i], all[..((keys - added) * spec.RowWidth)], spec.RowWidth);
            all[((keys - added) * spec.RowWidth)..].CopyTo(Floats(rows)[(row * spec.RowWidth)..]);
            test.Queries(i).CopyTo(Floats(queries)[(row * spec.Heads * spec.RowWidth)..]);
            row += asking;
        }

        for (int i = 0; i < sequences.Length; i++)
        {
            (int keys, int asking) = test.Sequences[i];
            _ = keys < asking ? run.Batch.AddQueries(sequences[i], asking) : run.Batch.Add(sequences[i], asking);
        }

        run.AppendLatent(Floats(rows));
        run.AttendLatent(Floats(queries), Floats(output), Floats(logSumExp));
        run.Batch.Commit();
        AttentionRun.AssertWritten(Floats(output).ToArray());
        AttentionRun.AssertWritten(Floats(logSumExp).ToArray());
        return (Floats(output).ToArray(), Floats(logSumExp).ToArray());
    }

    private static Span<float> Floats(GuardedMemory memory) => MemoryMarshal.Cast<byte, float>(memory.GetSpan());
}
