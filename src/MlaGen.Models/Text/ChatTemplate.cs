using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace MlaGen.Models;

/// <summary>
/// The template with which a model writes a conversation as one text. It is Jinja, as transformers' <c>apply_chat_template</c> renders it, and comes from
/// the checkpoint: it reaches nothing but the values that it is given, and its steps, output and depth are bounded. Any number of threads may use one.
/// </summary>
/// <remarks>
/// Supported are <c>if</c>, <c>for</c>, <c>set</c>, <c>macro</c>, <c>filter</c>, <c>raw</c>, <c>break</c>, <c>continue</c> and <c>generation</c>, and what expressions
/// of templates of chats use. What is not is an error that names it.
/// </remarks>
public sealed class ChatTemplate : IChatTemplate
{
    private const string Default = "default";

    // transformers takes this one of a list where there are tools.
    private const string ForTools = "tool_use";

    private const long MostCharacters = 4 << 20;

    private readonly Part _default;
    private readonly Part? _forTools;
    private readonly IReadOnlyDictionary<string, string> _tokens;

    private readonly TimeProvider _time;

    private ChatTemplate(Part @default, Part? forTools, IReadOnlyDictionary<string, string> tokens, TimeProvider? time = null)
    {
        _default = @default;
        _forTools = forTools;
        _tokens = tokens;
        _time = time ?? TimeProvider.System;
    }

    /// <summary>Reads the template of a model's directory: <c>chat_template.jinja</c>, else <c>chat_template</c> of <c>tokenizer_config.json</c>, a text or a list of named ones.</summary>
    /// <param name="directory">The directory.</param>
    /// <returns>The template; null when the model has none.</returns>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="InvalidDataException"><c>tokenizer_config.json</c> is wrong.</exception>
    /// <exception cref="ChatTemplateException">The template is wrong, or uses what is not supported.</exception>
    public static ChatTemplate? Load(string directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        TokenizerConfig config = TokenizerConfig.Load(directory);
        string file = Path.Combine(directory, "chat_template.jinja");
        if (File.Exists(file))
        {
            return new(Part.Read(file, Encoding.UTF8.GetString(TextFiles.ReadAllBytes(file)).TrimStart('\uFEFF')), null, config.NamedTokens);
        }

        string name = Path.Combine(directory, TokenizerConfig.FileName);
        return config.ChatTemplates.Count == 0 ? null
            : config.ChatTemplates.TryGetValue(Default, out string? source)
            ? new(Part.Read($"{name}: chat_template", source), config.ChatTemplates.TryGetValue(ForTools, out string? tools) ? Part.Read($"{name}: chat_template {ForTools}", tools) : null, config.NamedTokens)
            : throw new InvalidDataException($"{name}: chat_template has {string.Join(", ", config.ChatTemplates.Keys.Select(key => Unprintable.Escape(key, 100)))}, and none with the name {Default}");
    }

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="tokens">Tokens that it may name, by their role: <c>bos_token</c>.</param>
    /// <param name="time">Tells a template the time that asks for it (<c>strftime_now</c>); null for the system's.</param>
    /// <returns>The template.</returns>
    /// <exception cref="ChatTemplateException">The template is wrong, or uses what is not supported.</exception>
    public static ChatTemplate Parse(string source, IReadOnlyDictionary<string, string>? tokens = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new(Part.Read("chat template", source), null, tokens ?? new Dictionary<string, string>(), time);
    }

    /// <summary>Writes a conversation as the text that the model continues. Its special tokens stand in it as text, and so do those that a message contains.</summary>
    /// <param name="messages">The messages, objects with <c>role</c>, <c>content</c> and whatever else the template knows.</param>
    /// <param name="addGenerationPrompt">Whether to end with what begins the model's answer.</param>
    /// <param name="tools">The tools that the model may call, JSON schemas as transformers takes them; null for none.</param>
    /// <param name="variables">Further variables of the template, such as <c>enable_thinking</c>.</param>
    /// <returns>The text.</returns>
    /// <exception cref="ChatTemplateException">The template refuses the messages, uses what is not supported, or asks for too much.</exception>
    public string Render(JsonArray messages, bool addGenerationPrompt = true, JsonArray? tools = null, JsonObject? variables = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        Part part = tools is null ? _default : _forTools ?? _default;
        TemplateRun run = new(_time);
        try
        {
            TemplateScope scope = new(run, null);
            foreach ((string role, string token) in _tokens)
            {
                scope[role] = token;
            }

            scope["messages"] = TemplateValue.Of(messages, run);
            scope["tools"] = TemplateValue.Of(tools, run);
            scope["documents"] = null;
            scope["add_generation_prompt"] = addGenerationPrompt;
            foreach ((string name, JsonNode? value) in variables ?? [])
            {
                scope[name] = TemplateValue.Of(value, run);
            }

            TemplateStatement.Execute(part.Body, scope);
            return run.Output;
        }
        catch (TemplateError error)
        {
            throw new ChatTemplateException($"{part.Name}, line {run.Line}: {error.Message}", error);
        }
    }

    /// <summary>Writes a conversation of texts, up to where the answer begins.</summary>
    /// <param name="messages">The conversation. Of each message the role and the text count.</param>
    /// <returns>The text.</returns>
    /// <exception cref="ChatTemplateException">The template refuses the messages, uses what is not supported, or asks for too much.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return Render(new JsonArray([.. messages.Select(static message => new JsonObject { ["role"] = message.Role.Value, ["content"] = message.Text })]));
    }

    /// <summary>A template that has been read.</summary>
    private sealed record Part(string Name, List<TemplateStatement> Body)
    {
        public static Part Read(string name, string source)
        {
            int line = 1;
            try
            {
                return source.Length > MostCharacters ? throw new TemplateError($"has more than {Counted.Of(MostCharacters, "character")}") : new(name, TemplateParser.Read(source, out line));
            }
            catch (TemplateError error)
            {
                throw new ChatTemplateException($"{name}, line {line}: {error.Message}", error);
            }
        }
    }
}
