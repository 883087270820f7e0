namespace CrawlData.Crawls;

/// <summary>When a <see cref="CrawlEventWriter"/> flushes, and how much it buffers.</summary>
public sealed class CrawlEventWriterOptions
{
    /// <summary>Makes options with the defaults.</summary>
    public CrawlEventWriterOptions()
    {
    }

    internal CrawlEventWriterOptions(CrawlEventWriterOptions? other)
    {
        if (other is not null)
        {
            (BatchSize, BatchBytes, Linger, Capacity, CapacityBytes) = (other.BatchSize, other.BatchBytes, other.Linger, other.Capacity, other.CapacityBytes);
            (RetryLimit, SpoolDirectory, CreateSpoolFile) = (other.RetryLimit, other.SpoolDirectory, other.CreateSpoolFile);
        }
    }

    /// <summary>The most events in a flush. With many crawls at once, a larger flush stores more of a crawl's events side by side on disk. Reading them cold
    /// then costs less.</summary>
    /// <value>The default is 10,000; the least is 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int BatchSize { get; set => field = ArgumentRange.RequireAtLeastOne(value, nameof(BatchSize)); } = 10_000;

    /// <summary>The most bytes of payloads in a flush. A single larger event is flushed alone.</summary>
    /// <value>The default is 8 MiB; the least is 1 byte.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int BatchBytes { get; set => field = ArgumentRange.RequireAtLeastOne(value, nameof(BatchBytes)); } = 8 * 1024 * 1024;

    /// <summary>How long events are gathered before a flush while no caller awaits one of them. An awaited event is flushed at once.</summary>
    /// <value>The default is 100 ms. The range is 0 to 1 minute.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan Linger
    {
        get;
        set => field = ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromMinutes(1), nameof(Linger));
    } = TimeSpan.FromMilliseconds(100);

    /// <summary>The most events in the buffer. When it is full, <see cref="CrawlEventWriter.WriteAsync(Guid, NewCrawlEvent, CancellationToken)"/> waits.
    /// Unstored events, and events of locked crawls, each have as much space besides.</summary>
    /// <value>The default is 20,000; the least is 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int Capacity { get; set => field = ArgumentRange.RequireAtLeastOne(value, nameof(Capacity)); } = 20_000;

    /// <summary>The most bytes of payloads in the buffer. When it is full, <see cref="CrawlEventWriter.WriteAsync(Guid, NewCrawlEvent, CancellationToken)"/>
    /// waits. The last event may exceed it.</summary>
    /// <value>The default is 64 MiB; the least is 1 byte.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int CapacityBytes { get; set => field = ArgumentRange.RequireAtLeastOne(value, nameof(CapacityBytes)); } = 64 * 1024 * 1024;

    /// <summary>How long an append is retried after its first failure, how long a lost COMMIT is verified, and how long a crawl may stay locked, before its
    /// events fail. It takes the place of <see cref="RetryOptions.Limit"/>.</summary>
    /// <value>The default is <see cref="Timeout.InfiniteTimeSpan"/>: without a limit. A full buffer then lets callers wait. The range is 0 to 1 day
    /// otherwise. Zero makes one attempt.</value>
    /// <remarks>
    /// <para>Only transient errors are retried. After the writer is disposed, retries end within <see cref="RetryOptions.Limit"/>.</para>
    /// <para>When the server ends a statement that takes too long, or too much memory, the flush is split. An event that exceeds such a limit alone fails after
    /// <see cref="RetryOptions.Limit"/>.</para>
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan RetryLimit
    {
        get;
        set => field = value == Timeout.InfiniteTimeSpan
            ? value
            : ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(RetryLimit));
    } = Timeout.InfiniteTimeSpan;

    /// <summary>The folder of a spool, which keeps events on disk until they are stored. The folder is made when it does not exist. It belongs to one writer
    /// at a time.</summary>
    /// <value>The default is null: there is no spool, and events that are not stored are lost with the process.</value>
    /// <remarks>
    /// <para>With a spool, an event is on disk when <see cref="CrawlEventWriter.WriteAsync(Guid, NewCrawlEvent, CancellationToken)"/> returns. The next
    /// writer on the folder stores it, once, before new events of its crawl. Events that callers await with
    /// <see cref="CrawlEventWriter.AppendAsync(Guid, NewCrawlEvent, CancellationToken)"/> are not in the spool.</para>
    /// <para>Callers that write at the same time share one wait for the disk. One caller that awaits each write waits each time.</para>
    /// <para>The files hold payloads in plain text. Use a local disk: network file systems may ignore the lock.</para>
    /// </remarks>
    /// <exception cref="InvalidValueException">The value is empty, is longer than 4,096 characters, or holds U+0000 or a lone surrogate.</exception>
    public string? SpoolDirectory { get; set => field = value is null ? null : CrawledText.Require(value, "spool_directory", SpoolFolder.LongestPath); }

    /// <summary>Creates a file of the spool. Tests replace it.</summary>
    internal Func<string, SpoolFile>? CreateSpoolFile { get; set; }
}
