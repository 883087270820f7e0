using System.Globalization;
using CrawlData.Schema;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Diagnostics;

public sealed partial class DatabaseDoctor
{
    // Room for what may be appended before somebody acts.
    private const int FewestAhead = 2;

    // The position is null where the role may not know it, or where there are no tables.
    internal const string PartitioningSql =
        $"""
        select exists (
                   select from pg_catalog.pg_constraint
                   where conname = '{EventPartitionStatements.Constraint}' and conrelid = pg_catalog.to_regclass('crawl_events'::text)::oid),
               case when pg_catalog.has_sequence_privilege(sequence, 'usage, select') then coalesce(pg_catalog.pg_sequence_last_value(sequence), 0) end
        from (select pg_catalog.to_regclass('crawl_events_id_seq'::text)) as position (sequence)
        """;

    internal const string ListKeepingRunsSql =
        """
        select id, status::text
        from crawl_runs
        where status operator(pg_catalog.=) any ('{PENDING, RUNNING}')
          and exists (select from crawl_events where crawl_events.crawl_id = crawl_runs.id and crawl_events.id < @up_to_id)
        order by created_at, id
        limit @limit
        """;

    private static async Task<List<DatabaseFinding>> FindPartitionsAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var (isConverting, last) = await transaction.Connection!.QuerySingleAsync(
            PartitioningSql, null, row => (row.GetBoolean(0), row.GetNullable<long?>(1)), transaction, cancellationToken).ConfigureAwait(false);
        var findings = new List<DatabaseFinding>();
        if (isConverting)
        {
            findings.Add(check.Find(
                $"constraint {EventPartitionStatements.Constraint}",
                "there: a conversion is running, or was interrupted",
                "crawldata partition goes on, and crawldata partition --abandon takes it back",
                "Appends wait once the ids reach its bound.",
                FindingSeverity.Warning));
        }

        var partitions = await EventPartitioner.ListAsync(transaction, cancellationToken).ConfigureAwait(false);
        if (partitions.Count > 0 && last is { } lastId && partitions.Count(partition => partition.IsAhead(lastId)) is < FewestAhead and var ahead)
        {
            var ids = Math.Max(0, partitions[^1].ToId - 1 - lastId);
            findings.Add(check.Find(
                "table crawl_events",
                string.Create(CultureInfo.InvariantCulture, $"partitioned for {ids:N0} more ids, with {ahead} partitions ahead"),
                "crawldata partition",
                "Without a partition for the next id, appends wait.",
                ahead == 0 ? FindingSeverity.Error : FindingSeverity.Warning));
        }

        var detached = partitions.Where(partition => partition.IsDetaching)
            .Concat(await EventPartitioner.ListDetachedAsync(transaction, cancellationToken).ConfigureAwait(false));
        findings.AddRange(detached.Select(partition => check.Find(
            $"table {partition.Table}",
            "detached: a purge is running, or was interrupted",
            "crawldata purge --crawls AGE",
            "Readers do not get its events.",
            FindingSeverity.Warning)));
        return findings;
    }

    // The newest partition that is full may have runs that are still at work.
    private static async Task<List<DatabaseFinding>> FindKeptPartitionsAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var partitions = await EventPartitioner.ListAsync(transaction, cancellationToken).ConfigureAwait(false);
        if (partitions.Count == 0)
        {
            return [];
        }

        var last = await transaction.Connection!.QuerySingleAsync(
            PartitioningSql, null, row => row.GetNullable<long?>(1), transaction, cancellationToken).ConfigureAwait(false);
        var full = partitions.Where(partition => !partition.IsOpen(last ?? 0)).ToList();
        if (full.Count < 2)
        {
            return [];
        }

        var parameters = new Parameters { { "up_to_id", NpgsqlDbType.Bigint, full[^2].ToId }, { "limit", NpgsqlDbType.Integer, MostOfAKind } };
        var runs = await transaction.Connection!.QueryAsync(
            ListKeepingRunsSql, parameters, row => (Id: row.GetGuid(0), Status: row.GetString(1)), transaction, cancellationToken).ConfigureAwait(false);
        return
        [
            .. runs.Select(run => check.Find(
                $"run {run.Id}",
                $"{run.Status}, with events in {full[^2].Table} or before",
                $"if nothing works on it: crawldata run fail {run.Id} --error TEXT",
                "It keeps partitions that a purge would drop, with all old events in them.",
                FindingSeverity.Warning)),
        ];
    }
}
