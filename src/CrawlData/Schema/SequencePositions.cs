using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>Compares the sequences of ids with the newest ids of their tables. A sequence that was set back, or that logical replication did not move, gives
/// ids that readers have passed.</summary>
internal static class SequencePositions
{
    // If a table or a sequence is missing or of another kind, the catalog has the difference. A role without these rights cannot compare.
    internal const string ReadableSql =
        """
        select tables.relname
        from pg_catalog.pg_class as tables
        join pg_catalog.pg_attribute on attrelid = tables.oid and attname = 'id' and atttypid = 'bigint'::regtype::oid and not attisdropped
        join pg_catalog.pg_class as sequences on sequences.relnamespace = tables.relnamespace and sequences.relname = tables.relname::text || '_id_seq'
        where tables.relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
          and tables.relname in ('crawl_events', 'crawl_logs')
          and tables.relkind in ('r', 'p')
          and pg_catalog.has_table_privilege(tables.oid, 'select')
          and case sequences.relkind when 'S' then pg_catalog.has_sequence_privilege(sequences.oid, 'usage, select') end
        order by tables.relname
        """;

    internal const string NewestEventSql = "select pg_catalog.max(id) from crawl_events";

    internal const string NewestLogSql = "select pg_catalog.max(id) from crawl_logs";

    // In statements of their own: Citus would send them to a worker with the tables, which has a sequence of its own.
    internal const string LastEventSql = "select pg_catalog.pg_sequence_last_value('crawl_events_id_seq')";

    internal const string LastLogSql = "select pg_catalog.pg_sequence_last_value('crawl_logs_id_seq')";

    /// <summary>A sequence that is behind.</summary>
    /// <param name="Table">The table.</param>
    /// <param name="Newest">The table's newest id.</param>
    /// <param name="Last">The id that the sequence gave last; 0 when it gave none.</param>
    public sealed record Position(string Table, long Newest, long Last)
    {
        public string Sequence => $"{Table}_id_seq";

        /// <summary>The statement that mends it while no writer runs.</summary>
        public string Remedy => $"select pg_catalog.setval('{Sequence}', (select max(id) from {Table}))";

        public SchemaDifference ToDifference() => new()
        {
            Kind = SchemaDifferenceKind.Changed,
            Element = $"sequence {Sequence}",
            Expected = $"at least {Newest}",
            Actual = $"{Last}",
            Remedy = Remedy,
        };
    }

    /// <summary>Finds the sequences that are behind. The search path must have only the schema.</summary>
    public static async Task<IReadOnlyList<Position>> FindBehindAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var connection = transaction.Connection!;
        var behind = new List<Position>();
        foreach (var table in await connection.QueryAsync(ReadableSql, null, row => row.GetString(0), transaction, cancellationToken).ConfigureAwait(false))
        {
            // The table first: the sequence may move on in between, and is ahead then.
            var newest = await ReadAsync(table == "crawl_events" ? NewestEventSql : NewestLogSql).ConfigureAwait(false);
            var last = await ReadAsync(table == "crawl_events" ? LastEventSql : LastLogSql).ConfigureAwait(false);
            if (newest > last)
            {
                behind.Add(new Position(table, newest, last));
            }
        }

        return behind;

        Task<long> ReadAsync(string sql) =>
            connection.QuerySingleAsync(sql, null, row => row.GetNullable<long?>(0) ?? 0, transaction, cancellationToken);
    }
}
