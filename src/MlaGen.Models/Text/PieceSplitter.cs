using System.Text.Json;

namespace MlaGen.Models;

/// <summary>The pre-tokenizers of a <c>tokenizer.json</c>: splits of a text into the pieces within which tokens are merged, one after the other.</summary>
internal sealed class PieceSplitter
{
    /// <summary>The split of <c>ByteLevel</c> with <c>use_regex</c>, which is GPT-2's.</summary>
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const char MetaspaceDefault = '\u2581';

    private readonly List<SplitStep> _splits = [];
    private Func<string, bool, string>? _prepare;

    /// <param name="preTokenizer">The file's <c>pre_tokenizer</c>.</param>
    /// <exception cref="FormatException">A step is not supported.</exception>
    public PieceSplitter(JsonElement? preTokenizer)
    {
        foreach (JsonElement step in TextFiles.Steps(preTokenizer, "pretokenizers"))
        {
            string type = step.Text("type");
            if (IsByteLevel)
            {
                throw new FormatException($"the pre-tokenizer {type} after ByteLevel is not supported");
            }

            Add(step, type);
        }
    }

    /// <summary>Whether tokens are made of bytes instead of characters.</summary>
    public bool IsByteLevel { get; private set; }

    /// <summary>What pre-tokenizers change in a text before it is split.</summary>
    /// <param name="text">The text, or the part between two added tokens.</param>
    /// <param name="isFirst">Whether it begins the text.</param>
    public string Prepare(string text, bool isFirst) => _prepare is null || text.Length == 0 ? text : _prepare(text, isFirst);

    /// <summary>The pieces of a text, as <see cref="Prepare"/> returns it. None of them is empty.</summary>
    public List<(int Offset, int Length)> Split(string text)
    {
        List<(int, int)> pieces = [(0, text.Length)], next = [];
        foreach (SplitStep split in _splits)
        {
            foreach ((int offset, int length) in pieces)
            {
                split.Append(text, offset, length, next);
            }

            (pieces, next) = (next, pieces);
            next.Clear();
        }

        return pieces;
    }

    private void Add(JsonElement step, string type)
    {
        switch (type)
        {
            case "Split":
                JsonElement pattern = step.GetProperty("pattern");
                string expression = pattern.Optional("String") is { } literal ? Literal(literal.GetString()!) : pattern.Text("Regex");
                _splits.Add(new(new(expression), Behavior(step.Text("behavior")), step.Flag("invert")));
                break;
            case "Digits":
                _splits.Add(new(new(step.Flag("individual_digits") ? @"\p{N}" : @"\p{N}+"), SplitBehavior.Isolated, Inverted: false));
                break;
            case "Whitespace":
                _splits.Add(new(new(@"\w+|[^\w\s]+"), SplitBehavior.Removed, Inverted: true));
                break;
            case "WhitespaceSplit":
                _splits.Add(new(new(@"\s"), SplitBehavior.Removed, Inverted: false));
                break;
            case "ByteLevel":
                IsByteLevel = true;
                if (step.Flag("add_prefix_space", otherwise: true))
                {
                    Change((text, _) => text[0] == ' ' ? text : " " + text, type);
                }

                if (step.Flag("use_regex", otherwise: true))
                {
                    _splits.Add(new(new(Gpt2), SplitBehavior.Isolated, Inverted: false));
                }

                break;
            case "Metaspace":
                Metaspace(step);
                break;
            default:
                throw new FormatException($"the pre-tokenizer {type} is not supported");
        }
    }

    private void Metaspace(JsonElement step)
    {
        string replacement = step.Optional("replacement")?.GetString() ?? MetaspaceDefault.ToString();
        string scheme = step.Optional("prepend_scheme")?.GetString() ?? (step.Flag("add_prefix_space", otherwise: true) ? "always" : "never");
        if (scheme is not ("always" or "first" or "never"))
        {
            throw new FormatException($"the prepend_scheme {scheme} of Metaspace is not supported");
        }

        Change((text, isFirst) =>
        {
            string replaced = text.Replace(" ", replacement, StringComparison.Ordinal);
            bool prepends = (scheme == "always" || (scheme == "first" && isFirst)) && !replaced.StartsWith(replacement, StringComparison.Ordinal);
            return prepends ? replacement + replaced : replaced;
        }, "Metaspace");
        if (step.Flag("split", otherwise: true))
        {
            _splits.Add(new(new(Literal(replacement)), SplitBehavior.MergedWithNext, Inverted: false));
        }
    }

    /// <summary>A change of each piece is one of the text only while there is but one piece.</summary>
    private void Change(Func<string, bool, string> prepare, string type) =>
        _prepare = _splits.Count == 0 && _prepare is null ? prepare : throw new FormatException($"the pre-tokenizer {type} that adds a space after another one is not supported");

    private static string Literal(string text) => text.Length == 0 ? throw new FormatException("a Split has an empty text") : string.Concat(text.Select(static c => char.IsAsciiLetterOrDigit(c) || c > '\u007F' ? c.ToString() : "\\" + c));

    private static SplitBehavior Behavior(string name) => Enum.TryParse(name, out SplitBehavior behavior) && Enum.GetName(behavior) == name
        ? behavior
        : throw new FormatException($"the behavior {name} of Split is not supported");

    private enum SplitBehavior
    {
        Removed,
        Isolated,
        MergedWithPrevious,
        MergedWithNext,
        Contiguous,
    }

    /// <summary>One split of pieces into smaller ones.</summary>
    /// <param name="Pattern">What delimits pieces.</param>
    /// <param name="Behavior">What becomes of the delimiters.</param>
    /// <param name="Inverted">Whether delimiters are what lies between the matches.</param>
    private sealed record SplitStep(SplitPattern Pattern, SplitBehavior Behavior, bool Inverted)
    {
        /// <summary>Appends the pieces of a piece. None of them is empty.</summary>
        public void Append(string text, int offset, int length, List<(int Offset, int Length)> pieces)
        {
            int begun = pieces.Count, written = offset;
            bool lastIsDelimiter = false;
            foreach (Range match in Pattern.Matches(text, offset, length))
            {
                Take(written, match.Start.Value, Inverted);
                Take(match.Start.Value, match.End.Value, !Inverted);
                written = match.End.Value;
            }

            Take(written, offset + length, Inverted);

            void Take(int start, int end, bool isDelimiter)
            {
                if (start == end)
                {
                    return;
                }

                bool follows = pieces.Count > begun;
                bool joins = follows && Behavior switch
                {
                    SplitBehavior.MergedWithPrevious => isDelimiter && !lastIsDelimiter,
                    SplitBehavior.MergedWithNext => !isDelimiter && lastIsDelimiter,
                    SplitBehavior.Contiguous => isDelimiter == lastIsDelimiter,
                    _ => false,
                };
                if (joins)
                {
                    pieces[^1] = (pieces[^1].Offset, end - pieces[^1].Offset);
                }
                else if (Behavior != SplitBehavior.Removed || !isDelimiter)
                {
                    pieces.Add((start, end - start));
                }

                lastIsDelimiter = isDelimiter;
            }
        }
    }
}
