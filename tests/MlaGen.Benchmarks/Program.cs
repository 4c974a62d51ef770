using BenchmarkDotNet.Running;
using MlaGen.Benchmarks;

BenchmarkSwitcher.FromTypes([typeof(KernelBenchmarks), typeof(GeneratorBenchmarks)]).Run(args);
