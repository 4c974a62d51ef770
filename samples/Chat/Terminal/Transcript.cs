using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.AI;
using Samples;

namespace Chat.Terminal;

/// <summary>A file of /save: what was said, by whom.</summary>
/// <param name="Version">Of this form.</param>
/// <param name="Model">The model it was said with.</param>
/// <param name="Messages">In order.</param>
internal sealed record Transcript(int Version, string Model, IReadOnlyList<TranscriptMessage> Messages)
{
    private const int CurrentVersion = 1;
    private const long LongestFile = 64 << 20;

    /// <summary>Replaces the file whole or leaves it as it was.</summary>
    public static void Save(string path, string model, IEnumerable<ChatMessage> messages)
    {
        NamedFiles.CheckWritable("/save", path);
        Transcript transcript = new(CurrentVersion, model, [.. messages.Select(static message => new TranscriptMessage(message.Role.Value, message.Text))]);
        string target = NamedFiles.TargetOf(path);
        string beside = Path.Combine(Path.GetDirectoryName(target)!, $".{Guid.NewGuid():N}.tmp");
        try
        {
            File.WriteAllBytes(beside, JsonSerializer.SerializeToUtf8Bytes(transcript, TranscriptJson.Default.Transcript));
            File.Move(beside, target, overwrite: true);
        }
        finally
        {
            File.Delete(beside);
        }
    }

    /// <exception cref="UserException">There is no such file, or it is no transcript.</exception>
    public static List<ChatMessage> Load(string path)
    {
        NamedFiles.CheckReadable("/resume", path);
        try
        {
            using FileStream file = File.OpenRead(path);
            if (!file.CanSeek || file.Length is 0 or > LongestFile)
            {
                throw new UserException($"/resume: {path} is no file of /save");
            }

            Transcript? transcript = JsonSerializer.Deserialize(file, TranscriptJson.Default.Transcript);
            return transcript switch
            {
                { Version: CurrentVersion, Messages: not null } => [.. transcript.Messages.Select((message, i) => Message(message, i, path))],
                { Version: > CurrentVersion } => throw new UserException($"/resume: {path} has version {transcript.Version}; this program reads version {CurrentVersion}"),
                _ => throw new UserException($"/resume: {path} is no file of /save"),
            };
        }
        catch (JsonException)
        {
            throw new UserException($"/resume: {path} is no file of /save");
        }
    }

    private static ChatMessage Message(TranscriptMessage? message, int index, string path) => message is { Role: "system" or "user" or "assistant", Text: not null }
        ? new ChatMessage(new ChatRole(message.Role), message.Text)
        : throw new UserException($"/resume: message {index + 1} of {path} has no text, or is not of system, user or assistant");
}

internal sealed record TranscriptMessage(string Role, string Text);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, MaxDepth = 8)]
[JsonSerializable(typeof(Transcript))]
internal sealed partial class TranscriptJson : JsonSerializerContext;
