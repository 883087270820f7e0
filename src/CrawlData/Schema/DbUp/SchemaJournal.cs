using System.Data;
using CrawlData.Diagnostics;
using DbUp.Engine;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Schema;

/// <summary>Which scripts ran in a database, and what they said when they did. DbUp's own journal knows no hash, lets a name in twice, and keeps local
/// time.</summary>
internal sealed class SchemaJournal(IReadOnlyList<SchemaScript> pending) : IJournal
{
    internal const string CreateSql =
        """
        create table if not exists crawldata_journal (
            script_name text primary key,
            script_hash text not null,
            applied_at timestamptz not null default now()
        )
        """;

    // Where the scripts go, and nowhere else on the search path.
    internal const string ExistsSql =
        "select exists (select from pg_class where relname = 'crawldata_journal' and relnamespace = quote_ident(current_schema())::regnamespace)";

    internal const string ReadSql = "select script_name, script_hash from crawldata_journal";

    internal const string MayReadSql =
        """
        select has_table_privilege(oid, 'select')
        from pg_class
        where relname = 'crawldata_journal' and relnamespace = quote_ident(current_schema())::regnamespace
        """;

    internal const string ReadTimesSql = "select script_name, applied_at from crawldata_journal";

    internal const string StoreSql = "insert into crawldata_journal (script_name, script_hash) values (@script_name, @script_hash)";

    /// <summary>What has run, by name, with its hash; empty in a database without journal.</summary>
    public static async Task<IReadOnlyDictionary<string, string>> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var exists = await connection.ReadListAsync(Database.Command(ExistsSql, null, null, cancellationToken), row => row.GetBoolean(0)).ConfigureAwait(false);
        if (!exists[0])
        {
            return new Dictionary<string, string>();
        }

        var rows = await connection.ReadListAsync(
            Database.Command(ReadSql, null, null, cancellationToken), row => KeyValuePair.Create(row.GetString(0), row.GetString(1))).ConfigureAwait(false);
        return rows.ToDictionary();
    }

    /// <summary>The scripts that have run, and those of this version that have not, by name; null when the role may not see it.</summary>
    public static async Task<IReadOnlyList<ScriptStatus>?> ReadStatusAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        List<ScriptStatus> applied = [];
        switch (await connection.ReadListAsync(Database.Command(MayReadSql, null, null, cancellationToken), row => row.GetBoolean(0)).ConfigureAwait(false))
        {
            case [false]:
                return null;
            case [true]:
                applied = await connection.ReadListAsync(
                    Database.Command(ReadTimesSql, null, null, cancellationToken),
                    row => new ScriptStatus { Script = row.GetString(0), AppliedAt = row.GetFieldValue<DateTimeOffset>(1) }).ConfigureAwait(false);
                break;
        }

        var pending = SchemaScript.All.Select(script => new ScriptStatus { Script = script.Name, AppliedAt = null });
        return [.. applied.UnionBy(pending, script => script.Script).OrderBy(script => script.Script, StringComparer.Ordinal)];
    }

    public static Parameters StoreParameters(SchemaScript script) => new()
    {
        { "script_name", NpgsqlDbType.Text, script.Name },
        { "script_hash", NpgsqlDbType.Text, script.Hash },
    };

    // DbUp is handed what is pending and nothing else.
    public string[] GetExecutedScripts() => [];

    public void EnsureTableExistsAndIsLatestVersion(Func<IDbCommand> dbCommandFactory)
    {
        using var command = dbCommandFactory();
        command.CommandText = CreateSql;
        command.ExecuteNonQuery();
    }

    // In the script's own transaction: both are kept, or neither.
    public void StoreExecutedScript(SqlScript script, Func<IDbCommand> dbCommandFactory)
    {
        using var command = dbCommandFactory();
        command.CommandText = StoreSql;
        StoreParameters(pending.Single(known => known.Name == script.Name)).AddTo(command);
        command.ExecuteNonQuery();
    }
}
