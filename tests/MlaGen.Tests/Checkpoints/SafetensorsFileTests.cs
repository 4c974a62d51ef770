using MlaGen.Tests.Files;

namespace MlaGen.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_legal_file_gives_names_types_shapes_and_bytes_in_the_order_of_the_data()
    {
        using SafetensorsFile file = SafetensorsFile.Open(_directory.Write("legal.safetensors", SafetensorsBytes.Legal));

        Assert.Equal(["a F32 [2, 3]", "s BF16 []", "z I8 [0, 7]", "b F16 [4]"], file.Tensors.Select(t => $"{t.Name} {Runtime.TensorTypes.Describe(t)}"));
        Assert.Equal(new Dictionary<string, string> { ["format"] = "pt" }, file.Metadata);
        Assert.All(file.Tensors, t => Assert.Equal(file.Source, t.Source));

        Assert.True(file.TryGetTensor("b", out CheckpointTensor? b));
        byte[] bytes = new byte[3];
        b.Read(5, bytes);
        Assert.Equal([31, 32, 33], bytes);

        Assert.False(file.TryGetTensor("c", out _));
        Assert.False(file.TryGetTensor("__metadata__", out _));
    }

    [Fact]
    public void Every_element_type_is_known_by_its_name_and_size()
    {
        (string Name, TensorType Type, double Bytes)[] types =
        [
            ("F4", TensorType.Float4, 0.5), ("F6_E2M3", TensorType.Float6E2M3, 0.75), ("F6_E3M2", TensorType.Float6E3M2, 0.75), ("C64", TensorType.Complex64, 8),
            ("F8_E4M3FNUZ", TensorType.Float8E4M3Fnuz, 1), ("F8_E5M2FNUZ", TensorType.Float8E5M2Fnuz, 1),
            ("F64", TensorType.Float64, 8), ("F32", TensorType.Float32, 4), ("F16", TensorType.Float16, 2), ("BF16", TensorType.BFloat16, 2),
            ("F8_E4M3", TensorType.Float8E4M3, 1), ("F8_E5M2", TensorType.Float8E5M2, 1), ("F8_E8M0", TensorType.Float8E8M0, 1),
            ("I64", TensorType.Int64, 8), ("I32", TensorType.Int32, 4), ("I16", TensorType.Int16, 2), ("I8", TensorType.Int8, 1),
            ("U64", TensorType.UInt64, 8), ("U32", TensorType.UInt32, 4), ("U16", TensorType.UInt16, 2), ("U8", TensorType.UInt8, 1), ("BOOL", TensorType.Boolean, 1),
        ];
        Assert.Equal(Enum.GetValues<TensorType>().Where(type => type != TensorType.Other).Order(), types.Select(t => t.Type).Order());
        foreach ((string name, TensorType type, double bytes) in types)
        {
            string header = $$$"""{"t":{"dtype":"{{{name}}}","shape":[3,4],"data_offsets":[0,{{{(int)(12 * bytes)}}}]}}""";
            using SafetensorsFile file = SafetensorsFile.Open(_directory.Write("types.safetensors", SafetensorsBytes.File(header, (int)(12 * bytes))));
            Assert.Equal(type, file.Tensors[0].Type);
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{}      ")]
    [InlineData(" {\n}\t")]
    [InlineData("""{"__metadata__":{}}""")]
    [InlineData("""{"__metadata__":null}""")]
    public void A_file_without_tensors_and_white_space_around_the_header_are_legal(string header)
    {
        using SafetensorsFile file = SafetensorsFile.Open(_directory.Write("empty.safetensors", SafetensorsBytes.File(header, 0)));
        Assert.Empty(file.Tensors);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void Names_may_be_any_text_and_are_compared_by_their_characters_not_their_escapes()
    {
        using SafetensorsFile file = SafetensorsFile.Open(_directory.Write(
            "names.safetensors", SafetensorsBytes.File("""{"schl\u00fcssel\n":{"dtype":"U8","sh\u0061pe":[1],"data_offsets":[0,1]}}""", 1)));
        Assert.True(file.TryGetTensor("schlüssel\n", out _));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 9)]
    [InlineData(8, 1)]
    [InlineData(9, 0)]
    [InlineData(long.MaxValue, 8)]
    [InlineData(long.MinValue, 8)]
    public void A_read_that_leaves_the_tensor_is_refused(long offset, int count)
    {
        using SafetensorsFile file = SafetensorsFile.Open(_directory.Write("legal.safetensors", SafetensorsBytes.Legal));
        Assert.True(file.TryGetTensor("b", out CheckpointTensor? tensor));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Read(offset, new byte[count]));
        tensor.Read(8, []);
    }

    [Fact]
    public void A_closed_file_says_so_whatever_is_asked_of_it()
    {
        SafetensorsFile file = SafetensorsFile.Open(_directory.Write("legal.safetensors", SafetensorsBytes.Legal));
        CheckpointTensor tensor = file.Tensors[0];
        file.Dispose();
        file.Dispose();

        Assert.Throws<ObjectDisposedException>(() => tensor.Read(0, new byte[4]));
        Assert.Throws<ObjectDisposedException>(() => file.Tensors);
        Assert.Throws<ObjectDisposedException>(() => file.Metadata);
        Assert.Throws<ObjectDisposedException>(() => file.TryGetTensor("a", out _));
    }

    [Fact]
    public void A_refused_file_is_not_kept_open()
    {
        string path = _directory.Write("broken.safetensors", SafetensorsBytes.File("{", 0));
        Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        using FileStream exclusive = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.True(exclusive.CanWrite);
    }

    [Theory]
    [InlineData("F31")]
    [InlineData("f32")]
    [InlineData("Float32")]
    [InlineData("1")]
    [InlineData("of another type")]
    [InlineData("")]
    public void A_type_that_is_not_known_is_legal_until_it_is_read(string type)
    {
        string header = $$$"""{"a":{"dtype":"{{{type}}}","shape":[3,5],"data_offsets":[0,7]},"b":{"dtype":"U8","shape":[1],"data_offsets":[7,8]}}""";
        using SafetensorsFile file = SafetensorsFile.Open(_directory.Write("types.safetensors", SafetensorsBytes.File(header, 8)));

        Assert.Equal(TensorType.Other, file.Tensors[0].Type);
        byte[] last = new byte[2];
        file.Tensors[0].Read(5, last);
        Assert.Equal([5, 6], last);
        string message = Assert.Throws<CheckpointException>(() => Runtime.WeightReader.OpenMatrix(file, "a", 3, 5, "[a, b]")).Message;
        Assert.EndsWith($"tensor 'a' has the wrong type: expected BF16, F16, F32 or scaled F8_E4M3, found '{type}' [3, 5]", message, StringComparison.Ordinal);
    }
}
