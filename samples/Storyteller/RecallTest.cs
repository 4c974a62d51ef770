using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using System.Text;
using System.Text.Json;
using MlaGen;
using Samples;
using Storyteller.Model;

namespace Storyteller;

/// <summary>Scores how well the model recalls: stories are fed as they stand, and their answers compared with what the model would have said.</summary>
internal static class RecallTest
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { RespectRequiredConstructorParameters = true, RespectNullableAnnotations = true };

    /// <summary>A story; <paramref name="Answers"/> are <c>[start, end)</c> ranges of its characters, each the answer to one question.</summary>
    internal sealed record Story(string Text, int[][] Answers);

    public static void Run(StoryOptions options, string path, TextWriter output, TextWriter summary)
    {
        Story[] stories = Read(path);
        LoadedModel loaded = LoadedModel.Load(options.Model);
        using MlaExecutor executor = new(options.Threads);
        using StorySession session = new(loaded.Model, executor, texts: 1, options.Cache, options.Precision, options.Chunk);

        long start = Stopwatch.GetTimestamp();
        int right = 0;
        int questions = 0;
        foreach (Story story in stories)
        {
            right += CountRight(loaded, session, story);
            questions += story.Answers.Length;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{right} of {questions}"));
        summary.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Counted.Of(stories.Length, "story", "stories")} in {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s"));
        if (options.Precision != MlaPrecision.Highest)
        {
            summary.WriteLine(session.Cache.Cores);
        }
    }

    /// <summary>Reads a JSON array of <c>{"text", "answers": [[start, end], …]}</c>.</summary>
    public static Story[] Read(string path)
    {
        try
        {
            Story[] stories = JsonSerializer.Deserialize<Story[]>(File.ReadAllBytes(path), Options) ?? [];
            foreach (Story? story in stories)
            {
                Check(story, path);
            }

            return stories;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path} is not a file of stories with answers: {error.Message}", error);
        }
    }

    /// <summary>Counts the answers of which every token was the most likely one.</summary>
    public static int CountRight(LoadedModel loaded, StorySession session, Story story)
    {
        // Tokens and answers are compared as ranges of the text's bytes.
        (int Start, int End)[] answers = [.. story.Answers.Select(range => (BytesBefore(story.Text, range[0]), BytesBefore(story.Text, range[1])))];
        int[] ids = loaded.TokensOf(story.Text);

        // The scores after a token speak about the next one. The first token stands before the text.
        List<int> wanted = [];
        List<int> answerOf = [];
        for (int i = 1, start = 0; i < ids.Length; i++)
        {
            (int from, int to) = (start, start + loaded.Tokenizer.Bytes(ids[i]).Length);
            int answer = Array.FindIndex(answers, range => range.Start <= from && to <= range.End);
            if (answer >= 0)
            {
                wanted.Add(i - 1);
                answerOf.Add(answer);
            }

            start = to;
        }

        int vocabulary = loaded.Model.Config.VocabularySize;
        float[] logits = new float[wanted.Count * vocabulary];
        using LatentSequence sequence = session.Cache.CreateSequence();
        session.Feed(sequence, ids, [.. wanted], logits);

        HashSet<int> wrong = [];
        for (int i = 0; i < wanted.Count; i++)
        {
            if (TensorPrimitives.IndexOfMax<float>(logits.AsSpan(i * vocabulary, vocabulary)) != ids[wanted[i] + 1])
            {
                wrong.Add(answerOf[i]);
            }
        }

        // An answer that no token lies inside was never asked for.
        return answerOf.Distinct().Count() - wrong.Count;
    }

    private static int BytesBefore(string text, int character) => Encoding.UTF8.GetByteCount(text.AsSpan(0, character));

    /// <summary>The deserializer lets null pass as an element of an array.</summary>
    private static void Check(Story? story, string path)
    {
        if (story is null)
        {
            throw new InvalidDataException($"{path}: null is not a story");
        }

        foreach (int[]? answer in story.Answers)
        {
            if (answer is not [>= 0, _] || answer[0] >= answer[1] || answer[1] > story.Text.Length)
            {
                throw new InvalidDataException($"{path}: [{string.Join(", ", answer ?? [])}] is not a range of the story's {Counted.Of(story.Text.Length, "character")}");
            }
        }
    }
}
