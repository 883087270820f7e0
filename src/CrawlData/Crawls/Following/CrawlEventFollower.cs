using System.Data.Common;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using CrawlData.Diagnostics;
using Dapper;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData.Crawls;

/// <summary>Reads what has come since a cursor, again and again. What it rests on is told where it is public.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="retryOptions">How long a read is tried again.</param>
/// <param name="read">Makes what reads a row of <see cref="CrawlEventRepository.ReadSql"/>.</param>
/// <param name="telemetry">Told of what was read.</param>
/// <param name="logger">Told of what is tried again.</param>
internal sealed class CrawlEventFollower(
    NpgsqlDataSource dataSource, RetryOptions retryOptions, Func<Func<DbDataReader, CrawlEvent>> read, Telemetry telemetry, ILogger logger)
{
    internal const string ReadAllSql =
        $"select {CrawlEventRepository.Columns} from crawl_events where id > @after_id and id <= @up_to_id order by id limit @limit";

    // Its snapshot is no later than that of the events: whoever appended before the run ended is seen.
    internal const string FollowSql =
        $"""
        select status in ('COMPLETED', 'FAILED', 'CANCELLED') from crawl_runs where id = @crawl_id;
        {CrawlEventRepository.ReadSql}
        """;

    internal const string HeadSql = "select coalesce(max(id), 0), pg_sequence_last_value('crawl_events_id_seq'), pg_is_in_recovery() from crawl_events";

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

    // How long a single read waits for those who write beside the newest event.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWriterPause = TimeSpan.FromMilliseconds(20);

    private readonly Retry retry = new(dataSource, retryOptions.Limit, telemetry, logger);

    public async IAsyncEnumerable<CrawlEvent> FollowAsync(
        Guid crawlId, long? afterId, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var poll = new Poll(options, options.Listen ? CrawlEventListener.Subscribe(dataSource, crawlId, logger) : null);
        while (true)
        {
            var (events, ended) = await retry.RunAsync(() => ReadAsync(crawlId, afterId, options.PageSize, cancellationToken), cancellationToken).ConfigureAwait(false);
            Tell(events);
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

    public async IAsyncEnumerable<CrawlEventBatch> FollowAllAsync(
        string? cursor, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        using var poll = new Poll(options, options.Listen ? CrawlEventListener.Subscribe(dataSource, null, logger) : null);
        var settling = new Settling();
        while (true)
        {
            await LookAsync(settling, afterId, cancellationToken).ConfigureAwait(false);
            var events = await ReadAllAsync(afterId, settling.UpToId, options.PageSize, cancellationToken).ConfigureAwait(false);
            Tell(events);
            if (events.Count > 0)
            {
                afterId = events[^1].Id;
                yield return Batch(events, afterId);
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (settling.Writers is not null)
            {
                await Task.Delay(poll.WriterPause(events.Count > 0), cancellationToken).ConfigureAwait(false);
            }
            else if (events.Count < options.PageSize)
            {
                await poll.WaitAsync(events.Count > 0, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public async Task<CrawlEventBatch> ReadAllAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        var settling = new Settling();
        var waited = Stopwatch.StartNew();
        for (var pause = TimeSpan.FromMilliseconds(1); ; pause = Longer(pause, LongestWriterPause))
        {
            await LookAsync(settling, afterId, cancellationToken).ConfigureAwait(false);
            if (settling.Writers is null || waited.Elapsed > LongestWait)
            {
                var events = await ReadAllAsync(afterId, settling.UpToId, limit, cancellationToken).ConfigureAwait(false);
                return Batch(events, events.Count > 0 ? events[^1].Id : afterId);
            }

            await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
        }
    }

    private static long Decode(string? cursor) => cursor is null ? 0 : KeysetCursor<long>.Decode(cursor, CursorKind.AllEvents).Id;

    private static CrawlEventBatch Batch(List<CrawlEvent> events, long lastId) =>
        new() { Events = events, Cursor = new KeysetCursor<long>(default, lastId).Encode(CursorKind.AllEvents) };

    private async Task<List<CrawlEvent>> ReadAllAsync(long afterId, long upToId, int limit, CancellationToken cancellationToken)
    {
        if (upToId <= afterId)
        {
            return [];
        }

        return await retry.RunAsync(
            () =>
            {
                var parameters = new Parameters
                {
                    { "after_id", NpgsqlDbType.Bigint, afterId },
                    { "up_to_id", NpgsqlDbType.Bigint, upToId },
                    { "limit", NpgsqlDbType.Bigint, limit },
                };
                return dataSource.ReadListAsync(Command(ReadAllSql, parameters, null, cancellationToken), read());
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Looks who is writing, and settles the newest event's id when all have ended who were writing beside it: whoever drew an id before that event's had taken
    /// the table's lock by then, and holds it or has ended. No id up to it is given out again, even by a server that crashed.</summary>
    private Task<bool> LookAsync(Settling settling, long afterId, CancellationToken cancellationToken) =>
        retry.RunAsync(() => dataSource.UseAsync(null, async connection =>
        {
            if (settling.Writers is null)
            {
                var (newest, last, isStandby) = (await connection.ReadListAsync(
                    Command(HeadSql, null, null, cancellationToken), row => (row.GetInt64(0), row.GetNullable<long?>(1), row.GetBoolean(2))).ConfigureAwait(false))[0];
                if (isStandby)
                {
                    throw new InvalidOperationException("A standby does not know who is writing: the events of all crawls are read on the primary.");
                }

                if (afterId > last)
                {
                    throw new InvalidValueException(
                        "cursor", $"is after id {afterId}, and ids have come to {last}: it is of another database, or of a server that was lost");
                }

                if (newest <= Math.Max(settling.UpToId, afterId))
                {
                    return true;
                }

                settling.Newest = newest;
            }

            var writing = await connection.ReadListAsync(Command(WritersSql, null, null, cancellationToken), row => row.GetString(0)).ConfigureAwait(false);
            settling.Writers ??= [.. writing];
            settling.Writers.IntersectWith(writing);
            if (settling.Writers.Count == 0)
            {
                (settling.UpToId, settling.Writers) = (settling.Newest, null);
            }

            return true;
        }, cancellationToken), cancellationToken);

    private Task<(List<CrawlEvent> Events, bool Ended)> ReadAsync(Guid crawlId, long? afterId, int pageSize, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var parameters = CrawlEventRepository.ToReadParameters(crawlId, null, afterId, pageSize);
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

    private void Tell(List<CrawlEvent> events)
    {
        if (events.Count > 0)
        {
            telemetry.Followed(events.Count, events[^1].CreatedAt);
        }
    }

    private static TimeSpan Longer(TimeSpan pause, TimeSpan longest) => pause * 2 < longest ? pause * 2 : longest;

    /// <summary>Up to which id nothing will come any more.</summary>
    private sealed class Settling
    {
        public long UpToId { get; set; }

        /// <summary>What is settled when these have ended who were writing beside it; null when none are waited for.</summary>
        public HashSet<string>? Writers { get; set; }

        public long Newest { get; set; }
    }

    /// <summary>The pauses between reads.</summary>
    private sealed class Poll(CrawlEventFollowOptions options, CrawlEventListener.Subscription? subscription) : IDisposable
    {
        private readonly TimeSpan shortest = options.FirstPause < options.PollInterval ? options.FirstPause : options.PollInterval;
        private TimeSpan pause;
        private TimeSpan writerPause;

        public Task WaitAsync(bool cameSome, CancellationToken cancellationToken)
        {
            pause = cameSome || pause == TimeSpan.Zero ? shortest : Longer(pause, options.PollInterval);
            return subscription?.WaitAsync(pause, cancellationToken) ?? Task.Delay(pause, cancellationToken);
        }

        /// <summary>Short ones, for those who write end soon, and none tells when.</summary>
        public TimeSpan WriterPause(bool cameSome) =>
            writerPause = cameSome || writerPause == TimeSpan.Zero ? TimeSpan.FromMilliseconds(1) : Longer(writerPause, LongestWriterPause);

        public void Dispose() => subscription?.Dispose();
    }
}
