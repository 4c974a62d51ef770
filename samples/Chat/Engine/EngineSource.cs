using Samples;

namespace Chat.Engine;

/// <summary>Loads models.</summary>
internal static class EngineSource
{
    public static LoadedEngine Load(string? directory, int threads, TextWriter told) => throw new UserException("no engine yet");

    public static bool IsUserError(Exception problem) => false;
}
