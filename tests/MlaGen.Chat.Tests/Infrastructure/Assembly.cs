// Metrics of a process are told by all its servers: only one runs at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
