using CsCheck;

namespace MlaGen.Tests.Caching;

public sealed class CacheModelTests
{
    private const string SharedMemory = "/dev/shm";

    private static readonly Gen<int> Which = Gen.Int[0, 7];

    private static readonly Gen<Operation> OperationGen = Gen.Frequency<Operation>(
        (2, Gen.Const<Operation>(new Operation.Create())),
        (3, Which.Select(sequence => (Operation)new Operation.Fork(sequence))),
        (8, Gen.Select(Which, Gen.Int[1, 12], Gen.Int[-120, 63], (sequence, tokens, position) => (Operation)new Operation.Add(sequence, tokens, position))),
        (4, Gen.Select(Which, Gen.Int[1, 9], Gen.Int[0, 99], (sequence, tokens, seed) => (Operation)new Operation.AddTree(sequence, tokens, seed))),
        (1, Gen.Select(Which, Gen.Int[1, 5], (sequence, queries) => (Operation)new Operation.Ask(sequence, queries))),
        (8, Gen.Int[1, 2].Select(count => (Operation)new Operation.RunLayers(count))),
        (5, Gen.Select(Which, Gen.Int[0, 10], (entry, token) => (Operation)new Operation.Accept(entry, token))),
        (7, Gen.Const<Operation>(new Operation.Commit())),
        (2, Gen.Const<Operation>(new Operation.Rollback())),
        (3, Gen.Select(Which, Gen.Int[0, 40], (sequence, length) => (Operation)new Operation.Truncate(sequence, length))),
        (2, Gen.Select(Which, Gen.Int[0, 20], (sequence, tokens) => (Operation)new Operation.Reserve(sequence, tokens))),
        (1, Which.Select(sequence => (Operation)new Operation.Dispose(sequence))),
        (3, Which.Select(sequence => (Operation)new Operation.Register(sequence))),
        (3, Gen.Select(Which, Gen.Int[0, 40], (sequence, length) => (Operation)new Operation.Start(sequence, length))),
        (1, Gen.Int[0, 4].Select(pages => (Operation)new Operation.Evict(pages))),
        (1, Gen.Bool.Select(yes => (Operation)new Operation.EvictWhenFull(yes))),
        (2, Gen.Select(Gen.Int[0, 255], Gen.Int[0, 255], (some, others) => (Operation)new Operation.Save(some & others))),
        (2, Gen.Const<Operation>(new Operation.Load())),
        (2, Gen.Int[0, 6].Select(after => (Operation)new Operation.Fault(after))));

    [Fact]
    public void Any_operations_leave_the_cache_as_the_model_says_and_lose_no_page()
    {
        // In memory where that can be had: thousands of files, each flushed to its disk.
        string folder = Path.Combine(Directory.Exists(SharedMemory) ? SharedMemory : Path.GetTempPath(), $"mlagen-model-{Guid.NewGuid():N}");
        Directory.CreateDirectory(folder);
        try
        {
            int files = 0;
            Gen.Select(Gen.Int[1, 5], Gen.Int[1, 16], OperationGen.Array[0, 120]).Sample(
                (pageTokens, pages, operations) =>
                {
                    using CacheModel model = new(pageTokens, pages, Path.Combine(folder, $"{Interlocked.Increment(ref files)}.cache"));
                    Array.ForEach(operations, model.Run);
                },
                iter: 10_000,
                print: input => $"pages of {input.Item1}, {input.Item2} of them: {string.Join("; ", input.Item3.AsEnumerable())}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
