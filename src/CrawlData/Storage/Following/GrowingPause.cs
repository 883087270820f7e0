namespace CrawlData.Storage;

/// <summary>A pause that doubles from one read to the next.</summary>
/// <param name="first">The first pause.</param>
internal struct GrowingPause(TimeSpan first)
{
    /// <summary>Most transactions end soon, and no notification reports their end.</summary>
    public static readonly TimeSpan LongestForTransactions = TimeSpan.FromMilliseconds(16);

    private TimeSpan last;

    /// <summary>The pauses until new rows are likely.</summary>
    public static GrowingPause ForRows => new(TimeSpan.FromMilliseconds(10));

    /// <summary>The pauses until the open transactions are likely to have ended for which <see cref="HighWaterMark"/> waits.</summary>
    public static GrowingPause ForTransactions => new(TimeSpan.FromMilliseconds(1));

    /// <summary>Gets the next pause.</summary>
    public TimeSpan Next(TimeSpan longest)
    {
        var next = last == default ? first : last * 2;
        return last = next < longest ? next : longest;
    }
}
