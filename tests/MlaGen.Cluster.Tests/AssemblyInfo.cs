// Bytes are counted for the whole process, and silos start slowly beside others.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
