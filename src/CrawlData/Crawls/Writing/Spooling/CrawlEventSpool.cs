namespace CrawlData.Crawls;

/// <summary>What a spool holds: the events that a <see cref="CrawlEventWriter"/> wrote to its folder, and that are not stored, as far as the folder
/// says.</summary>
public sealed record CrawlEventSpool
{
    /// <summary>Gets the number of events of each crawl.</summary>
    public required IReadOnlyDictionary<Guid, int> Crawls { get; init; }

    /// <summary>Gets the number of events.</summary>
    public required int Events { get; init; }

    /// <summary>Gets the bytes of the events' payloads.</summary>
    public required long PayloadBytes { get; init; }

    /// <summary>Gets the batches of which the folder does not say whether they are stored. The next writer asks the server.</summary>
    public required IReadOnlyList<SpooledCrawlEvents> InDoubt { get; init; }

    /// <summary>Reads a spool, and changes nothing. No writer may have it open.</summary>
    /// <param name="directory">The folder.</param>
    /// <exception cref="InvalidValueException">The folder's path is empty, is longer than 4,096 characters, or holds U+0000 or a lone surrogate.</exception>
    /// <exception cref="SpoolInUseException">A writer has it open.</exception>
    /// <exception cref="SpoolDamagedException">A file is damaged before its end, or missing.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The process may not read the folder.</exception>
    public static CrawlEventSpool Read(string directory)
    {
        using var folder = new SpoolFolder(CrawledText.Require(directory, "directory", SpoolFolder.LongestPath), create: false);
        var state = folder.Read(truncate: false).State;
        return new CrawlEventSpool
        {
            Crawls = state.Events.CountBy(one => one.CrawlId).ToDictionary(),
            Events = state.Events.Count,
            PayloadBytes = state.Events.Sum(one => (long)one.PayloadBytes),
            InDoubt = [.. state.Batches.Select(batch => new SpooledCrawlEvents
            {
                Events = batch.Events.Count,
                CrawlId = batch.FirstParentId,
                FirstId = batch.FirstId,
                StartedAt = batch.Transaction.Start.ToDateTimeOffset(),
            })],
        };
    }
}
