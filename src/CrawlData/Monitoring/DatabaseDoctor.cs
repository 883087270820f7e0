using CrawlData.Schema;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Diagnostics;

/// <summary>Finds what this library cannot hold its promises with: settings, unlogged tables, sequences that are behind, missing partitions, a Citus cluster
/// whose workers append, schemas that others may create objects in, and a second journal. The health check and the start of a host report the same.
/// <see cref="CheckAllAsync"/> and <c>crawldata doctor</c> also find what an operator has to mend.</summary>
/// <remarks>
/// <para><b>Cost.</b> A few statements on PostgreSQL's catalog, and the newest id of two tables from their indexes. <see cref="CheckAllAsync"/> also reads the
/// running runs and sessions, and counts the expired artifacts, by indexes.</para>
/// <para><b>Disposable data.</b> A server with <c>crawldata.disposable = on</c> in its configuration may have <c>fsync</c> and <c>full_page_writes</c> off.
/// The servers that CrawlData.Testing starts have it.</para>
/// <para><b>Settings.</b> They are those of the data source's own sessions: the server's, the database's, the role's and the connection string's.</para>
/// <para><b>Rights.</b> Any role may call it, on a standby too. Sequences are compared only if the role may read them and their tables.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <example>
/// <code>
/// foreach (var finding in await new DatabaseDoctor(dataSource).CheckAsync())
/// {
///     Console.WriteLine($"{finding} {finding.Remedy}");
/// }
/// </code>
/// </example>
public sealed partial class DatabaseDoctor(NpgsqlDataSource dataSource)
{
    internal const string SettingsSql =
        """
        select name, setting, case source
                   when 'user' then pg_catalog.format('alter role %I reset %I', session_user, name)
                   when 'database' then pg_catalog.format('alter database %I reset %I', pg_catalog.current_database(), name)
                   when 'database user' then pg_catalog.format('alter role %I in database %I reset %I', session_user, pg_catalog.current_database(), name)
                   when 'client' then pg_catalog.format('remove %s from the connection string', name)
                   when 'session' then pg_catalog.format('reset %I', name)
                   when 'command line' then pg_catalog.format('remove %s from the options that the server starts with', name)
                   else pg_catalog.format('alter system set %I = %L; select pg_catalog.pg_reload_conf()', name, boot_val)
               end
        from pg_catalog.pg_settings
        where (name, setting) in (
                  ('synchronous_commit', 'off'), ('zero_damaged_pages', 'on'), ('ignore_checksum_failure', 'on'), ('session_replication_role', 'replica'))
           or name in ('fsync', 'full_page_writes') and setting = 'off' and pg_catalog.current_setting('crawldata.disposable', true) is distinct from 'on'
           or name = 'synchronous_commit' and setting in ('local', 'remote_write') and pg_catalog.current_setting('synchronous_standby_names') <> ''
        order by name
        """;

    internal const string UnloggedSql =
        """
        select 'table ' || pg_catalog.quote_ident(relname), 'unlogged', pg_catalog.format('alter table %I set logged', relname)
        from pg_catalog.pg_class
        where relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
          and (relname in ('crawl_runs', 'crawl_events', 'audit_sessions', 'audit_pages', 'artifacts', 'crawl_logs')
               or relname::text ~ '^crawl_events_[0-9]+_to_[0-9]+$'::text)
          and relpersistence = 'u'
        order by relname
        """;

    // The owner of the tables migrates, so it may create.
    internal const string RightsSql =
        """
        select 'schema ' || pg_catalog.quote_ident(nspname), 'open to ' || coalesce(pg_catalog.quote_ident(rolname), 'every role'),
               pg_catalog.format('revoke create on schema %I from %s', nspname, coalesce(pg_catalog.quote_ident(rolname), 'public'))
        from pg_catalog.pg_namespace
        cross join pg_catalog.aclexplode(nspacl)
        left join pg_catalog.pg_roles on pg_roles.oid = grantee
        where nspname = any (pg_catalog.current_schemas(false))
          and pg_catalog.lower(privilege_type) = 'create'
          and grantee <> nspowner
          and rolname is distinct from session_user
          and not exists (select from pg_catalog.pg_class where relnamespace = pg_namespace.oid and relname = 'crawl_runs' and relowner = grantee)
        order by nspname, rolname
        """;

