using System.Data;
using CrawlData.Storage;
using DbUp.Engine;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Schema;

/// <summary>The journal of the scripts that ran in a database, with their hashes. DbUp's own journal has no hash, allows a name twice, and stores local
/// time.</summary>
/// <param name="pending">The scripts that DbUp runs.</param>
internal sealed class SchemaJournal(IReadOnlyList<SchemaScript> pending) : IJournal
{
    internal const string CreateSql =
        """
        create table if not exists crawldata_journal (
            script_name text primary key,
            script_hash text not null,
            applied_at timestamptz not null default pg_catalog.now()
        )
        """;

    // Only in the schema of the scripts, and not elsewhere on the search path.
    internal const string ExistsSql =
        """
        select exists (
            select from pg_class
            where relname = 'crawldata_journal' and relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid)
        """;

    // In a later schema of the path, when the first one is there only because it has the role's name.
    internal const string OtherSchemaSql =
        """
        select pg_catalog.quote_ident(nspname), pg_catalog.quote_ident(pg_catalog.current_schema())
        from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace
        where relname = 'crawldata_journal'
          and nspname = any (pg_catalog.current_schemas(false))
          and nspname <> pg_catalog.current_schema()
          and pg_catalog.current_schema() = current_user
          and position('"$user"' in pg_catalog.current_setting('search_path')) > 0
        order by pg_catalog.array_position(pg_catalog.current_schemas(false), nspname)
        limit 1
        """;

    internal const string ReadSql = "select script_name, script_hash from crawldata_journal";

    internal const string MayReadSql =
        """
        select pg_catalog.has_table_privilege(oid, 'select')
        from pg_class
        where relname = 'crawldata_journal' and relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
        """;

    internal const string ReadTimesSql = "select script_name, applied_at from crawldata_journal";

    internal const string StoreSql = "insert into crawldata_journal (script_name, script_hash) values (@script_name, @script_hash)";

    /// <summary>Reads the scripts that ran.</summary>
    /// <returns>Their hashes by their names; empty in a database without a journal.</returns>
    public static async Task<IReadOnlyDictionary<string, string>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        if (!await connection.QuerySingleAsync(ExistsSql, null, row => row.GetBoolean(0), transaction, cancellationToken).ConfigureAwait(false))
        {
            return new Dictionary<string, string>();
        }

        var rows = await connection.QueryAsync(ReadSql, null, row => KeyValuePair.Create(row.GetString(0), row.GetString(1)), transaction, cancellationToken)
            .ConfigureAwait(false);
        return rows.ToDictionary();
    }

    /// <summary>Reads the time when each script ran.</summary>
    /// <returns>The times by the scripts' names; empty in a database without a journal; null when the role may not read it.</returns>
    public static async Task<IReadOnlyDictionary<string, DateTimeOffset>?> ReadTimesAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var connection = transaction.Connection!;
        var mayRead = await connection.QueryAsync(MayReadSql, null, row => row.GetBoolean(0), transaction, cancellationToken).ConfigureAwait(false);
        if (mayRead is not [true])
        {
            return mayRead is [] ? new Dictionary<string, DateTimeOffset>() : null;
        }

        var rows = await connection.QueryAsync(
            ReadTimesSql, null, row => KeyValuePair.Create(row.GetString(0), row.GetInstant(1).ToDateTimeOffset()), transaction, cancellationToken)
            .ConfigureAwait(false);
        return rows.ToDictionary();
    }

    /// <summary>Refuses a schema without a journal that is first on the path because it has the role's name, while a later schema has a journal. The tables
    /// would be made a second time, and be empty.</summary>
    /// <exception cref="MigrationException">There is such a journal.</exception>
    public static async Task RequireNoOtherAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var others = await connection.QueryAsync(
            OtherSchemaSql, null, row => (Other: row.GetString(0), First: row.GetString(1)), null, cancellationToken).ConfigureAwait(false);
        if (others is [var (other, first)])
        {
            throw new MigrationException(
                null,
                $"The schema {first} has no crawldata_journal, and {other}.crawldata_journal is on the search path too. The schema {first} is first, "
                    + $"because it has the role's name. Drop it or rename it, or set Search Path={other} in the connection string.");
        }
    }

    /// <summary>Makes the parameters of <see cref="StoreSql"/>.</summary>
    public static Parameters StoreParameters(SchemaScript script) => new()
    {
        { "script_name", NpgsqlDbType.Text, script.Name },
        { "script_hash", NpgsqlDbType.Text, script.Hash },
    };

    // DbUp gets only the pending scripts.
    public string[] GetExecutedScripts() => [];

    public void EnsureTableExistsAndIsLatestVersion(Func<IDbCommand> dbCommandFactory)
    {
        using var command = dbCommandFactory();
        command.CommandText = CreateSql;
        command.ExecuteNonQuery();
    }

    // It runs in the script's transaction, so both are stored or neither.
    public void StoreExecutedScript(SqlScript script, Func<IDbCommand> dbCommandFactory)
    {
        using var command = dbCommandFactory();
        command.CommandText = StoreSql;
        StoreParameters(pending.Single(known => known.Name == script.Name)).AddTo(command);
        command.ExecuteNonQuery();
    }
}
