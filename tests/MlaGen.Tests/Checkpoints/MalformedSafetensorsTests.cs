using System.Text;
using MlaGen.Tests.Files;

namespace MlaGen.Tests.Checkpoints;

/// <summary>Malformed files, each refused with a message that names the file and the fault.</summary>
public sealed class MalformedSafetensorsTests : IDisposable
{
    private const string One = """{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";

    private readonly TemporaryDirectory _directory = new();

    /// <summary>Name of the case, the file, and what the message must contain.</summary>
    private static readonly Dictionary<string, (byte[] File, string[] Said)> _cases = new()
    {
        ["nothing"] = ([], ["is empty"]),
        ["one byte"] = ([7], ["1 byte long", "8"]),
        ["seven bytes"] = (new byte[7], ["7 bytes long"]),
        ["a length alone"] = (SafetensorsBytes.File(64, "", 0), ["length of 64 bytes", "only 0 follow"]),
        ["header of no length"] = (SafetensorsBytes.File(0, "", 0), ["header is not valid JSON"]),
        ["header cut short"] = (SafetensorsBytes.File(200, One, 8), ["length of 200 bytes", "only 62 follow"]),
        ["length at the limit"] = (SafetensorsBytes.File(100_000_000, One, 8), ["length of 100000000 bytes", "only 62 follow"]),
        ["length beyond the limit"] = (SafetensorsBytes.File(100_000_001, One, 8), ["length of 100000001 bytes", "at most 100000000"]),
        ["length of 63 bits"] = (SafetensorsBytes.File(long.MaxValue, One, 8), ["9223372036854775807"]),
        ["length of 64 bits"] = (SafetensorsBytes.File(ulong.MaxValue, One, 8), ["18446744073709551615"]),
        ["length that ends inside the header"] = (SafetensorsBytes.File(20, One, 8), ["header is not valid JSON"]),
        ["length that reaches into the data"] = (SafetensorsBytes.File((ulong)One.Length + 4, One, 8), ["header is not valid JSON"]),
        ["some other file"] = (Encoding.UTF8.GetBytes("#!/bin/sh\necho not a checkpoint\n"), ["not a safetensors file?"]),

        ["not JSON"] = (Header("shape"), ["header is not valid JSON"]),
        ["not UTF-8"] = (SafetensorsBytes.File(4, [0x7B, 0xFF, 0xFE, 0x7D], 0), ["not valid UTF-8"]),
        ["byte order mark"] = (Header("\uFEFF" + One), ["header is not valid JSON"]),
        ["lone surrogate"] = (Header("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"""), ["not valid UTF-16"]),
        ["comment"] = (Header("/* */" + One), ["header is not valid JSON"]),
        ["trailing comma"] = (Header(One[..^1] + ",}"), ["header is not valid JSON"]),
        ["unclosed"] = (Header(One[..^1]), ["header is not valid JSON"]),
        ["a second document"] = (Header(One + "{}"), ["header is not valid JSON"]),
        ["zeros behind the header"] = (Header(One + "\0\0"), ["header is not valid JSON"]),
        ["an array"] = (Header("[]"), ["expected an object", "found an array"]),
        ["null"] = (Header("null"), ["expected an object", "found null"]),
        ["deep arrays"] = (Header(new string('[', 1_000_000)), ["expected an object"]),
        ["deep shape"] = (Tensor("F32", new string('[', 1_000_000), "[0,8]"), ["depth of 3"]),
        ["deep objects"] = (Header(string.Concat(Enumerable.Repeat("{\"a\":", 100_000))), ["expected", "tensor 'a'"]),

        ["metadata that is no object"] = (Header("""{"__metadata__":[]}""", 0), ["__metadata__", "found an array"]),
        ["metadata that is no text"] = (Header("""{"__metadata__":{"a":1}}""", 0), ["__metadata__", "found the number '1'"]),
        ["metadata twice"] = (Header("""{"__metadata__":{},"__metadata__":{}}""", 0), ["__metadata__ comes twice"]),
        ["a metadata key twice"] = (Header("""{"__metadata__":{"k":"1","k":"2"}}""", 0), ["'k' comes twice"]),

        ["a tensor that is no object"] = (Header("""{"t":7}"""), ["tensor 't'", "found the number '7'"]),
        ["a tensor twice"] = (Header(One[..^1] + "," + One[1..]), ["tensor 't' comes twice"]),
        ["a tensor twice, once escaped"] = (Header(One[..^1] + "," + One[1..].Replace("\"t\"", "\"\\u0074\"", StringComparison.Ordinal)), ["tensor 't' comes twice"]),
        ["dtype twice"] = (Header("""{"t":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"""), ["tensor 't' has dtype twice"]),
        ["shape twice"] = (Header("""{"t":{"shape":[],"shape":[2],"dtype":"F32","data_offsets":[0,8]}}"""), ["tensor 't' has shape twice"]),
        ["no dtype"] = (Header("""{"t":{"shape":[2],"data_offsets":[0,8]}}"""), ["tensor 't' has no dtype"]),
        ["no shape"] = (Header("""{"t":{"dtype":"F32","data_offsets":[0,8]}}"""), ["tensor 't' has no shape"]),
        ["no offsets"] = (Header("""{"t":{"dtype":"F32","shape":[2]}}"""), ["tensor 't' has no data_offsets"]),
        ["a key of its own"] = (Header("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"strides":[1]}}"""), ["tensor 't'", "'strides'"]),

        ["dtype that is no text"] = (Header("""{"t":{"dtype":4,"shape":[2],"data_offsets":[0,8]}}"""), ["expected a string", "found the number '4'"]),
        ["half a byte"] = (Tensor("F4", "[3]", "[0,8]"), ["tensor 't'", "shape [3]", "12 bits are no whole number of bytes"]),
        ["three quarters of a byte"] = (Tensor("F6_E2M3", "[2, 1]", "[0,8]"), ["12 bits"]),
        ["four bits of another size"] = (Tensor("F4", "[2, 4]", "[0,8]"), ["8 bytes", "F4 [2, 4] takes 4"]),
        ["unknown dtype of an impossible shape"] = (Tensor("F31", "[-2]", "[0,8]"), ["shape [-2]"]),
        ["unknown dtype with a hole behind it"] = (Tensor("F31", "[2]", "[0,7]"), ["1 byte after the last tensor"]),
        ["unknown dtype beyond the file"] = (Tensor("F31", "[2]", "[0,9]"), ["ends at byte 9"]),
        ["metadata that is a number"] = (Header("""{"__metadata__":7}"""), ["an object or null"]),
        ["metadata twice, first null"] = (Header("""{"__metadata__":null,"__metadata__":null}"""), ["__metadata__ comes twice"]),
        ["dtype of another size"] = (Tensor("F16", "[2]", "[0,8]"), ["tensor 't'", "8 bytes", "F16 [2] takes 4"]),

        ["negative shape"] = (Tensor("F32", "[-2]", "[0,8]"), ["tensor 't'", "shape [-2]"]),
        ["two negative dimensions"] = (Tensor("F32", "[-2,-1]", "[0,8]"), ["shape [-2, -1]"]),
        ["a negative dimension behind a zero"] = (Tensor("F32", "[0,-1]", "[0,0]"), ["shape [0, -1]"]),
        ["product that overflows"] = (Tensor("F32", "[4294967296,4294967296]", "[0,8]"), ["shape [4294967296, 4294967296]", "overflows"]),
        ["product that wraps to the right size"] = (Tensor("F32", "[4611686018427387904,4,2]", "[0,8]"), ["overflows"]),
        ["bytes that overflow"] = (Tensor("F64", "[2305843009213693952]", "[0,0]"), ["overflows"]),
        ["a zero behind an overflow"] = (Tensor("F32", "[9223372036854775807,2,0]", "[0,0]"), ["overflows"]),
        ["dimension of 64 bits"] = (Tensor("F32", "[18446744073709551615]", "[0,8]"), ["'18446744073709551615'"]),
        ["dimension with a point"] = (Tensor("F32", "[2.0]", "[0,8]"), ["'2.0'"]),
        ["dimension with an exponent"] = (Tensor("F32", "[2e0]", "[0,8]"), ["'2e0'"]),
        ["dimension that is text"] = (Tensor("F32", "[\"2\"]", "[0,8]"), ["found a string"]),
        ["shape that is a number"] = (Tensor("F32", "2", "[0,8]"), ["expected an array", "found the number '2'"]),
        ["shape of a million dimensions"] = (Tensor("F32", "[" + string.Join(',', Enumerable.Repeat("1", 1_000_000)) + "]", "[0,8]"), ["1000000 dimensions"]),

        ["one offset"] = (Tensor("F32", "[2]", "[8]"), ["data_offsets [8]"]),
        ["three offsets"] = (Tensor("F32", "[2]", "[0,4,8]"), ["data_offsets [0, 4, 8]"]),
        ["offsets reversed"] = (Tensor("F32", "[2]", "[8,0]"), ["data_offsets [8, 0]"]),
        ["negative offset"] = (Tensor("F32", "[2]", "[-8,0]"), ["data_offsets [-8, 0]"]),
        ["offsets that overflow"] = (Tensor("F32", "[2]", "[9223372036854775807,-9223372036854775801]"), ["data_offsets"]),
        ["size that is too small"] = (Tensor("F32", "[2]", "[0,7]"), ["7 bytes", "takes 8"]),
        ["size that is too large"] = (Tensor("F32", "[1]", "[0,8]"), ["8 bytes", "takes 4"]),
        ["data beyond the file"] = (Tensor("F32", "[3]", "[0,12]"), ["tensor 't' ends at byte 12", "the file has 8"]),
        ["data far beyond the file"] = (Tensor("U8", "[9223372036854775807]", "[0,9223372036854775807]"), ["ends at byte 9223372036854775807"]),
        ["data cut short"] = (SafetensorsBytes.File(One, 7), ["tensor 't' ends at byte 8", "the file has 7"]),
        ["bytes after the last tensor"] = (SafetensorsBytes.File(One, 9), ["1 byte after the last tensor"]),
        ["data without a tensor"] = (SafetensorsBytes.File("{}", 8), ["8 bytes after the last tensor"]),
        ["a hole at the start"] = (Tensor("F32", "[1]", "[4,8]"), ["tensor 't' begins at byte 4", "expected 0"]),
        ["a hole between tensors"] = (Two("[0,2]", "[4,6]"), ["tensor 'b' begins at byte 4", "expected 2, the end of tensor 'a'"]),
        ["tensors that overlap"] = (Two("[0,2]", "[1,3]"), ["tensor 'b' begins at byte 1", "overlaps tensor 'a'"]),
        ["two tensors in one place"] = (Two("[0,2]", "[0,2]"), ["tensor 'b'", "overlaps tensor 'a'"]),
        ["a tensor of no size inside another"] = (
            Header("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"z":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}"""), ["tensor 'z'", "overlaps tensor 'a'"]),
        ["a tensor of no size beyond the end"] = (
            Header("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"z":{"dtype":"F32","shape":[0],"data_offsets":[9,9]}}"""), ["tensor 'z' begins at byte 9"]),
        ["a name of a million characters"] = (Header("{\"" + new string('n', 1_000_000) + "\":7}"), ["nnn…'"]),
        ["a name with a terminal escape"] = (Header("""{"\u001b[2J\n":{"dtype":"F31"}}"""), [@"'\u001b[2J\u000a'"]),
    };

    public static TheoryData<string> Names => [.. _cases.Keys];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void A_malformed_file_is_refused_by_name_and_fault(string name)
    {
        (byte[] file, string[] said) = _cases[name];
        string path = _directory.Write("broken.safetensors", file);

        CheckpointException e = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));

        Assert.Equal(path, e.File);
        Assert.StartsWith(path + ": ", e.Message, StringComparison.Ordinal);
        Assert.All(said, s => Assert.Contains(s, e.Message, StringComparison.Ordinal));
        Assert.DoesNotContain(e.Message, char.IsControl);
        Assert.True(e.Message.Length < 1000, $"{e.Message.Length} characters");
    }

    [Fact]
    public void A_legal_file_cut_anywhere_is_refused()
    {
        byte[] legal = SafetensorsBytes.Legal;
        for (int length = 0; length < legal.Length; length++)
        {
            string path = _directory.Write("cut.safetensors", legal[..length]);
            Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        }
    }

    [Fact]
    public void A_header_that_claims_much_in_a_short_file_costs_little_memory()
    {
        string path = _directory.Write("claim.safetensors", _cases["length at the limit"].File);
        Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Fact]
    public void A_missing_file_and_a_directory_are_refused()
    {
        CheckpointException missing = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(_directory.At("none.safetensors")));
        Assert.Contains("does not exist", missing.Message, StringComparison.Ordinal);
        CheckpointException directory = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(_directory.Path));
        Assert.Contains("is a directory", directory.Message, StringComparison.Ordinal);
    }

    private static byte[] Header(string header, int dataLength = 8) => SafetensorsBytes.File(header, dataLength);

    private static byte[] Tensor(string type, string shape, string offsets) => Header("{" + Entry("t", type, shape, offsets) + "}");

    private static byte[] Two(string first, string second) => Header("{" + Entry("a", "F16", "[1]", first) + "," + Entry("b", "F16", "[1]", second) + "}");

    private static string Entry(string name, string type, string shape, string offsets) =>
        $$"""
        "{{name}}": { "dtype": "{{type}}", "shape": {{shape}}, "data_offsets": {{offsets}} }
        """;
}
