using System.Data;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>What a schema holds, and what scripts make, found by running them: they are the only truth about it. They run in the session's temporary schema, in
/// a transaction that is rolled back.</summary>
/// <param name="Executed">The scripts that the journal says have run, by name, with their hashes.</param>
/// <param name="Actual">What the schema holds.</param>
/// <param name="Made">What there is after each script.</param>
/// <param name="Journal">What a journal adds.</param>
internal sealed record SchemaComparison(
    IReadOnlyDictionary<string, string> Executed, SchemaCatalog Actual, IReadOnlyList<SchemaCatalog> Made, SchemaCatalog Journal)
{
    // What the application has there would be in the way; it comes back with the rollback.
    internal const string DiscardSql = "discard temp";

    internal const string TemporarySql = "set local search_path to pg_temp";

    /// <summary>What there is before each script.</summary>
    public SchemaCatalog Before(int script) => script == 0 ? new SchemaCatalog([]) : Made[script - 1];

    /// <exception cref="SchemaNotComparableException">The server, or the role's rights, do not allow it.</exception>
    public static async Task<SchemaComparison> ReadAsync(NpgsqlConnection connection, IReadOnlyList<SchemaScript> scripts, CancellationToken cancellationToken)
    {
        // In one snapshot, so that a migration that ends meanwhile is seen whole or not at all.
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
        await using var disposal = transaction.ConfigureAwait(false);
        try
        {
            await ExecuteAsync(DiscardSql).ConfigureAwait(false);
            await ExecuteAsync(SchemaCatalog.NarrowSearchPathSql).ConfigureAwait(false);
            var executed = await SchemaJournal.ReadAsync(connection, cancellationToken).ConfigureAwait(false);
            var actual = await SchemaCatalog.ReadAsync(transaction, cancellationToken).ConfigureAwait(false);

            await ExecuteAsync(TemporarySql).ConfigureAwait(false);
            var made = new List<SchemaCatalog>();
            foreach (var sql in scripts.Select(script => script.Sql).Append(SchemaJournal.CreateSql))
            {
                await ExecuteAsync(sql).ConfigureAwait(false);
                made.Add(await SchemaCatalog.ReadAsync(transaction, cancellationToken).ConfigureAwait(false));
            }

            return new SchemaComparison(executed, actual, made[..^1], made[^1].Since(made[^2]));
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new SchemaNotComparableException(exception);
        }

        Task ExecuteAsync(string sql) => connection.ExecuteAsync(sql, null, transaction, cancellationToken);
    }
}
