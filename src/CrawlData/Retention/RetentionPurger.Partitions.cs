using CrawlData.Instrumentation;
using CrawlData.Schema;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Retention;

/// <summary>Drops partitions of events.</summary>
public sealed partial class RetentionPurger
{
    // One crawl of a partition that is not old enough keeps the partition.
    internal const string FindLivingCrawlSql = $"select id from crawl_runs where id = any (@ids) and ({IsOldCrawl}) is not true limit 1";

    // What came since the crawls were found to be old.
    internal const string HasLateEventSql =
        """
        select exists (select from crawl_runs where id = any (@ids) and status::text not in ('COMPLETED', 'FAILED', 'CANCELLED'))
            or exists (select from crawl_events where id > @after_id and crawl_id = any (@ids))
        """;

    internal const string ListEmptyCrawlsSql =
        $"""
        select id, created_at
        from crawl_runs
        where (created_at, id) > (@after_time at time zone 'utc', @after_key) and {IsOldCrawl}
          and not exists (select from crawl_events where crawl_events.crawl_id = crawl_runs.id)
        order by created_at, id
        limit @limit
        """;

    private static readonly PurgeTarget EmptyCrawls = Crawls with { ListOldSql = ListEmptyCrawlsSql };

    private static readonly Func<IReadOnlyList<Guid>, CancellationToken, Task> NoArchive = (_, _) => Task.CompletedTask;

    private EventPartitioner Partitioner => new(dataSource, null, log, null);

    private async Task<PurgeTotal> PurgePartitionsAsync(
        IReadOnlyList<EventPartition> partitions,
        TimeSpan age,
        Func<IReadOnlyList<Guid>, CancellationToken, Task> archive,
        int batchSize,
        bool dryRun,
        IProgress<PurgeTotal>? progress,
        CancellationToken cancellationToken)
    {
        var cutoff = await dataSource.QuerySingleAsync(CutoffSql, Age(age), row => row.GetInstant(0), null, cancellationToken).ConfigureAwait(false);
        var conditions = new Conditions(Crawls, cutoff, AbandonArtifacts: false);
        var total = new PurgeTotal();
        if (dryRun)
        {
            await ForEachOldAsync(partitions, CountAsync).ConfigureAwait(false);
        }
        else
        {
            // Another purge that drops partitions needs no help.
            await Partitioner.TryRunAloneAsync(async () =>
            {
                await Partitioner.AttachLeftAsync(cancellationToken).ConfigureAwait(false);
                await ForEachOldAsync(await Partitioner.ListAsync(cancellationToken).ConfigureAwait(false), DropAsync).ConfigureAwait(false);
            }, cancellationToken).ConfigureAwait(false);
        }

        // Runs without any event: those that never had one, and those whose partitions an interrupted purge dropped.
        var empty = await PurgeAsync(EmptyCrawls, age, false, batchSize, dryRun, null, cancellationToken, archive).ConfigureAwait(false);
        total = total with { Deleted = total.Deleted + empty.Deleted, Left = total.Left + empty.Left };
        progress?.Report(total);
        return total;

        async Task<bool> HasLivingAsync(IReadOnlyList<Guid> crawls)
        {
            foreach (var page in crawls.Chunk(ParentsInPage))
            {
                var parameters = Ids(page);
                parameters.Add("cutoff", NpgsqlDbType.TimestampTz, cutoff);
                var living = await dataSource.QueryAsync(FindLivingCrawlSql, parameters, row => row.GetGuid(0), null, cancellationToken).ConfigureAwait(false);
                if (living.Count > 0)
                {
                    return true;
                }
            }

            return false;
        }

        async Task ForEachOldAsync(IReadOnlyList<EventPartition> all, Func<EventPartition, IReadOnlyList<Guid>, Task> work)
        {
            // No more ids of these ranges are drawn, and all that were drawn are committed or never will be.
            var last = await Partitioner.ReadLastIdAsync(cancellationToken).ConfigureAwait(false);
            var closed = all.Where(partition => !partition.IsDetaching && !partition.IsOpen(last)).ToList();
            if (closed.Count == 0 || !await Partitioner.WaitForWritersAsync(cancellationToken).ConfigureAwait(false))
            {
                return;
            }

            foreach (var partition in closed)
            {
                if (await ListUnlessLivingAsync(partition).ConfigureAwait(false) is { } crawls)
                {
                    await work(partition, crawls).ConfigureAwait(false);
                }
            }
        }

        async Task<List<Guid>?> ListUnlessLivingAsync(EventPartition partition)
        {
            var crawls = new List<Guid>();
            await foreach (var page in Partitioner.ListCrawlsAsync(partition, cancellationToken).ConfigureAwait(false))
            {
                if (await HasLivingAsync(page).ConfigureAwait(false))
                {
                    return null;
                }

                crawls.AddRange(page);
            }

            return crawls;
        }

        Task CountAsync(EventPartition partition, IReadOnlyList<Guid> crawls)
        {
            total = total with
            {
                Deleted = total.Deleted + crawls.Count,
                Rows = total.Rows + (partition.EstimatedRows ?? 0),
                Partitions = total.Partitions + 1,
            };
            progress?.Report(total);
            return Task.CompletedTask;
        }

        async Task DropAsync(EventPartition partition, IReadOnlyList<Guid> crawls)
        {
            foreach (var page in crawls.Chunk(ParentsInPage))
            {
                await archive(page, cancellationToken).ConfigureAwait(false);
            }

            await Partitioner.DetachAsync(partition, cancellationToken).ConfigureAwait(false);
            bool isDropped;
            do
            {
                // A crawl that got an event meanwhile keeps the partition. One that gets it from here on is found by the look under the lock. An id up to this
                // one may be of an event that is not committed yet.
                var checkedUpTo = await Partitioner.ReadLastIdAsync(cancellationToken).ConfigureAwait(false);
                if (!await Partitioner.WaitForWritersAsync(cancellationToken).ConfigureAwait(false) || await HasLivingAsync(crawls).ConfigureAwait(false))
                {
                    await Partitioner.AttachAgainAsync(partition, cancellationToken).ConfigureAwait(false);
                    return;
                }

                isDropped = await Partitioner.TryDropAsync(
                    partition, transaction => HasNoLateEventAsync(transaction, crawls, checkedUpTo), cancellationToken).ConfigureAwait(false);
            }
            while (!isDropped);

            Log.PartitionDropped(log, partition.Table);
            total = total with { Rows = total.Rows + (partition.EstimatedRows ?? 0), Partitions = total.Partitions + 1 };

            // Their events are gone, but for those in another partition.
            foreach (var page in crawls.Chunk(ParentsInPage))
            {
                for (var complete = false; !complete; progress?.Report(total))
                {
                    (complete, var deleted, var rows) = await DeleteAsync(conditions, page, batchSize, cancellationToken).ConfigureAwait(false);
                    total = total with { Deleted = total.Deleted + deleted, Rows = total.Rows + rows };
                }
            }
        }

        async Task<bool> HasNoLateEventAsync(NpgsqlTransaction transaction, IReadOnlyList<Guid> crawls, long afterId)
        {
            var parameters = Ids([.. crawls]);
            parameters.Add("after_id", NpgsqlDbType.Bigint, afterId);
            return !await transaction.Connection!.QuerySingleAsync(
                HasLateEventSql, parameters, row => row.GetBoolean(0), transaction, cancellationToken).ConfigureAwait(false);
        }
    }
}
