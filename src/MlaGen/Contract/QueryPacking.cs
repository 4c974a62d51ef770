using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>How an absorbed core takes the queries of a token: the order in which their elements lie in memory.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class QueryPacking
{
    private protected QueryPacking()
    {
    }

    /// <summary>(Query, head) pairs: heads, padded.</summary>
    internal abstract int Columns { get; }

    /// <summary>Panels, each of which is packed by itself.</summary>
    internal abstract int PanelCount { get; }

    /// <summary>Floats of memory that packed queries take.</summary>
    /// <param name="depth">Elements of a query.</param>
    internal abstract int Length(int depth);

    /// <summary>Packs a panel.</summary>
    /// <param name="panel">Which one.</param>
    /// <param name="queries">Queries of all heads, one after the other.</param>
    /// <param name="heads">How many.</param>
    /// <param name="depth">Elements of each.</param>
    /// <param name="scale">Factor on every element.</param>
    /// <param name="packed">Where the packed queries of all panels begin.</param>
    internal abstract void Pack(int panel, ref float queries, int heads, int depth, float scale, ref float packed);
}
