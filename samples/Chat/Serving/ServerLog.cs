namespace Chat.Serving;

/// <summary>What the server tells whoever runs it.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(Level = LogLevel.Error, Message = "A request failed.")]
    public static partial void Failed(ILogger log, Exception problem);
}
