using CsCheck;

namespace MlaGen.Tests.Caching;

public sealed class CacheModelTests
{
    private static readonly Gen<Operation> OperationGen = Gen.Frequency<Operation>(
        (2, Gen.Const<Operation>(new Operation.Create())),
        (8, Gen.Select(Gen.Int[0, 7], Gen.Int[1, 12], Gen.Int[-60, 63], (sequence, tokens, position) => (Operation)new Operation.Add(sequence, tokens, position))),
        (2, Gen.Select(Gen.Int[0, 7], Gen.Int[1, 5], (sequence, queries) => (Operation)new Operation.Ask(sequence, queries))),
        (6, Gen.Int[1, 2].Select(count => (Operation)new Operation.RunLayers(count))),
        (5, Gen.Const<Operation>(new Operation.Commit())),
        (2, Gen.Const<Operation>(new Operation.Rollback())),
        (3, Gen.Select(Gen.Int[0, 7], Gen.Int[0, 40], (sequence, length) => (Operation)new Operation.Truncate(sequence, length))),
        (1, Gen.Int[0, 7].Select(sequence => (Operation)new Operation.Dispose(sequence))),
        (1, Gen.Const<Operation>(new Operation.RefuseMemory())));

    [Fact]
    public void Any_operations_leave_the_cache_as_the_model_says_and_lose_no_page()
        => Gen.Select(Gen.Int[1, 5], Gen.Int[1, 12], OperationGen.Array[0, 60]).Sample(
            (pageTokens, pages, operations) =>
            {
                using CacheModel model = new(pageTokens, pages);
                Array.ForEach(operations, model.Run);
            },
            iter: 2000,
            print: input => $"pages of {input.Item1}, {input.Item2} of them: {string.Join("; ", input.Item3.AsEnumerable())}");
}
