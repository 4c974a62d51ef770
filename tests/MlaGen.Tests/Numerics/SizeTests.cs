using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Files;

namespace MlaGen.Tests.Numerics;

/// <summary>
/// Sizes beyond what int can count: they work, or are refused in words that say what was asked for and how much can be had. Nothing here takes
/// the memory it speaks of, but what runs only when it is asked for.
/// </summary>
public sealed class SizeTests : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>More than 2³¹ bytes: written at both ends and across the middle, which takes three pages of memory.</summary>
    [Theory]
    [InlineData(int.MaxValue + 100L)]
    [InlineData(5_000_000_000L)]
    public void A_buffer_may_be_longer_than_an_array_of_its_elements(long length)
    {
        AlignedBuffer<byte> buffer = new(length);
        Assert.Equal(length, buffer.Length);
        foreach (long at in (long[])[0, int.MaxValue - 8L, length - 16])
        {
            buffer.Span(at, 16).Fill((byte)(at + 1));
            Assert.Equal((byte)(at + 1), Unsafe.Add(ref buffer.Start, (nint)at + 15));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => { buffer.Span(length - 15, 16); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { buffer.Span(-1, 1); });
    }

    /// <summary>Counted beyond what int can count: the last panels begin behind 2³¹ bytes.</summary>
    [LargeMemoryFact]
    [Trait("Category", "LargeMemory")]
    public void A_matrix_of_more_than_2_GiB_is_packed_to_its_last_row()
    {
        const int Columns = 1 << 21;
        const int Rows = (16 * PackedMatrix.PanelWidth) + 5;
        PackedMatrix matrix = PackedMatrix.Pack(Rows, Columns, TensorType.Float32, static (first, count, destination) =>
        {
            for (int i = 0; i < count; i++)
            {
                MemoryMarshal.Cast<byte, float>(destination).Slice(i * Columns, Columns).Fill(first + i + 1);
            }
        });

        Assert.Equal((1L << 31) + matrix.PanelBytes, matrix.Bytes);
        foreach (int panel in (int[])[0, 15, 16])
        {
            ReadOnlySpan<float> packed = MemoryMarshal.Cast<byte, float>(MemoryMarshal.CreateReadOnlySpan(ref matrix.Panel(panel), matrix.PanelBytes));
            for (int i = 0; i < packed.Length; i++)
            {
                int row = (panel * PackedMatrix.PanelWidth) + (i % PackedMatrix.PanelWidth);
                if (packed[i] != (row < Rows ? row + 1 : 0))
                {
                    Assert.Fail($"panel {panel}, element {i} is {packed[i]}");
                }
            }
        }
    }

    /// <summary>What the generator allows, in the widest type, with padding.</summary>
    [Fact]
    public void The_largest_projection_that_a_class_may_have_is_no_longer_than_a_buffer_can_be()
        => Assert.InRange((int.MaxValue + (1L << 24)) * sizeof(float), 0, AlignedBuffer<byte>.MostLength);

    [Theory]
    [InlineData(16, 40_000_000, "[16, 40000000] F32 makes 1 panels of 2560000000 bytes")]
    [InlineData(int.MaxValue, 2_000_000, "[2147483647, 2000000] F32 makes 134217728 panels of 128000000 bytes")]
    public void A_matrix_that_cannot_be_packed_is_refused_before_a_row_is_read(int rows, int columns, string message)
    {
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(
            () => PackedMatrix.Pack(rows, columns, TensorType.Float32, (_, _, _) => throw new InvalidOperationException("read")));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(int.MaxValue, 1 << 27)]
    [InlineData(int.MaxValue - 14, 1 << 27)]
    [InlineData(17, 2)]
    public void Panels_and_blocks_are_counted_up_to_the_largest_int(int rows, int panels)
    {
        Assert.Equal(panels, PackedMatrix.PanelsFor(rows));
        Assert.Equal((rows + 127L) / 128, LoadableTypes.BlocksOf(rows));
        Assert.All(ProductCores.All, core => Assert.InRange(core.ChunkRows(rows), 1, ProjectionKernels.MostChunkRows));
    }

    [Fact]
    public void A_text_whose_index_no_file_can_have_is_refused_before_there_is_a_file()
    {
        using LatentCache<TinyAttention> cache = new(layers: 1, maxTokens: 16);
        using LatentSequence first = cache.CreateSequence();
        using LatentSequence second = cache.CreateSequence();
        string path = _folder.At("story.cache");
        using var long1 = new NoNumbers();
        ArgumentException one = Assert.Throws<ArgumentException>(() => cache.Save(path, new SavedSequence(first, long1.Many(600_000_000))));
        ArgumentException two = Assert.Throws<ArgumentException>(() => cache.Save(path, new SavedSequence(first, long1.Many(270_000_000)), new SavedSequence(second, long1.Many(270_000_000))));
        Assert.Contains($"bytes, about 4 for each token and for each number beside them; a file can have {Array.MaxLength}", one.Message, StringComparison.Ordinal);
        Assert.Contains("2 sequences take 2160", two.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Path));
        first.Truncate(0); // Not left held.
    }

    /// <summary>The file is sparse.</summary>
    [Fact]
    public void A_file_whose_index_is_longer_than_an_array_is_refused_as_that()
    {
        string path = _folder.At("story.cache");
        using LatentCache<TinyAttention> cache = new(layers: 1, maxTokens: 16);
        cache.Save(path);
        int header;
        using (LatentSequence sequence = cache.CreateSequence())
        {
            header = CacheFileFormat.HeaderBytes(CacheFileFormat.Facts(sequence.Pool, TinyAttention.Definition).Length);
        }

        const long Index = (1L << 31) + 64;
        byte[] bytes = File.ReadAllBytes(path)[..header];
        MemoryMarshal.Write(bytes.AsSpan(header - 16), Index);
        MemoryMarshal.Write(bytes.AsSpan(header - 8), CacheFileFormat.Checksum(bytes.AsSpan(0, header - 8)));
        using (FileStream file = File.Create(path))
        {
            file.Write(bytes);
            file.SetLength(header + Index);
        }

        Assert.Contains($"an index of {Index} bytes are more than the {Array.MaxLength}", Assert.Throws<CacheFileException>(() => cache.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_with_more_rotary_angles_than_can_be_had_in_one_piece_is_refused()
    {
        const int Pairs = 1 << 20;
        RotaryPositions positions = new(new TestDefinition(TinyAttention.Shape with { QkRopeHeadDim = 2 * Pairs }).Build());
        int most = RotaryPositions.MostRows(Pairs);
        InsufficientMemoryException e = Assert.Throws<InsufficientMemoryException>(() => positions.Prepare(new int[most + 1]));
        Assert.Contains($"{most + 1} rows of {Pairs} rotary angles; the angles of {most} rows", e.Message, StringComparison.Ordinal);
        positions.Prepare([1, 2]);
        Assert.Equal(Array.MaxLength, RotaryPositions.MostRows(0));
    }

    [Fact]
    public void Tensors_and_spans_of_more_floats_than_a_step_takes_are_refused_with_both_numbers()
    {
        const int Rows = 1 << 15;
        using LatentCache<WideAttention> cache = new(layers: 1, maxTokens: Rows);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<WideAttention> batch = cache.CreateBatch(reserveRows: 0);
        batch.Add(sequence, Rows);
        Assert.Contains("hidden has 2147483648 floats; a step takes at most 2147483647", Refusal(), StringComparison.Ordinal);

        ArgumentException e = Assert.Throws<ArgumentException>(() => MlaLayer.Check(found: 12, Rows, heads: 128, width: 576, "queries", "Heads, KvLoraRank + QkRopeHeadDim"));
        Assert.Contains($"= 2415919104 floats for {Rows} rows; a step takes at most {Array.MaxLength}", e.Message, StringComparison.Ordinal);

        string Refusal()
        {
            // One float, seen again and again.
            Span<float> one = new float[1];
            ReadOnlyTensorSpan<float> hidden = new(one, [Rows, WideAttention.Shape.HiddenSize], [0, 0]);
            TensorSpan<float> output = new(one, [1], []);
            try
            {
                new WideAttention().Forward(batch, hidden, output);
                return "";
            }
            catch (ArgumentException refusal)
            {
                return refusal.Message;
            }
        }
    }

    [Fact]
    public void A_cache_of_more_bytes_than_long_can_count_is_told_in_words()
    {
        OverflowException e = Assert.Throws<OverflowException>(() => CacheLayout.Of<TinyAttention>().Bytes(int.MaxValue, long.MaxValue));
        Assert.Contains($"{int.MaxValue} layers x 24 bytes are ", e.Message, StringComparison.Ordinal);
        Assert.Contains($"at most {long.MaxValue}", e.Message, StringComparison.Ordinal);
        Assert.Equal(24L * int.MaxValue * 4, CacheLayout.Of<TinyAttention>().Bytes(int.MaxValue, 1));
    }

    [Theory]
    [InlineData(TensorType.Float32, 600_000_000, "takes 2400000000 bytes as F32")]
    [InlineData(TensorType.BFloat16, 1_100_000_000, "takes 2200000000 bytes as BF16")]
    [InlineData(TensorType.Float16, 1_100_000_000, "takes 2200000000 bytes as F16")]
    public void A_tensor_of_more_bytes_than_an_array_is_refused_in_words(TensorType type, int length, string message)
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() =>
        {
            // Never read: only its length is asked for.
            float value = 0;
            new InMemoryCheckpoint().Add("t", [length], MemoryMarshal.CreateReadOnlySpan(ref value, length), type);
        });
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vector_that_is_longer_than_its_bytes_can_be_read_is_refused_in_words()
    {
        const int Length = 600_000_000;
        CheckpointException e = Assert.Throws<CheckpointException>(() => WeightReader.ReadVector(new Claim(Length), "t", Length, "[Length]"));
        Assert.Contains($"is too large: at most {int.MaxValue / 4} values are read, found F32 [{Length}]", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Says that it has any number of numbers, which nobody may look at.</summary>
    private sealed class NoNumbers : MemoryManager<int>
    {
        public Memory<int> Many(int length) => CreateMemory(length);

        public override Span<int> GetSpan() => throw new InvalidOperationException("Nothing is there.");

        public override MemoryHandle Pin(int elementIndex = 0) => throw new InvalidOperationException("Nothing is there.");

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }

    /// <summary>A checkpoint that says of every tensor that it is a vector of so many floats.</summary>
    private sealed class Claim(long length) : ICheckpoint
    {
        public string Source => "claim";

        public IEnumerable<string> Names => [];

        public bool TryGetTensor(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CheckpointTensor? tensor)
        {
            tensor = new Tensor { Name = name, Type = TensorType.Float32, Shape = [length], Source = Source };
            return true;
        }

        private sealed class Tensor : CheckpointTensor
        {
            public override void Read(long offset, Span<byte> destination) => throw new InvalidOperationException("read");
        }
    }

    private sealed class WideAttention : CacheOnly<WideAttention>, IMlaAttention<WideAttention>
    {
        public static MlaDefinition Definition { get; } = new TestDefinition(TinyAttention.Shape with { HiddenSize = 1 << 16, MaxPositionEmbeddings = 1 << 16 }).Build();
    }
}
