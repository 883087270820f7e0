using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Appends through a repository: one event, many, a stream, and in transactions of its own.</summary>
internal sealed class AppendClient(Workload workload, int number) : Client(workload, number)
{
    private const int LargestBatch = 1_500;

    // One client has the settings of its role. Row security applies to another, and forbids COPY.
    private readonly NpgsqlDataSource dataSource = (number % 4) switch
    {
        2 => workload.WithRowSecurity,
        3 => workload.WithRoleSettings,
        _ => workload.DataSource,
    };

    private CrawlEventRepository events = null!;

    protected override async Task StepAsync()
    {
        events ??= Workload.Events(Number, dataSource);
        await (Random.Next(60) switch
        {
            < 22 => AppendOneAsync(),
            < 32 => AppendManyAsync(Random.Next(2, 40), SomeCrawl),
            < 36 => AppendManyAsync(Random.Next(2, 60), _ => Any(Workload.Crawls)),
            36 => AppendManyAsync(Random.Next(1_000, LargestBatch + 1), SomeCrawl),
            < 40 => AppendStreamAsync(),
            < 50 => AppendInTransactionAsync(),
            < 52 => AppendRefusedAsync(),
            < 54 => AppendToUnknownAsync(),
            < 58 => AppendToEndedAsync(),
            _ => AppendCancelledAsync(),
        });
    }

    /// <summary>One crawl for a whole batch. Half of the batches go to the first crawl, which all clients share.</summary>
    private Func<int, Guid> SomeCrawl
    {
        get
        {
            var crawl = OneIn(2) ? Workload.Crawls[0] : Any(Workload.Crawls);
            return _ => crawl;
        }
    }

    private async Task AppendOneAsync()
    {
        var (crawl, key) = (SomeCrawl(0), NextKey());
        var append = new AppendOperation(Number, "append one", [(crawl, key)]) { MustSucceed = true };
        await RunAsync(append, async () => append.Ids = [await events.AppendAsync(crawl, Event(key))]);
    }

    private async Task AppendManyAsync(int count, Func<int, Guid> crawlOf)
    {
        var rows = Rows(count, crawlOf);
        var append = new AppendOperation(Number, $"append {count}", rows) { MustSucceed = true };
        await RunAsync(append, async () => append.Ids = await events.AppendAsync(Events(rows)));
    }

    private async Task AppendStreamAsync()
    {
        var rows = Rows(OneIn(4) ? Random.Next(1_000, LargestBatch) : Random.Next(1, 50), SomeCrawl);
        var append = new AppendOperation(Number, $"stream {rows.Count}", rows);
        await RunAsync(append, () => events.AppendStreamAsync(rows[0].Parent, rows.ToAsyncEnumerable().Select(row => Event(row.Key))));
    }

    private async Task AppendInTransactionAsync()
    {
        var rows = Rows(Random.Next(1, 4), SomeCrawl);
        var append = new AppendOperation(Number, $"append {rows.Count} in a transaction", rows) { InTransaction = true };
        await RunAsync(append, async () =>
        {
            await using var connection = await dataSource.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            var ids = await events.AppendAsync(rows[0].Parent, rows.Select(row => Event(row.Key)), transaction);
            await WorkAsync(transaction);
            await CommitAsync(connection, transaction);
            append.Ids = ids;
        });
    }

    /// <summary>Commits. The outcome is unknown when the server stopped waiting for its standby, which it reports by a warning.</summary>
    private static async Task CommitAsync(NpgsqlConnection connection, NpgsqlTransaction transaction)
    {
        await using var show = new NpgsqlCommand("set local client_min_messages = warning", connection, transaction);
        await show.ExecuteNonQueryAsync();
        var isConfirmed = true;
        void OnNotice(object sender, NpgsqlNoticeEventArgs notice) => isConfirmed &= notice.Notice.Routine != "SyncRepWaitForLSN";
        connection.Notice += OnNotice;
        await transaction.CommitAsync();
        connection.Notice -= OnNotice;
        if (!isConfirmed)
        {
            throw new NpgsqlException("The standby has not confirmed the COMMIT.");
        }
    }

    private async Task AppendRefusedAsync()
    {
        var rows = Rows(Random.Next(1, 10), SomeCrawl);
        var refused = Any(rows).Key;
        var append = new AppendOperation(Number, $"append {rows.Count} with {refused} refused", rows) { HasRefusedRow = true };
        await RunAsync(append, async () => append.Ids = await events.AppendAsync(Events(rows, refused)));
    }

    private async Task AppendToUnknownAsync()
    {
        var unknown = Guid.NewGuid();
        var rows = Rows(Random.Next(1, 10), index => index == 0 ? unknown : Any(Workload.Crawls));
        var append = new AppendOperation(Number, $"append {rows.Count} with an unknown crawl", rows);
        await RunAsync(append, async () => append.Ids = await events.AppendAsync(Events(rows)));
    }

    /// <summary>Appends to a run that has ended, while it may be purged.</summary>
    private async Task AppendToEndedAsync()
    {
        if (Workload.EndedRuns.TryDequeue(out var crawl))
        {
            Workload.EndedRuns.Enqueue(crawl);
            var rows = Rows(Random.Next(1, 6), _ => crawl);
            var append = new AppendOperation(Number, $"append {rows.Count} to a run that ended", rows);
            await RunAsync(append, async () => append.Ids = await events.AppendAsync(crawl, rows.Select(row => Event(row.Key))));
        }
    }

    private async Task AppendCancelledAsync()
    {
        var rows = Rows(OneIn(4) ? 1_000 : Random.Next(1, 10), SomeCrawl);
        var append = new AppendOperation(Number, $"append {rows.Count} and cancel", rows);
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMicroseconds(Random.Next(1, 10_000)));
        await RunAsync(append, async () =>
            append.Ids = await events.AppendAsync(Events(rows), cancellationToken: cancellation.Token));
    }

    private List<(Guid Parent, EventKey Key)> Rows(int count, Func<int, Guid> crawlOf) =>
        [.. Enumerable.Range(0, count).Select(index => (crawlOf(index), NextKey()))];

    private List<(Guid, NewCrawlEvent)> Events(List<(Guid Parent, EventKey Key)> rows, EventKey? refused = null) =>
        [.. rows.Select(row => (row.Parent, Event(row.Key, row.Key == refused)))];

    private async Task RunAsync(AppendOperation append, Func<Task> call)
    {
        Workload.Added(append.Rows.Count);
        await History.RunAsync(append, call);
        await ThinkAsync(append.IsAcknowledged ? 1 : 10);
    }
}
