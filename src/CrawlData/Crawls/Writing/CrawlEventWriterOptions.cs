namespace CrawlData.Crawls;

/// <summary>When a <see cref="CrawlEventWriter"/> flushes, and how much it holds.</summary>
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
        }
    }

    /// <summary>The most events in a flush. 10,000 unless set: with many crawls at once, the larger the flush the more of a crawl's events lie side by side on
    /// disk, which is what reading them cold costs.</summary>
    /// <exception cref="InvalidValueException">The value is less than 1.</exception>
    public int BatchSize { get; set => field = AtLeastOne(value, "batch_size"); } = 10_000;

    /// <summary>The most bytes of payloads in a flush, unless a single event has more. 8 MiB unless set.</summary>
    /// <exception cref="InvalidValueException">The value is less than 1.</exception>
    public int BatchBytes { get; set => field = AtLeastOne(value, "batch_bytes"); } = 8 * 1024 * 1024;

    /// <summary>How long events that nobody waits for are gathered before they are flushed; 100 ms unless set. A flush begins at once when one of them is waited
    /// for, whatever this says.</summary>
    /// <exception cref="InvalidValueException">The value is negative or more than a minute.</exception>
    public TimeSpan Linger
    {
        get;
        set => field = Durations.Require(value, "linger", TimeSpan.Zero, TimeSpan.FromMinutes(1));
    } = TimeSpan.FromMilliseconds(100);

    /// <summary>The most events in the buffer; who writes more waits. 20,000 unless set.</summary>
    /// <exception cref="InvalidValueException">The value is less than 1.</exception>
    public int Capacity { get; set => field = AtLeastOne(value, "capacity"); } = 20_000;

    /// <summary>The most bytes of payloads in the buffer; who writes more waits. The last event may exceed it. 64 MiB unless
    /// set.</summary>
    /// <exception cref="InvalidValueException">The value is less than 1.</exception>
    public int CapacityBytes { get; set => field = AtLeastOne(value, "capacity_bytes"); } = 64 * 1024 * 1024;

    private static int AtLeastOne(int value, string field) => value >= 1 ? value : throw new InvalidValueException(field, $"is {value}; the least is 1");
}
