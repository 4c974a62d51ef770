using MlaGen;

namespace Explorer.Models;

/// <summary>The absorbed core of a generated class, seen without its type.</summary>
/// <param name="Format">How its cache stores a row.</param>
/// <param name="Create">Makes one query token against a cache that holds so many tokens.</param>
internal sealed record DecodeCore(CacheFormat Format, Func<int, MlaExecutor, CoreWorkload> Create)
{
    /// <param name="append"><c>T.AppendLatent</c>.</param>
    /// <param name="attend"><c>T.AttendLatent</c>.</param>
    /// <typeparam name="T">The generated class.</typeparam>
    public static DecodeCore Of<T>(Attention<T>.Append append, Attention<T>.Attend attend)
        where T : class, IMlaAttention<T> => new(CacheLayout.Of<T>().Format, (context, executor) => new DecodeWorkload<T>(append, attend, context, executor));
}
