namespace MlaGen.Models;

/// <summary>A chat template cannot be read, or refuses the messages that it is given. The message names the template, the line and the problem.</summary>
/// <param name="message">Template, line and problem.</param>
/// <param name="innerException">The cause, if there is one.</param>
public sealed class ChatTemplateException(string message, Exception? innerException = null) : Exception(message, innerException);
