namespace MlaGen;

/// <summary>A <see cref="MlaBatch"/> for the layers of one class, so that sequences of differently shaped models cannot be mixed up.</summary>
/// <typeparam name="TAttention">A class generated from <see cref="MlaAttentionAttribute"/>.</typeparam>
/// <remarks>Thread safety: one thread at a time; different batches are independent.</remarks>
public sealed class MlaBatch<TAttention> : MlaBatch
    where TAttention : class, IMlaAttention<TAttention>
{
    internal MlaBatch(PagePool pool, MlaExecutor executor, int reserveRows)
        : base(pool, TAttention.Definition, executor)
    {
        if (reserveRows > 0)
        {
            Engine.Reserve(reserveRows);
        }
    }
}
