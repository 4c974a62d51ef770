namespace MlaGen.Models;

/// <summary>Between text and tokens. <see cref="ModelTokenizer"/> is the one of a checkpoint.</summary>
/// <remarks>Implementations may be used by any number of threads at once.</remarks>
public interface ITextTokenizer
{
    /// <summary>Token ids of a text; special tokens in it are recognised.</summary>
    /// <param name="text">The text.</param>
    IReadOnlyList<int> Encode(string text);

    /// <summary>The UTF-8 bytes of a token; a character may be spread over several. Special tokens have those of their name.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>The bytes; none where there is no such token: embeddings often have more rows than there are tokens.</returns>
    ReadOnlySpan<byte> Bytes(int id);

    /// <summary>Whether a token is a special one, which stands for no text.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>True if it is; false, too, where there is no such token.</returns>
    bool IsSpecial(int id);
}
