using System.Data.Common;
using System.Runtime.CompilerServices;
using Dapper;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData.Crawls;

/// <summary>Reads what has come since a cursor, again and again. What it rests on is told where it is public.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="limit">How long a read is tried again.</param>
/// <param name="read">Makes what reads a row of <see cref="CrawlEventRepository.ReadSql"/>.</param>
internal sealed class CrawlEventFollower(NpgsqlDataSource dataSource, TimeSpan limit, Func<Func<DbDataReader, CrawlEvent>> read)
{
    internal const string ReadAllSql =
        $"select {CrawlEventRepository.Columns} from crawl_events where id > @after_id and id <= @up_to_id order by id limit @limit";

    // Its snapshot is no later than that of the events: whoever appended before the run ended is seen.
    internal const string FollowSql =
        $"""
        select status in ('COMPLETED', 'FAILED', 'CANCELLED') from crawl_runs where id = @crawl_id;
        {CrawlEventRepository.ReadSql}
        """;

    internal const string HeadSql = "select coalesce(max(id), 0), coalesce(pg_sequence_last_value('crawl_events_id_seq'), 0), pg_is_in_recovery() from crawl_events";

    internal const string WritersSql =
        """
        select distinct virtualtransaction
        from pg_locks
        where locktype = 'relation'
          and database = (select oid from pg_database where datname = current_database())
          and relation = 'crawl_events'::regclass
          and mode = 'RowExclusiveLock'
          and granted
        """;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestWriterPause = TimeSpan.FromMilliseconds(20);

    public async IAsyncEnumerable<CrawlEvent> FollowAsync(
        Guid crawlId, long? afterId, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var poll = new Poll(options, options.Listen ? CrawlEventListener.Subscribe(dataSource, crawlId) : null);
        while (true)
        {
            var (events, ended) = await Retry.RunAsync(limit, () => ReadAsync(crawlId, afterId, options.PageSize, cancellationToken), cancellationToken).ConfigureAwait(false);
            foreach (var crawlEvent in events)
            {
                yield return crawlEvent;
                cancellationToken.ThrowIfCancellationRequested();
                afterId = crawlEvent.Id;
            }

            if (events.Count < options.PageSize)
            {
                if (ended)
                {
                    yield break;
                }

                await poll.WaitAsync(events.Count > 0, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public async IAsyncEnumerable<CrawlEvent> FollowAllAsync(
        long? afterId, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var poll = new Poll(options, options.Listen ? CrawlEventListener.Subscribe(dataSource, null) : null);
        while (true)
        {
            var events = await ReadAllAsync(afterId, options.PageSize, cancellationToken).ConfigureAwait(false);
            foreach (var crawlEvent in events)
            {
                yield return crawlEvent;
                cancellationToken.ThrowIfCancellationRequested();
                afterId = crawlEvent.Id;
            }

            if (events.Count < options.PageSize)
            {
                await poll.WaitAsync(events.Count > 0, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public Task<IReadOnlyList<CrawlEvent>> ReadAllAsync(long? afterId, int pageSize, CancellationToken cancellationToken) =>
        Retry.RunAsync(limit, () => dataSource.UseAsync<IReadOnlyList<CrawlEvent>>(null, async connection =>
        {
            var upToId = await SettleAsync(connection, afterId ?? 0, cancellationToken).ConfigureAwait(false);
            var parameters = new Parameters
            {
                { "after_id", NpgsqlDbType.Bigint, afterId ?? long.MinValue },
                { "up_to_id", NpgsqlDbType.Bigint, upToId },
                { "limit", NpgsqlDbType.Bigint, pageSize },
            };
            return await connection.ReadListAsync(Command(ReadAllSql, parameters, null, cancellationToken), read()).ConfigureAwait(false);
        }, cancellationToken), cancellationToken);

    private Task<(List<CrawlEvent> Events, bool Ended)> ReadAsync(Guid crawlId, long? afterId, int pageSize, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var parameters = CrawlEventRepository.ToParameters(crawlId, new CrawlEventQuery { AfterId = afterId, Limit = pageSize });
            var reader = await connection.ExecuteReaderAsync(Command(FollowSql, parameters, null, cancellationToken)).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    throw new RowNotFoundException(CrawlEventRepository.ParentTable, [crawlId]);
                }

                var ended = reader.GetBoolean(0);
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                return (await reader.ReadListAsync(read(), cancellationToken).ConfigureAwait(false), ended);
            }
        }, cancellationToken);

    /// <summary>Returns an id up to which nothing will come any more: that of the newest event, when all have ended who were writing beside it. Whoever drew an id before
    /// that event's had taken the table's lock by then, and holds it or has ended.</summary>
    private static async Task<long> SettleAsync(NpgsqlConnection connection, long afterId, CancellationToken cancellationToken)
    {
        var (newest, last, isStandby) = (await connection.ReadListAsync(
            Command(HeadSql, null, null, cancellationToken), row => (row.GetInt64(0), row.GetInt64(1), row.GetBoolean(2))).ConfigureAwait(false))[0];
        if (isStandby)
        {
            throw new InvalidOperationException("A standby does not know who is writing: the events of all crawls are read on the primary.");
        }

        if (afterId > last)
        {
            throw new InvalidValueException("after_id", $"is {afterId}, and ids have come to {last}: it is of another database, or of a server that was lost");
        }

        HashSet<string>? writers = null;
        for (var pause = TimeSpan.FromMilliseconds(1); newest > afterId; pause = pause * 2 < LongestWriterPause ? pause * 2 : LongestWriterPause)
        {
            var writing = await connection.ReadListAsync(Command(WritersSql, null, null, cancellationToken), row => row.GetString(0)).ConfigureAwait(false);
            writers ??= [.. writing];
            writers.IntersectWith(writing);
            if (writers.Count == 0)
            {
                break;
            }

            await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
        }

        return newest;
    }

    /// <summary>The pauses between reads.</summary>
    private sealed class Poll(CrawlEventFollowOptions options, CrawlEventListener.Subscription? subscription) : IDisposable
    {
        private readonly TimeSpan shortest = ShortestPause < options.PollInterval ? ShortestPause : options.PollInterval;
        private TimeSpan pause;

        public Task WaitAsync(bool cameSome, CancellationToken cancellationToken)
        {
            pause = cameSome || pause == TimeSpan.Zero ? shortest : pause * 2 < options.PollInterval ? pause * 2 : options.PollInterval;
            return subscription?.WaitAsync(pause, cancellationToken) ?? Task.Delay(pause, cancellationToken);
        }

        public void Dispose() => subscription?.Dispose();
    }
}
