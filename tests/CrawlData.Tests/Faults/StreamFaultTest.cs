using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>A fixture in which many tasks write to one crawl and to many, and others follow them, while a fault occurs. For each fault it counts the events
/// that were acknowledged, stored, lost, duplicated, reordered and delivered, and prints the counts at the end.</summary>
public abstract class StreamFaultTest : DatabaseTest
{
    protected const int PoolSize = 24;

    internal static readonly TimeSpan Duration = TimeSpan.FromSeconds(
        double.Parse(Environment.GetEnvironmentVariable("CRAWLDATA_FAULT_SECONDS") ?? "1", CultureInfo.InvariantCulture));

    private readonly ConcurrentBag<FaultCounts> counted = [];

    [OneTimeTearDown]
    public void Print() =>
        TestContext.Progress.WriteLine(string.Join('\n', counted
            .OrderBy(counts => counts.Fault, StringComparer.Ordinal)
            .ThenBy(counts => counts.Crawls)
            .Select(counts => $"{counts}")
            .Prepend(FaultCounts.Header)
            .Prepend("")));

    internal void Add(FaultCounts counts) => counted.Add(counts);

    internal async Task RunAsync(Load load, Func<CancellationToken, Task> fault)
    {
        using var disposal = load;
        await load.PrepareAsync();

        // The faults end before the writing, so that the last appends succeed. On a slow machine few did before.
        using var ended = new CancellationTokenSource(Duration);
        using var written = new CancellationTokenSource();
        var writing = load.WriteAsync(written.Token);
        await fault(ended.Token);
        await Wait.UntilCancelledAsync(ended.Token);
        await load.UntilAppendedAsync(20);
        await written.CancelAsync();
        await writing;
        Add(await load.CheckAsync(TestContext.CurrentContext.Test.MethodName!.Replace('_', ' ')));
    }

    /// <summary>Terminates some of this database's sessions that a condition on <c>pg_stat_activity</c> selects, again and again until the end.</summary>
    protected async Task TerminateRepeatedlyAsync(string condition, int connections, TimeSpan interval, CancellationToken ended)
    {
        using var timer = new PeriodicTimer(interval);
        for (; !ended.IsCancellationRequested; await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            await using var terminate = DataSource.CreateCommand(
                $"""
                select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and {condition} order by random() limit {connections}
                """);
            await terminate.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    protected NpgsqlDataSource CreateDataSource(string name, Action<NpgsqlConnectionStringBuilder>? configure = null)
    {
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString)
        {
            ApplicationName = name,
            MaxPoolSize = PoolSize,

            // Calls may wait long for a connection of a small pool.
            Timeout = (int)Wait.Longest.TotalSeconds,
        };
        configure?.Invoke(settings);
        return NpgsqlDataSource.Create(settings);
    }
}
