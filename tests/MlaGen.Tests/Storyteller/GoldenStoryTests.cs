using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Storyteller;

namespace MlaGen.Tests.Storyteller;

/// <summary>The whole model against transformers: float32 arithmetic on the same bf16 weights.</summary>
public class GoldenStoryTests
{
    [Theory]
    [MemberData(nameof(StoryData.Prompts), MemberType = typeof(StoryData))]
    public void Logits_after_a_prompt_are_the_golden_ones(int prompt)
    {
        using SafetensorsFile golden = SafetensorsFile.Open(StoryData.PathOf("golden_logits.safetensors"));
        Assert.True(golden.TryGetTensor($"logits.{prompt}", out CheckpointTensor? tensor));
        Assert.Equal(TensorType.Float32, tensor.Type);
        float[] expected = new float[StoryData.Loaded.Model.Config.VocabularySize];
        tensor.Read(0, MemoryMarshal.AsBytes(expected.AsSpan()));
        using Session session = new(chunk: 0);

        float[] difference = session.Feed(StoryData.Golden[prompt].PromptIds);
        TensorPrimitives.Subtract(difference, expected, difference);

        Assert.InRange(TensorPrimitives.Norm<float>(difference) / TensorPrimitives.Norm<float>(expected), 0, 1e-4);
    }

    [Theory]
    [MemberData(nameof(StoryData.Prompts), MemberType = typeof(StoryData))]
    public void Greedy_decoding_goes_on_as_transformers_does(int prompt)
    {
        using Session session = new(chunk: 0);

        Assert.Equal(StoryData.Golden[prompt].GreedyIds, session.Continue(StoryData.Golden[prompt].PromptIds, 48));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    public void A_prompt_fed_in_chunks_goes_on_the_same(int chunk)
    {
        using Session session = new(chunk);

        Assert.Equal(StoryData.Golden[4].GreedyIds, session.Continue(StoryData.Golden[4].PromptIds, 48));
    }

    [Fact]
    public void The_recall_questions_are_answered_as_often_as_by_transformers()
    {
        RecallTest.Story[] stories = RecallTest.Read(StoryData.PathOf("recall.json"));
        using Session session = new(chunk: 0);

        Assert.Equal(2375, stories.Sum(story => story.Answers.Length));
        Assert.InRange(stories.Sum(session.CountRight), 1948, 1952);
    }

    /// <summary>Decoded token by token, so that every answer goes through the cores of a precision.</summary>
    [Theory]
    [InlineData(MlaPrecision.High, 2)]
    [InlineData(MlaPrecision.Medium, 10)]
    public void Less_exact_products_answer_as_often(MlaPrecision precision, int apart)
    {
        RecallTest.Story[] stories = RecallTest.Read(StoryData.PathOf("recall.json"));
        using Session session = new(chunk: 1, format: CacheFormat.BFloat16, precision: precision);

        Assert.InRange(stories.Sum(session.CountRight), 1950 - apart, 1950 + apart);
    }

    [Theory]
    [InlineData(WeightFormat.Int8Group32, 10)]
    [InlineData(WeightFormat.Int8Group64, 10)]
    [InlineData(WeightFormat.Int4Group32, 60)]
    [InlineData(WeightFormat.Int4Group64, 60)]
    public void Weights_of_few_bits_answer_nearly_as_often(WeightFormat weights, int fewer)
    {
        RecallTest.Story[] stories = RecallTest.Read(StoryData.PathOf("recall.json"));
        LoadedModel loaded = LoadedModel.Load(StoryData.ModelDirectory, weights);
        using Session session = new(chunk: 0, loaded);

        Assert.InRange(stories.Sum(session.CountRight), 1950 - fewer, 1950 + fewer);
    }

    [Fact]
    public void Recall_does_not_depend_on_how_a_story_is_cut()
    {
        RecallTest.Story[] stories = RecallTest.Read(StoryData.PathOf("recall.json"))[..20];
        using Session whole = new(chunk: 0);
        using Session cut = new(chunk: 1);

        int expected = stories.Sum(whole.CountRight);

        Assert.InRange(stories.Sum(cut.CountRight), expected - 1, expected + 1);
    }

    private sealed class Session : IDisposable
    {
        private readonly MlaExecutor _executor = new(2);
        private readonly StorySession _session;

        private readonly LoadedModel _loaded;

        public Session(int chunk, LoadedModel? loaded = null, CacheFormat format = CacheFormat.Float32, MlaPrecision precision = MlaPrecision.Highest)
        {
            _loaded = loaded ?? StoryData.Loaded;
            _session = new StorySession(_loaded.Model, _executor, texts: 1, format, precision, chunk);
        }

        public int CountRight(RecallTest.Story story) => RecallTest.CountRight(_loaded, _session, story);

        public float[] Feed(int[] prompt)
        {
            using LatentSequence sequence = _session.Cache.CreateSequence();
            return _session.Feed(sequence, prompt).ToArray();
        }

        public int[] Continue(int[] prompt, int count)
        {
            using LatentSequence sequence = _session.Cache.CreateSequence();
            int[] tokens = new int[count];
            tokens[0] = TensorPrimitives.IndexOfMax(_session.Feed(sequence, prompt));
            for (int i = 1; i < count; i++)
            {
                tokens[i] = TensorPrimitives.IndexOfMax(_session.Feed(sequence, [tokens[i - 1]]));
            }

            return tokens;
        }

        public void Dispose()
        {
            _session.Dispose();
            _executor.Dispose();
        }
    }
}
