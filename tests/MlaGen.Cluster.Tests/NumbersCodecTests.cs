using System.Buffers;
using Cluster.Segments;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;

namespace MlaGen.Cluster.Tests;

/// <summary>Numbers through the serializer of Orleans.</summary>
public sealed class NumbersCodecTests
{
    private static readonly Serializer _serializer = new ServiceCollection().AddSerializer().BuildServiceProvider().GetRequiredService<Serializer>();

    [Theory]
    [InlineData("Float32", 0)]
    [InlineData("Float32", 1)]
    [InlineData("Float32", 73728)]
    [InlineData("BFloat16", 1)]
    [InlineData("BFloat16", 5000)]
    public void Rounded_numbers_come_back_bit_for_bit(string name, int count)
    {
        WireFormat format = Enum.Parse<WireFormat>(name);
        float[] values = [.. Enumerable.Range(0, count).Select(static i => i % 7 == 0 ? float.NegativeInfinity : MathF.Sin(i) * MathF.Pow(10, (i % 60) - 30))];
        format.Round(values);
        byte[] bytes = _serializer.SerializeToArray(Reply(values, format));
        SegmentReply back = _serializer.Deserialize<SegmentReply>(bytes)!;

        Assert.Equal(values.Select(BitConverter.SingleToInt32Bits), back.Output.Values.ToArray().Select(BitConverter.SingleToInt32Bits));
        Assert.Equal(format, back.Output.Format);
        Assert.InRange(bytes.Length, count * format.Bytes(), (count * format.Bytes()) + 40);
    }

    [Theory]
    [InlineData(1.00390625f, 1f)]
    [InlineData(1.01171875f, 1.015625f)]
    [InlineData(float.MaxValue, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Rounding_goes_to_the_nearest_and_of_two_to_the_even_one(float value, float expected)
    {
        float[] values = [value, -value];
        WireFormat.BFloat16.Round(values);
        Assert.Equal([expected, -expected], values);
    }

    /// <summary>Whatever the bits, many at once are rounded as each by itself, and travel unchanged after that.</summary>
    [Fact]
    public void Many_are_rounded_as_each_alone()
    {
        Random random = new(5);
        float[] values = [.. Enumerable.Range(0, 10007).Select(i => BitConverter.Int32BitsToSingle(i % 9 == 0 ? 0x7F80_0001 + random.Next(1 << 22) : random.Next(int.MinValue, int.MaxValue)))];
        int[] expected = [.. values.Select(Alone)];
        WireFormat.BFloat16.Round(values);
        byte[] bytes = new byte[2 * values.Length];
        WireFormat.BFloat16.Encode(values, bytes);
        float[] back = new float[values.Length];
        WireFormat.BFloat16.Decode(bytes, back);

        Assert.Equal(expected, values.Select(BitConverter.SingleToInt32Bits));
        Assert.Equal(expected, back.Select(BitConverter.SingleToInt32Bits));

        static int Alone(float value)
        {
            uint bits = BitConverter.SingleToUInt32Bits(value);
            return (int)((float.IsNaN(value) ? bits | 0x0040_0000 : bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF_0000);
        }
    }

    [Fact]
    public void A_message_that_was_cut_off_or_changed_is_refused()
    {
        byte[] bytes = _serializer.SerializeToArray(Reply([1, 2, 3], WireFormat.Float32));
        for (int length = 0; length < bytes.Length; length++)
        {
            AssertRefused(bytes[..length]);
        }

        int refused = 0;
        for (int place = 0; place < bytes.Length; place++)
        {
            byte[] changed = [.. bytes];
            changed[place] ^= 0xFF;
            refused += Reads(changed) ? 0 : 1;
        }

        Assert.InRange(refused, 1, bytes.Length);
    }

    private static SegmentReply Reply(float[] values, WireFormat format) => new() { Output = new Numbers(values, format) };

    private static void AssertRefused(byte[] bytes) => Assert.False(Reads(bytes));

    /// <summary>Whether bytes are a message. What is none is refused by an exception, and by one that ends neither process nor memory.</summary>
    private static bool Reads(byte[] bytes)
    {
        try
        {
            _ = _serializer.Deserialize<SegmentReply>(new ReadOnlySequence<byte>(bytes));
            return true;
        }
        catch (Exception problem) when (problem is not (OutOfMemoryException or AccessViolationException))
        {
            return false;
        }
    }
}
