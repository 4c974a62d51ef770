using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>
/// One object of a configuration, or two that must say the same, read key by key. A key that somebody asked for counts as understood; what
/// nobody asked for is left for <see cref="AttentionKeys"/> to judge. So the list of understood keys is the code that reads them.
/// </summary>
internal sealed class ConfigObject(ProblemSink sink, ImmutableArray<JsonValue> objects)
{
    // Far beyond half the widest rotary part.
    private const int MaxNumbers = 4096;

    private readonly HashSet<string> _understood = new(StringComparer.Ordinal);

    public ConfigObject(ProblemSink sink, JsonValue json)
        : this(sink, ImmutableArray.Create(json))
    {
    }

    /// <summary>The members that nobody asked for.</summary>
    public IEnumerable<JsonProperty> Rest => objects.SelectMany(static json => json.Properties).Where(property => !_understood.Contains(property.Name));

    /// <summary>Where to say what is missing: at the model's type, the line a reader would start from, else at its classes or its beginning.</summary>
    public TextSpan Place => objects.IsEmpty ? default : (objects[0].Find("model_type") ?? objects[0].Find("architectures"))?.Span ?? new TextSpan(objects[0].Span.Start, 1);

    public bool IsEmpty => objects.IsEmpty;

    /// <summary>A key by its name or one of its aliases; null counts as absent. Two of them that disagree are a conflict.</summary>
    public JsonProperty? Find(params string[] names)
    {
        JsonProperty? found = null;
        foreach (string name in names)
        {
            _understood.Add(name);
            foreach (JsonValue json in objects)
            {
                if (json.Find(name) is not { Value.Kind: not JsonKind.Null } property)
                {
                    continue;
                }

                found ??= property;
                Agree(found, property);
            }
        }

        return found;
    }

    /// <summary>A key by its name or one of its aliases; what switches it off counts as absent.</summary>
    public JsonProperty? FindOn(params string[] names) => Find(names) is { Value.IsOff: false } property ? property : null;

    /// <summary>Counts a key as understood if its value is one that changes nothing; with another value it stays for <see cref="AttentionKeys"/>.</summary>
    public void Understand(string name, Func<JsonValue, bool> isIdle)
    {
        if (objects.All(json => json.Find(name) is not { } property || isIdle(property.Value)))
        {
            _understood.Add(name);
        }
    }

    /// <summary>Reports two keys that should say the same and do not.</summary>
    public void Agree(JsonProperty one, JsonProperty other)
    {
        if (!one.Value.SameAs(other.Value))
        {
            sink.Add(ConfigRules.Conflict, other.Span, other.Name, other.Value.ToString(), one.Name, one.Value.ToString());
        }
    }

    public int? Int32(int least, params string[] names)
    {
        if (Find(names) is not { } property)
        {
            return null;
        }

        if (property.Value.TryGetInt32(out int value) && value >= least)
        {
            return value;
        }

        return Refuse<int>(property, string.Format(CultureInfo.InvariantCulture, "a whole number, {0} or more", least));
    }

    public double? Double(params string[] names)
    {
        if (Find(names) is not { } property)
        {
            return null;
        }

        return property.Value.TryGetDouble(out double value) ? value : Refuse<double>(property, "a number");
    }

    public bool? Boolean(params string[] names) => Find(names) switch
    {
        null => null,
        { Value.Kind: JsonKind.True } => true,
        { Value.IsOff: true } => false,
        { } property => Refuse<bool>(property, "true or false"),
    };

    public string? Text(params string[] names)
    {
        JsonProperty? property = Find(names);
        if (property is { Value.Kind: not JsonKind.String })
        {
            sink.Add(ConfigRules.WrongValue, property.Value.Span, property.Name, property.Value.ToString(), "a string");
            return null;
        }

        return property?.Value.Text;
    }

    public EquatableArray<double>? Doubles(params string[] names)
    {
        if (Find(names) is not { } property)
        {
            return null;
        }

        ImmutableArray<double>.Builder numbers = ImmutableArray.CreateBuilder<double>();
        foreach (JsonValue item in property.Value.Items)
        {
            if (!item.TryGetDouble(out double number))
            {
                return RefuseArray(property);
            }

            numbers.Add(number);
        }

        return property.Value.Kind == JsonKind.Array && numbers.Count <= MaxNumbers ? new EquatableArray<double>(numbers.ToImmutable()) : RefuseArray(property);
    }

    /// <summary>An object within this one; false counts as absent, and another kind of value is refused.</summary>
    public JsonValue? Object(string name)
    {
        JsonProperty? property = Find(name);
        if (property is { Value.Kind: JsonKind.False })
        {
            return null;
        }

        if (property is { Value.Kind: not JsonKind.Object })
        {
            sink.Add(ConfigRules.WrongValue, property.Value.Span, property.Name, property.Value.ToString(), "an object");
            return null;
        }

        return property?.Value;
    }

    private T? Refuse<T>(JsonProperty property, string expected)
        where T : struct
    {
        sink.Add(ConfigRules.WrongValue, property.Value.Span, property.Name, property.Value.ToString(), expected);
        return null;
    }

    private EquatableArray<double>? RefuseArray(JsonProperty property)
    {
        sink.Add(ConfigRules.WrongValue, property.Value.Span, property.Name, property.Value.ToString(), "an array of at most 4096 numbers");
        return null;
    }
}
