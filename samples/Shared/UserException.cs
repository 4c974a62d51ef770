namespace Samples;

/// <summary>Something the user asked for cannot be done; the message is the one line to show.</summary>
internal sealed class UserException(string message) : Exception(message);
