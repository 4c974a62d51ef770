using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace MlaGen.Models.Tests.Text;

/// <summary>Lines of code, of many scripts, emoji, white space and special tokens, as <c>Reference/corpus.mjs</c> makes them.</summary>
internal static class TokenizerCorpus
{
    public static IReadOnlyList<string> Lines { get; } = Make();

    /// <summary>The hash of each run of lines' tokens, as <c>Reference/tokens.mjs</c> and <c>Reference/variants.mjs</c> write them.</summary>
    public static string[] Hashes(ModelTokenizer tokenizer, int run = 10, bool addSpecialTokens = false, Func<string, int, string>? line = null) => [.. Lines
        .Select((text, i) => string.Join(' ', tokenizer.Encode(line?.Invoke(text, i) ?? text, addSpecialTokens)) + "\n")
        .Chunk(run)
        .Select(tokens => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(tokens))))[..16])];

    private static List<string> Make()
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(TextData.PathOf("corpus.json")));
        JsonElement root = document.RootElement;
        string[] fragments = [.. root.GetProperty("fragments").EnumerateArray().Select(fragment => fragment.GetString()!)];
        (int First, int Last)[] ranges = [.. root.GetProperty("ranges").EnumerateArray().Select(range => (range[0].GetInt32(), range[1].GetInt32()))];
        uint state = root.GetProperty("seed").GetUInt32();
        List<string> lines = [];
        for (int i = 0; i < root.GetProperty("lines").GetInt32(); i++)
        {
            StringBuilder line = new();
            for (int parts = 1 + Below(16); parts > 0; parts--)
            {
                switch (Below(8))
                {
                    case 0:
                        line.Append(' ', 1 + Below(20));
                        break;
                    case 1 or 2:
                        (int first, int last) = ranges[Below(ranges.Length)];
                        for (int count = 1 + Below(8); count > 0; count--)
                        {
                            line.Append(char.ConvertFromUtf32(first + Below(last - first + 1)));
                        }

                        break;
                    default:
                        line.Append(fragments[Below(fragments.Length)]);
                        break;
                }
            }

            lines.Add(line.ToString());
        }

        return lines;

        int Below(int count)
        {
            state = unchecked((state * 1664525) + 1013904223);
            return (int)((state >> 8) % (uint)count);
        }
    }
}
