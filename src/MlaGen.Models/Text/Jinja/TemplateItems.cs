using System.Text;

namespace MlaGen.Models;

/// <summary>Elements and parts of texts, lists and mappings. Texts are counted in code points, as Python counts them.</summary>
internal static class TemplateItems
{
    /// <summary>A member or an element; undefined where there is none.</summary>
    public static object? Get(object? target, object? key)
    {
        switch (target)
        {
            case Undefined missing:
                throw new TemplateError($"{Unprintable.Escape(missing.Name, 100)} is undefined");
            case TemplateMap map when key is not null:
                return map.TryGetValue(key, out object? value) ? value : new Undefined(key as string ?? "the member");
            case TemplateList list when TemplateValue.IsInteger(key):
                return At(TemplateValue.ToLong(key), list.Items.Count) is { } index ? list.Items[index] : new Undefined("the element");
            case string text when TemplateValue.IsInteger(key):
                List<Rune> runes = [.. text.EnumerateRunes()];
                return At(TemplateValue.ToLong(key), runes.Count) is { } place ? runes[place].ToString() : new Undefined("the character");
            default:
                return new Undefined(key as string ?? "the member");
        }
    }

    public static object Slice(object? target, long? start, long? stop, long? step, TemplateRun run)
    {
        long by = step ?? 1;
        if (by == 0)
        {
            throw new TemplateError("a slice cannot go in steps of zero");
        }

        if (target is string text)
        {
            run.Allocate(text.Length);
            if (by == 1 && !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
            {
                (int first, int end) = ((int)Bound(start, text.Length, 0), (int)Bound(stop, text.Length, text.Length));
                return first < end ? text[first..end] : "";
            }

            Rune[] runes = [.. text.EnumerateRunes()];
            return string.Concat(Indices(runes.Length).Select(index => runes[index].ToString()));
        }

        TemplateList list = target as TemplateList ?? throw new TemplateError($"{TemplateValue.TypeOf(target)} has no parts");
        run.Allocate(list.Items.Count);
        return new TemplateList([.. Indices(list.Items.Count).Select(index => list.Items[index])], list.Kind);

        IEnumerable<int> Indices(int count)
        {
            long end = by > 0 ? Bound(stop, count, count) : Bound(stop, count, -1, lowest: -1, highest: count - 1);
            long index = by > 0 ? Bound(start, count, 0) : Bound(start, count, count - 1, lowest: -1, highest: count - 1);
            for (; by > 0 ? index < end : index > end; index = by > count ? end : by < -count ? end : index + by)
            {
                yield return (int)index;
            }
        }
    }

    private static int? At(long index, int count)
    {
        index += index < 0 ? count : 0;
        return index >= 0 && index < count ? (int)index : null;
    }

    private static long Bound(long? bound, int count, long otherwise, long lowest = 0, long? highest = null) =>
        bound is { } value ? Math.Clamp(value < 0 ? Math.Max(value, -count - 1L) + count : value, lowest, highest ?? count) : otherwise;
}
