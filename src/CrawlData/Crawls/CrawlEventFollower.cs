using System.Data;
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
/// <param name="read">Reads a row of <see cref="CrawlEventRepository.ReadSql"/>.</param>
internal sealed class CrawlEventFollower(NpgsqlDataSource dataSource, TimeSpan limit, Func<DbDataReader, CrawlEvent> read)
{
    internal const string ReadAllSql =
        $"select {CrawlEventRepository.Columns} from crawl_events where id > @after_id and id <= @up_to_id order by id limit @limit";

    // Its snapshot is no later than that of the events: whoever appended before the run ended is seen.
    internal const string FollowSql =
        $"""
        select status in ('COMPLETED', 'FAILED', 'CANCELLED') from crawl_runs where id = @crawl_id;
        {CrawlEventRepository.ReadSql}
        """;

    // The head first: whoever drew an id up to it took the table's lock before, and holds it or has ended.
    internal const string HeadSql = $"select coalesce(pg_sequence_last_value('crawl_events_id_seq'), 0), pg_is_in_recovery(); {WritersSql}";

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

    // In one transaction, and so in one life of one server: ids that were drawn and not committed are drawn again after a crash.
    public Task<IReadOnlyList<CrawlEvent>> ReadAllAsync(long? afterId, int pageSize, CancellationToken cancellationToken) =>
        Retry.RunAsync(limit, () => dataSource.UseAsync<IReadOnlyList<CrawlEvent>>(null, async connection =>
        {
            var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var upToId = await SettleAsync(transaction, afterId ?? 0, cancellationToken).ConfigureAwait(false);
                var parameters = new Parameters
                {
                    { "after_id", NpgsqlDbType.Bigint, afterId ?? long.MinValue },
                    { "up_to_id", NpgsqlDbType.Bigint, upToId },
                    { "limit", NpgsqlDbType.Bigint, pageSize },
                };
                return await connection.ReadListAsync(Command(ReadAllSql, parameters, transaction, cancellationToken), read).ConfigureAwait(false);
            }
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
                return (await reader.ReadListAsync(read, cancellationToken).ConfigureAwait(false), ended);
            }
        }, cancellationToken);

    /// <summary>Waits for those who draw ids now, and returns an id up to which nothing will come any more.</summary>
    private static async Task<long> SettleAsync(NpgsqlTransaction transaction, long afterId, CancellationToken cancellationToken)
    {
        var connection = transaction.Connection!;
        long head;
        HashSet<string> writers;
        var reader = await connection.ExecuteReaderAsync(Command(HeadSql, null, transaction, cancellationToken)).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            head = reader.GetInt64(0);
            if (reader.GetBoolean(1))
            {
                throw new InvalidOperationException("A standby does not know who is writing: the events of all crawls are read on the primary.");
            }

            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            writers = [.. await reader.ReadListAsync(row => row.GetString(0), cancellationToken).ConfigureAwait(false)];
        }

        if (afterId > head)
        {
            throw new InvalidValueException("after_id", $"is {afterId}, and ids have come to {head}: it is of another database, or of a server that was lost");
        }

        for (var pause = TimeSpan.FromMilliseconds(1); head > afterId && writers.Count > 0; pause = pause * 2 < LongestWriterPause ? pause * 2 : LongestWriterPause)
        {
            await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
            writers.IntersectWith(await connection.ReadListAsync(Command(WritersSql, null, transaction, cancellationToken), row => row.GetString(0)).ConfigureAwait(false));
        }

        return head;
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
