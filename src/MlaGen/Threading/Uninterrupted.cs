namespace MlaGen;

/// <summary>
/// Waits that <see cref="Thread.Interrupt"/> does not end: in the middle of what they are for, nothing could be left as it must be. The thread is
/// interrupted again behind them, and so is told at the next wait that is somebody else's.
/// </summary>
internal static class Uninterrupted
{
    /// <summary>Enters a lock; what is returned leaves it.</summary>
    public static Lock.Scope Hold(Lock held)
    {
        for (bool interrupted = false; ;)
        {
            try
            {
                Lock.Scope scope = held.EnterScope();
                if (interrupted)
                {
                    Thread.CurrentThread.Interrupt();
                }

                return scope;
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
        }
    }

    /// <summary>Does something that changes nothing where it is interrupted.</summary>
    /// <typeparam name="T">What it is done on.</typeparam>
    /// <param name="action">What to do.</param>
    /// <param name="on">What to do it on.</param>
    /// <param name="again">Whether the thread is interrupted again behind it.</param>
    public static void Do<T>(Action<T> action, T on, bool again = true)
    {
        bool interrupted = false;
        while (true)
        {
            try
            {
                action(on);
                break;
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
        }

        if (interrupted && again)
        {
            Thread.CurrentThread.Interrupt();
        }
    }
}
