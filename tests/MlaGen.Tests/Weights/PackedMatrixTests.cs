using System.Runtime.InteropServices;
using MlaGen.Runtime;

namespace MlaGen.Tests.Weights;

/// <summary>Rows in groups that start on panels of their own: what groups make up the matrix, and where its rows then lie.</summary>
public sealed class PackedMatrixTests
{
    private const int Columns = 5;

    [Theory]
    [InlineData(10, new int[0])]
    [InlineData(12, new[] { 4 })]
    [InlineData(14, new[] { 3, 4 })]
    [InlineData(10, new[] { 3, 4 })]
    [InlineData(48, new[] { 16 })]
    [InlineData(68, new[] { 17, 1, 33 })]
    [InlineData(1, new[] { 1, int.MaxValue })]
    public void Every_group_starts_on_a_panel_of_its_own(int rows, int[] groups)
    {
        float[] values = [.. Enumerable.Range(1, rows * Columns)];

        PackedMatrix matrix = PackedMatrix.Pack(rows, Columns, values, groups);

        int row = 0;
        int panel = 0;
        for (int group = 0; row < rows; group++)
        {
            int end = row + (groups.Length == 0 ? rows : groups[group % groups.Length]);
            for (; row < end; panel++)
            {
                ReadOnlySpan<float> packed = MemoryMarshal.Cast<byte, float>(MemoryMarshal.CreateReadOnlySpan(ref matrix.Panel(panel), matrix.PanelBytes));
                int count = Math.Min(PackedMatrix.PanelWidth, end - row);
                for (int i = 0; i < packed.Length; i++)
                {
                    int lane = i % PackedMatrix.PanelWidth;
                    Assert.Equal(lane < count ? values[((row + lane) * Columns) + (i / PackedMatrix.PanelWidth)] : 0, packed[i]);
                }

                row += count;
            }
        }

        Assert.Equal((rows, panel), (row, matrix.PanelCount));
    }

    [Theory]
    [InlineData(10, new[] { 0 }, 0)]
    [InlineData(10, new[] { -1 }, -1)]
    [InlineData(10, new[] { 3, 0 }, 0)]
    [InlineData(3, new[] { 3, 0 }, 0)]
    [InlineData(10, new[] { int.MinValue, 10 }, int.MinValue)]
    public async Task A_group_without_a_row_is_refused(int rows, int[] groups, int group)
    {
        ArgumentOutOfRangeException e = await Refused<ArgumentOutOfRangeException>(rows, groups);
        Assert.Equal(("groups", group), (e.ParamName, e.ActualValue));
    }

    [Theory]
    [InlineData(10, new[] { 4 }, "Groups of rows, 4, repeated, do not make up 10 rows: behind 8 rows 2 are left, and the next group has 4.")]
    [InlineData(9, new[] { 3, 4 }, "Groups of rows, 3, 4, repeated, do not make up 9 rows: behind 7 rows 2 are left, and the next group has 3.")]
    [InlineData(5, new[] { 7 }, "Groups of rows, 7, repeated, do not make up 5 rows: behind 0 rows 5 are left, and the next group has 7.")]
    [InlineData(5, new[] { 3, int.MaxValue }, "Groups of rows, 3, 2147483647, repeated, do not make up 5 rows: behind 3 rows 2 are left, and the next group has 2147483647.")]
    public async Task Groups_that_do_not_make_up_the_matrix_are_refused(int rows, int[] groups, string message)
        => Assert.StartsWith(message, (await Refused<ArgumentException>(rows, groups)).Message, StringComparison.Ordinal);

    /// <summary>Refused before a row is read; to count panels for ever is what would be wrong.</summary>
    private static Task<TException> Refused<TException>(int rows, int[] groups)
        where TException : Exception
        => Assert.ThrowsAsync<TException>(() => Task.Factory
            .StartNew(() => PackedMatrix.Pack(rows, Columns, TensorType.Float32, (_, _, _) => throw new InvalidOperationException("read"), groups), TaskCreationOptions.LongRunning)
            .WaitAsync(TimeSpan.FromMinutes(1)));
}
