namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>How much is measured.</summary>
internal sealed record Extent
{
    public int Crawls { get; init; } = 100;

    public int EventsPerCrawl { get; init; } = 10_000;

    public int Rounds { get; init; } = 40;

    public IReadOnlyList<int> Appends { get; init; } = [1, 100, 1_000, 10_000];

    public int AppendRounds { get; init; } = 15;

    public int WriterRounds { get; init; } = 5;

    public int WriterAwaited { get; init; } = 2_000;

    public int WriterUnawaited { get; init; } = 30_000;

    public int FollowedEvents { get; init; } = 300;

    public IReadOnlyList<int> Growth { get; init; } = [100_000, 1_000_000, 10_000_000];

    public IReadOnlyList<int> Cold { get; init; } = [1_000_000, 10_000_000];

    public int ColdRounds { get; init; } = 7;

    public int Events => Crawls * EventsPerCrawl;

    /// <summary>Enough to see that everything runs.</summary>
    public static Extent Quick { get; } = new()
    {
        Crawls = 20,
        EventsPerCrawl = 500,
        Rounds = 3,
        Appends = [1, 100, 1_000],
        AppendRounds = 3,
        WriterRounds = 1,
        WriterAwaited = 200,
        WriterUnawaited = 2_000,
        FollowedEvents = 20,
        Growth = [1_000, 10_000, 100_000],
        Cold = [5_000, 10_000],
        ColdRounds = 2,
    };
}
