namespace Explorer.Measuring;

/// <summary>A piece of work that can be timed any number of times.</summary>
internal abstract class Workload : IDisposable
{
    /// <summary>What tables and JSON call it.</summary>
    public abstract string Kernel { get; }

    /// <summary>Floating-point operations of one run; a multiply-add is two.</summary>
    public abstract long Operations { get; }

    /// <summary>Bytes that one run has to read at least.</summary>
    public abstract long Bytes { get; }

    /// <summary>Does the work once.</summary>
    public abstract void Run();

    public virtual void Dispose()
    {
    }
}
