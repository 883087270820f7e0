using System.Data;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>The elements of a schema, and the elements that the scripts make. To find the latter, it runs the scripts in the session's temporary schema, in a
/// transaction that is rolled back.</summary>
/// <param name="Executed">The scripts in the journal: their hashes by their names.</param>
/// <param name="Actual">The elements of the schema.</param>
/// <param name="After">For each script, the elements that it and the scripts before it make.</param>
/// <param name="Journal">The elements of the journal.</param>
/// <param name="Placement">Where Citus has placed the tables; null without Citus.</param>
/// <param name="Others">The sequences that are behind the newest ids of their tables, and what is wrong with the Citus cluster.</param>
internal sealed record SchemaComparison(
    IReadOnlyDictionary<string, string> Executed,
    SchemaCatalog Actual,
    IReadOnlyList<SchemaCatalog> After,
    SchemaCatalog Journal,
    CitusPlacement? Placement,
    IReadOnlyList<SchemaDifference> Others)
{
    // Temporary tables of the application could have the names that the scripts use. The rollback restores them.
    internal const string DiscardSql = "discard temp";

    // Citus would make the types on its workers too, and it cannot after a statement has read several shards.
    internal const string TemporarySql =
        """
        set local search_path to pg_temp;
        select pg_catalog.set_config('citus.enable_ddl_propagation', 'off', true)
        where pg_catalog.current_setting('citus.enable_ddl_propagation', true) is not null
        """;

    /// <summary>Gets the elements that the scripts before a script make.</summary>
    public SchemaCatalog Before(int script) => script == 0 ? new SchemaCatalog([]) : After[script - 1];

    /// <summary>Reads the schema, and runs the scripts.</summary>
    /// <exception cref="SchemaNotComparableException">The server is read-only, or the role lacks a right.</exception>
    public static async Task<SchemaComparison> ReadAsync(NpgsqlConnection connection, IReadOnlyList<SchemaScript> scripts, CancellationToken cancellationToken)
    {
        // In one snapshot, so that the comparison sees a concurrent migration whole or not at all.
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
        await using var disposal = transaction.ConfigureAwait(false);
        try
        {
            await ExecuteAsync(TransactionTimeouts.DisableSql).ConfigureAwait(false);
            await ExecuteAsync(DiscardSql).ConfigureAwait(false);
            await ExecuteAsync(SchemaCatalog.NarrowSearchPathSql).ConfigureAwait(false);
            var executed = await SchemaJournal.ReadAsync(connection, transaction, cancellationToken).ConfigureAwait(false);
            var actual = await SchemaCatalog.ReadAsync(transaction, cancellationToken).ConfigureAwait(false);
            var sequences = await SequencePositions.FindBehindAsync(transaction, cancellationToken).ConfigureAwait(false);
            var placement = await CitusPlacement.ReadAsync(connection, transaction, cancellationToken).ConfigureAwait(false);
            List<CitusFinding> citus = placement is null ? [] :
            [
                .. await placement.FindAppendsThroughWorkersAsync(transaction, cancellationToken).ConfigureAwait(false),
                .. await placement.FindSlowRecoveryAsync(transaction, cancellationToken).ConfigureAwait(false),
            ];

            await ExecuteAsync(TemporarySql).ConfigureAwait(false);
            var after = new List<SchemaCatalog>();
            foreach (var sql in scripts.Select(script => script.Sql).Append(SchemaJournal.CreateSql))
            {
                await ExecuteAsync(sql).ConfigureAwait(false);
                after.Add(await SchemaCatalog.ReadAsync(transaction, cancellationToken).ConfigureAwait(false));
            }

            return new SchemaComparison(
                executed,
                actual,
                after[..^1],
                after[^1].Except(after[^2]),
                placement,
                [.. sequences.Select(position => position.ToDifference()), .. citus.Select(finding => finding.ToDifference())]);
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new SchemaNotComparableException(exception);
        }

        Task ExecuteAsync(string sql) => connection.ExecuteAsync(sql, null, transaction, cancellationToken);
    }
}
