namespace CrawlData.Benchmarks;

/// <summary>The amount of data and the number of rounds that the benchmarks use.</summary>
public sealed record BenchmarkScale
{
    /// <summary>Gets the scale whose figures are published.</summary>
    public static BenchmarkScale Full { get; } = new();

    /// <summary>Gets a small scale that shows that every benchmark works. Its figures mean nothing.</summary>
    public static BenchmarkScale Quick { get; } = new()
    {
        Divisor = 100,
        Crawls = 20,
        EventsPerCrawl = 500,
        Rounds = 3,
        AppendSizes = [1, 100, 1_000],
        AppendRounds = 3,
        WriterRounds = 1,
        AwaitedEvents = 200,
        UnawaitedEvents = 2_000,
        FollowedEvents = 20,
        IdleFollowers = [1, 20],
        IdleTime = TimeSpan.FromSeconds(1),
        BesideFollowers = 20,
        BesideAppends = 10,
        BesideRounds = 2,
        TransferredEvents = 1_000,
        TransferRounds = 1,
        PartitionedEvents = 20_000,
        PartitionRounds = 3,
        GrowthTableSizes = [1_000, 10_000, 100_000],
        ColdTableSizes = [5_000, 10_000],
        ColdRounds = 2,
    };

    /// <summary>Gets or sets the scale of the BenchmarkDotNet suites, whose instances BenchmarkDotNet creates.</summary>
    public static BenchmarkScale OfSuites { get; set; } = Full;

    /// <summary>Gets the divisor of the suites' row counts.</summary>
    public int Divisor { get; init; } = 1;

    public int Crawls { get; init; } = 100;

    public int EventsPerCrawl { get; init; } = 10_000;

    public int Rounds { get; init; } = 40;

    /// <summary>Gets the numbers of events that one append stores.</summary>
    public IReadOnlyList<int> AppendSizes { get; init; } = [1, 100, 1_000, 10_000];

    public int AppendRounds { get; init; } = 15;

    /// <summary>Returns the number of rounds of an append of so many events: the faster it is, the more.</summary>
    public int AppendRoundsOf(int events) => AppendRounds * Math.Clamp(7_000 / events, 1, 20);

    public int WriterRounds { get; init; } = 5;

    /// <summary>Gets the number of events that the writer's producers await one by one.</summary>
    public int AwaitedEvents { get; init; } = 2_000;

    /// <summary>Gets the number of events that the writer's producers await only at the end.</summary>
    public int UnawaitedEvents { get; init; } = 30_000;

    /// <summary>Gets the number of rounds beside a cluster of Citus.</summary>
    public int CitusRounds { get; init; } = 9;

    public int FollowedEvents { get; init; } = 300;

    /// <summary>Gets the numbers of followers that get no event.</summary>
    public IReadOnlyList<int> IdleFollowers { get; init; } = [1, 200, 2_000, 10_000];

    /// <summary>Gets the time for which the statements of idle followers are counted.</summary>
    public TimeSpan IdleTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Gets the number of idle followers beside which appends are measured.</summary>
    public int BesideFollowers { get; init; } = 2_000;

    public int BesideAppends { get; init; } = 200;

    public int BesideRounds { get; init; } = 5;

    /// <summary>Gets the number of events that the tool imports and exports.</summary>
    public int TransferredEvents { get; init; } = 112_000;

    public int TransferRounds { get; init; } = 11;

    /// <summary>Gets the number of events of each of the tables that the partitioned one is compared with.</summary>
    public int PartitionedEvents { get; init; } = 10_000_000;

    public int PartitionRounds { get; init; } = 200;

    /// <summary>Gets the numbers of events in the tables of the growth measurement, in ascending order.</summary>
    public IReadOnlyList<int> GrowthTableSizes { get; init; } = [100_000, 1_000_000, 10_000_000];

    /// <summary>Gets the numbers of events in the tables of the cold reads, in ascending order.</summary>
    public IReadOnlyList<int> ColdTableSizes { get; init; } = [1_000_000, 10_000_000];

    public int ColdRounds { get; init; } = 7;

    /// <summary>Gets the number of events of all crawls.</summary>
    public int Events => Crawls * EventsPerCrawl;

    /// <summary>Divides a suite's row count by <see cref="Divisor"/>.</summary>
    /// <returns>The reduced count, at least 1.</returns>
    public int Of(int count) => Math.Max(1, count / Divisor);

    /// <summary>Omits tables of more than this many events from the growth measurement and shrinks those of the cold reads.</summary>
    public BenchmarkScale LimitTables(int largest) => this with
    {
        GrowthTableSizes = [.. GrowthTableSizes.Where(size => size <= largest)],
        ColdTableSizes = [.. ColdTableSizes.Select(size => Math.Min(size, largest)).Distinct()],
    };
}
