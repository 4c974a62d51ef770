namespace MlaGen.Generator.Configs;

/// <summary>Characters that one place of a name may have. Names of modules are ASCII: a bit for each, so that a question costs the same however a set is written.</summary>
internal readonly record struct AsciiSet(ulong Low, ulong High)
{
    public static AsciiSet All { get; } = new(ulong.MaxValue, ulong.MaxValue);

    public static AsciiSet Digits { get; } = Range('0', '9');

    public static AsciiSet Words { get; } = Digits | Range('a', 'z') | Range('A', 'Z') | Of('_');

    public static AsciiSet Spaces { get; } = Range('\t', '\r') | Of(' ');

    public static AsciiSet Of(char c) => Range(c, c);

    /// <summary>All from one to another, both included; none if they stand the other way round.</summary>
    public static AsciiSet Range(char first, char last) => Below(last + 1) & ~Below(first);

    public static AsciiSet operator |(AsciiSet one, AsciiSet other) => new(one.Low | other.Low, one.High | other.High);

    public static AsciiSet operator &(AsciiSet one, AsciiSet other) => new(one.Low & other.Low, one.High & other.High);

    public static AsciiSet operator ~(AsciiSet set) => new(~set.Low, ~set.High);

    public bool Contains(char c) => c < 128 && (((c < 64 ? Low : High) >> (c & 63)) & 1) != 0;

    private static AsciiSet Below(int end) => new(Bits(end), Bits(end - 64));

    private static ulong Bits(int count) => count >= 64 ? ulong.MaxValue : count <= 0 ? 0 : (1UL << count) - 1;
}