    internal const string JournalsSql =
        """
        select 'journal ' || pg_class.oid::regclass::text, 'on the search path behind ' || pg_catalog.quote_ident(pg_catalog.current_schema()),
               'set Search Path to the one schema in the connection string, or drop the other tables'
        from pg_catalog.pg_class
        join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
        where relname = 'crawldata_journal' and nspname = any (pg_catalog.current_schemas(false)) and nspname <> pg_catalog.current_schema()
        order by pg_catalog.array_position(pg_catalog.current_schemas(false), nspname)
        """;

    private static readonly DatabaseCheck[] Checks =
    [
        DatabaseCheck.Of("settings", SettingsSql, EffectOfSetting),
        DatabaseCheck.Of("tables", UnloggedSql, (_, _) => "A crash of the server empties it."),
        DatabaseCheck.Of("rights", RightsSql, (_, _) => "Objects of such a role can take the place of those that the library's statements name."),
        DatabaseCheck.Of("journals", JournalsSql, (_, _) => "There are two sets of tables. The first schema of the path decides which one is used."),
        new("sequences", FindSequencesAsync),
        new("partitions", FindPartitionsAsync),
        new("citus", FindAppendsThroughWorkersAsync),
    ];

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));

    /// <summary>Runs the checks of what voids a promise. It changes nothing.</summary>
    /// <param name="cancellationToken">Cancels the checks.</param>
    /// <returns>The findings; empty when nothing is wrong.</returns>
    /// <exception cref="NpgsqlException">The database cannot be used.</exception>
    public Task<IReadOnlyList<DatabaseFinding>> CheckAsync(CancellationToken cancellationToken = default) =>
        InTransactionAsync(transaction => CheckAsync(Checks, transaction, cancellationToken), cancellationToken);

    private static async Task<List<DatabaseFinding>> CheckAsync(
        DatabaseCheck[] checks, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var findings = new List<DatabaseFinding>();
        foreach (var check in checks)
        {
            findings.AddRange(await check.FindAsync(check, transaction, cancellationToken).ConfigureAwait(false));
        }

        return findings;
    }

    private Task<IReadOnlyList<DatabaseFinding>> InTransactionAsync(
        Func<NpgsqlTransaction, Task<List<DatabaseFinding>>> work, CancellationToken cancellationToken) =>
        dataSource.UseAsync(
            null,
            connection => connection.InTransactionAsync<IReadOnlyList<DatabaseFinding>>(
                async transaction => await work(transaction).ConfigureAwait(false), cancellationToken),
            cancellationToken);

    private static string EffectOfSetting(string setting, string value) => setting switch
    {
        "fsync" => "A crash of the machine can lose acknowledged rows, or damage the database.",
        "full_page_writes" => "A crash of the machine can damage the database.",
        "synchronous_commit" when value == "off" => "A crash of the server can lose acknowledged rows, and a reader of all crawls can miss events.",
        "synchronous_commit" => "A failover can lose acknowledged rows.",
        "zero_damaged_pages" => "Rows of a damaged page are dropped without an error.",
        "ignore_checksum_failure" => "Damaged rows are read without an error.",
        _ => "Foreign keys and triggers do not run, so rows can lose what they refer to.",
    };

    private static async Task<List<DatabaseFinding>> FindAppendsThroughWorkersAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var placement = await CitusPlacement.ReadAsync(transaction.Connection!, transaction, cancellationToken).ConfigureAwait(false);
        return placement is null
            ? []
            : (await placement.FindAppendsThroughWorkersAsync(transaction, cancellationToken).ConfigureAwait(false)).ConvertAll(
                finding => check.Find(finding.Subject, finding.Value, finding.Remedy, finding.Effect));
    }

    // It narrows the search path to the schema, for itself and the checks after it.
    private static async Task<List<DatabaseFinding>> FindSequencesAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        await transaction.Connection!.ExecuteAsync(SchemaCatalog.NarrowSearchPathSql, null, transaction, cancellationToken).ConfigureAwait(false);
        return
        [
            .. (await SequencePositions.FindBehindAsync(transaction, cancellationToken).ConfigureAwait(false)).Select(position => check.Find(
                $"sequence {position.Sequence}",
                $"at {position.Last}, behind the newest id {position.Newest}",
                position.Remedy,
                "New rows get ids that readers have passed, or appends fail with 23505. Stop the writers before you mend it.")),
        ];
    }
}
