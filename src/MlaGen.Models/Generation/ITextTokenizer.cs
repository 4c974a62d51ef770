namespace MlaGen.Models;

/// <summary>Between text and tokens.</summary>
/// <remarks>Implementations may be used by any number of threads at once.</remarks>
public interface ITextTokenizer
{
    /// <summary>Tokens that there are.</summary>
    int VocabularySize { get; }

    /// <summary>Token ids of a text; special tokens in it are recognised.</summary>
    /// <param name="text">The text.</param>
    IReadOnlyList<int> Encode(string text);

    /// <summary>The UTF-8 bytes of a token; none for a special token. A character may be spread over several tokens.</summary>
    /// <param name="token">The token.</param>
    ReadOnlySpan<byte> BytesOf(int token);
}
