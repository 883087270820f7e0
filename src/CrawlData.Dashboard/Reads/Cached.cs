namespace CrawlData.Dashboard.Reads;

/// <summary>Keeps a value for a time. Concurrent requests wait for one read.</summary>
internal sealed class Cached<T>(TimeSpan lifetime, TimeProvider time)
{
    private readonly SemaphoreSlim gate = new(1);
    private (long Since, T Value)? kept;

    public async Task<T> GetAsync(Func<Task<T>> read, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (kept is not { } current || time.GetElapsedTime(current.Since) >= lifetime)
            {
                kept = current = (time.GetTimestamp(), await read().ConfigureAwait(false));
            }

            return current.Value;
        }
        finally
        {
            gate.Release();
        }
    }
}
