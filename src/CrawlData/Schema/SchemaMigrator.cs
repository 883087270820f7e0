using CrawlData.Instrumentation;
using CrawlData.Storage;
using DbUp;
using DbUp.Engine;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>Brings a database's schema up to date with the scripts that are embedded in this library. It runs them with DbUp, in the first schema of the search
/// path. Their journal is the table <c>crawldata_journal</c>.</summary>
/// <remarks>
/// <para>Any number of instances may start together: one migrates, and the others wait. It relies on a session-level advisory lock on the connection that runs
/// the scripts. Such a lock does not hold through PgBouncer in transaction mode: give the migrator a direct connection.</para>
/// <para>Each script runs in a transaction of its own, together with its line in the journal. A killed process leaves nothing of its script. Its backend ends,
/// and releases the lock, within about a second where the server's platform supports <c>client_connection_check_interval</c>. Elsewhere it ends with its
/// statement.</para>
/// <para>It needs a role that may create in that schema. After the migration, an application's role needs only SELECT, INSERT, UPDATE and DELETE on the tables,
/// and USAGE on the sequences.</para>
/// </remarks>
/// <example>
/// <code>
/// await using var dataSource = NpgsqlDataSource.Create(connectionString);
/// await new SchemaMigrator(dataSource).MigrateAsync();
/// </code>
/// </example>
public sealed class SchemaMigrator
{
    internal const string SchemaSql = "select pg_catalog.current_schema()";

    internal const string EncodingSql = "select pg_catalog.current_setting('server_encoding')";

    private readonly NpgsqlDataSource dataSource;
    private readonly SchemaMigratorOptions options;
    private readonly TimeProvider timeProvider;
    private readonly ILogger logger;
    private readonly IReadOnlyList<SchemaScript> scripts;

    /// <summary>Initializes a migrator.</summary>
    /// <param name="dataSource">The application's data source. The application disposes it.</param>
    /// <param name="options">How long to wait; the defaults when null.</param>
    /// <param name="logger">Logs the scripts that run, and the waits; may be null.</param>
    /// <param name="timeProvider">Measures the waits; <see cref="TimeProvider.System"/> when null.</param>
    /// <exception cref="ArgumentNullException"><paramref name="dataSource"/> is null.</exception>
    public SchemaMigrator(
        NpgsqlDataSource dataSource,
        SchemaMigratorOptions? options = null,
        ILogger<SchemaMigrator>? logger = null,
        TimeProvider? timeProvider = null)
        : this(dataSource, options, logger, timeProvider, SchemaScript.All)
    {
    }

    internal SchemaMigrator(
        NpgsqlDataSource dataSource, SchemaMigratorOptions? options, ILogger? logger, TimeProvider? timeProvider, IReadOnlyList<SchemaScript> scripts)
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        this.dataSource = dataSource;
        this.options = options ?? new SchemaMigratorOptions();
        this.timeProvider = timeProvider ?? TimeProvider.System;
        this.logger = logger.Guarded();
        this.scripts = scripts;
    }

    /// <summary>Lists the scripts that <see cref="MigrateAsync"/> would run, in their order. It changes nothing, and takes no lock.</summary>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The scripts' names.</returns>
    /// <exception cref="MigrationException">The schema that is first on the search path has the role's name and no journal, and a later schema has
    /// one.</exception>
    /// <exception cref="UntrustedJournalException">The journal is another role's view, or has its row level security.</exception>
    /// <exception cref="ScriptChangedException">A script was edited after it ran.</exception>
    public Task<IReadOnlyList<string>> ListPendingAsync(CancellationToken cancellationToken = default) =>
        dataSource.UseAsync<IReadOnlyList<string>>(null, async connection =>
            [.. (await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false)).Select(script => script.Name)], cancellationToken);

    /// <summary>Writes the SQL of the scripts that <see cref="MigrateAsync"/> would run, for <c>psql</c>. The call changes nothing, and takes no
    /// lock.</summary>
    /// <remarks>
    /// <para>Run the SQL as the role that is to own the tables. It has the same effect as <see cref="MigrateAsync"/>.</para>
    /// <para>Each script is a transaction of its own, together with its line in the journal. The SQL takes the migrator's lock. It makes the tables in the
    /// first schema of this data source's search path. psql stops at the first error, and rolls that script back.</para>
    /// </remarks>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The SQL; a comment when no script is pending.</returns>
    /// <exception cref="MigrationException">The database's encoding is not UTF8, or the data source multiplexes.</exception>
    /// <exception cref="UntrustedJournalException">A script is pending, and the journal has a trigger or a rule. Or it is another role's view, or has its row
    /// level security.</exception>
    /// <exception cref="ScriptChangedException">A script was edited after it ran.</exception>
    public Task<string> GetPendingSqlAsync(CancellationToken cancellationToken = default) => dataSource.UseAsync(null, async connection =>
    {
        await RequireMigratableAsync(connection, cancellationToken).ConfigureAwait(false);
        var pending = await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false);
        await RequireWritableAsync(connection, pending, asRole: false, cancellationToken).ConfigureAwait(false);
        var schema = await connection.QuerySingleAsync(SchemaSql, null, row => row.GetNullable<string>(0), null, cancellationToken).ConfigureAwait(false);
        return SchemaScriptWriter.Write(pending, schema);
    }, cancellationToken);

    /// <summary>Writes the SQL of all scripts, as <see cref="GetPendingSqlAsync"/> does for an empty database. It makes the tables in the first schema of
    /// psql's search path.</summary>
    /// <returns>The SQL.</returns>
    public static string GetAllSql() => SchemaScriptWriter.Write(SchemaScript.All, schema: null);

    /// <summary>Runs the scripts that have not run in this database. Then it reloads the data source's types, and closes its idle connections, so that the data
    /// source can be used at once.</summary>
    /// <remarks>It takes the migration's lock only when a script is pending. So a session that holds the lock stalls no other start.</remarks>
    /// <param name="cancellationToken">Cancels the migration. The running script is rolled back, and the scripts before it stay.</param>
    /// <returns>The names of the scripts that this call ran, in their order; empty when there was nothing to do.</returns>
    /// <exception cref="MigrationException">A script failed. The message names it, and the inner exception is the server's error. Or the database's encoding is
    /// not UTF8, or the data source multiplexes. Or the schema that is first on the search path has the role's name and no journal, and a later schema has
    /// one.</exception>
    /// <exception cref="ScriptChangedException">A script was edited after it ran. Nothing was run.</exception>
    /// <exception cref="UntrustedJournalException">A script is pending, and the journal belongs to another role, or has a trigger or a rule. Nothing was
    /// run.</exception>
    /// <exception cref="MigrationLockTimeoutException">The migration's lock was still held after <see cref="SchemaMigratorOptions.LockTimeout"/>.</exception>
    /// <exception cref="OperationCanceledException">The call was cancelled.</exception>
    public async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken = default)
    {
        var mayBePending = await dataSource.UseAsync(null, async connection =>
        {
            await RequireMigratableAsync(connection, cancellationToken).ConfigureAwait(false);
            return (await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false)).Count > 0;
        }, cancellationToken).ConfigureAwait(false);
        var applied = !mayBePending ? [] : await WithLockAsync(async connection =>
        {
            var pending = await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false);
            await RequireWritableAsync(connection, pending, asRole: true, cancellationToken).ConfigureAwait(false);

            // DbUp is synchronous, so it gets a thread of its own.
            return pending.Count == 0 ? [] : await Task.Factory.StartNew(
                () => Upgrade(connection, pending, cancellationToken),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);

        await dataSource.ReloadTypesAsync(cancellationToken).ConfigureAwait(false);
        dataSource.Clear();
        return applied;
    }

    /// <summary>Marks scripts as applied in a database whose tables were made by hand. It first checks that the catalog has all that they make: types, columns,
    /// defaults, constraints and indexes.</summary>
    /// <remarks>
    /// <para>It finds the last script of which the database has a result, and marks that script and all before it. Later scripts stay pending.</para>
    /// <para>It checks as <see cref="VerifySchemaAsync"/> does. Extra indexes on the tables are allowed; extra columns and constraints are not.</para>
    /// </remarks>
    /// <param name="cancellationToken">Cancels the call. Nothing is marked.</param>
    /// <returns>The names of the scripts that were marked.</returns>
    /// <exception cref="MigrationException">The database's encoding is not UTF8, or the data source multiplexes.</exception>
    /// <exception cref="UntrustedJournalException">A script is pending, and the journal belongs to another role, or has a trigger or a rule.</exception>
    /// <exception cref="SchemaNotComparableException">The server is a standby, the session is read-only, or the role has no TEMPORARY on the
    /// database.</exception>
    /// <exception cref="SchemaMismatchException">A script's results exist in part, or differ. Nothing was marked.</exception>
    /// <exception cref="ScriptChangedException">A script was edited after it ran.</exception>
    /// <exception cref="MigrationLockTimeoutException">The migration's lock was still held after <see cref="SchemaMigratorOptions.LockTimeout"/>.</exception>
    public Task<IReadOnlyList<string>> AdoptAsync(CancellationToken cancellationToken = default) => WithLockAsync(async connection =>
    {
        var pending = await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false);
        await RequireWritableAsync(connection, pending, asRole: true, cancellationToken).ConfigureAwait(false);
        var adoptable = await new SchemaVerifier(scripts).FindAdoptableAsync(connection, pending, cancellationToken).ConfigureAwait(false);
        if (adoptable.Count == 0)
        {
            return [];
        }

        return await connection.InTransactionAsync<IReadOnlyList<string>>(async transaction =>
        {
            await connection.ExecuteAsync(SchemaJournal.CreateSql, null, transaction, cancellationToken).ConfigureAwait(false);
            foreach (var script in adoptable)
            {
                var parameters = SchemaJournal.StoreParameters(script);
                await connection.ExecuteAsync(SchemaJournal.StoreSql, parameters, transaction, cancellationToken).ConfigureAwait(false);
                Log.ScriptAdopted(logger, script.Name);
            }

            return [.. adoptable.Select(script => script.Name)];
        }, cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <summary>Compares the schema with what the applied scripts make. It changes nothing, and takes no lock that readers or writers would wait for.</summary>
    /// <remarks>
    /// <para><b>Compared.</b> Types, tables, columns, constraints, indexes, sequences, triggers, rules, row level security and inheritance. A pending script is
    /// a difference; the elements that it would make are not. So is a sequence of ids that is behind the newest id of its table, if the role may read
    /// both.</para>
    /// <para><b>Allowed.</b> Extra indexes on the tables that are valid and not unique. Other objects in the schema. Owners, rights, storage parameters and the
    /// order of columns are not compared.</para>
    /// <para><b>Rights.</b> It runs the scripts in temporary tables, in a transaction that is rolled back. So it needs the primary. The role needs TEMPORARY on
    /// the database, USAGE on the schema, and SELECT on <c>crawldata_journal</c>. Every role has TEMPORARY unless it was revoked.</para>
    /// </remarks>
    /// <param name="cancellationToken">Cancels the comparison.</param>
    /// <returns>The differences: first those of scripts, then missing, changed and extra elements, then sequences that are behind;
    /// empty when nothing differs.</returns>
    /// <exception cref="SchemaNotComparableException">The server is a standby, the session is read-only, or the role lacks one of those rights.</exception>
    /// <example>
    /// <code>
    /// foreach (var difference in await new SchemaMigrator(dataSource).VerifySchemaAsync())
    /// {
    ///     Console.WriteLine(difference);
    /// }
    /// </code>
    /// </example>
    public Task<IReadOnlyList<SchemaDifference>> VerifySchemaAsync(CancellationToken cancellationToken = default) =>
        dataSource.UseAsync(null, connection => new SchemaVerifier(scripts).VerifyAsync(connection, cancellationToken), cancellationToken);

    private async Task<IReadOnlyList<SchemaScript>> FindPendingAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var executed = await SchemaJournal.ReadAsync(connection, null, cancellationToken).ConfigureAwait(false);
        if (executed.Count == 0)
        {
            await SchemaJournal.RequireNoOtherAsync(connection, cancellationToken).ConfigureAwait(false);
        }

        return scripts.FirstOrDefault(script => executed.TryGetValue(script.Name, out var hash) && hash != script.Hash) is { } changed
            ? throw new ScriptChangedException(changed.Name)
            : [.. scripts.Where(script => !executed.ContainsKey(script.Name))];
    }

    // With nothing pending, nothing is written. So an application's role may find that out.
    private static async Task RequireWritableAsync(
        NpgsqlConnection connection, IReadOnlyList<SchemaScript> pending, bool asRole, CancellationToken cancellationToken)
    {
        if (pending.Count > 0)
        {
            (await SchemaJournal.ReadStateAsync(connection, null, cancellationToken).ConfigureAwait(false))?.RequireWritable(asRole);
        }
    }

    private Task<IReadOnlyList<string>> WithLockAsync(Func<NpgsqlConnection, Task<IReadOnlyList<string>>> work, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            await RequireMigratableAsync(connection, cancellationToken).ConfigureAwait(false);
            var migrationLock = new MigrationLock(connection, dataSource, options.LockTimeout, timeProvider, logger);
            await using (migrationLock.ConfigureAwait(false))
            {
                await migrationLock.AcquireAsync(cancellationToken).ConfigureAwait(false);
                return await work(connection).ConfigureAwait(false);
            }
        }, cancellationToken);

    internal static async Task RequireMigratableAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (new NpgsqlConnectionStringBuilder(connection.ConnectionString).Multiplexing)
        {
            throw new MigrationException(
                null, "The data source multiplexes, so no lock holds between instances. Give the migrator a data source that does not multiplex.");
        }

        var encoding = await connection.QuerySingleAsync(EncodingSql, null, row => row.GetString(0), null, cancellationToken).ConfigureAwait(false);
        if (encoding != "UTF8")
        {
            throw new MigrationException(
                null, $"The database's encoding is {encoding}. It cannot store all crawled text. Create the database with encoding UTF8.");
        }
    }

    private IReadOnlyList<string> Upgrade(NpgsqlConnection connection, IReadOnlyList<SchemaScript> pending, CancellationToken cancellationToken)
    {
        var manager = new MigrationConnection(connection, cancellationToken);
        if (options.ScriptTimeout != Timeout.InfiniteTimeSpan)
        {
            manager.ExecutionTimeoutSeconds = Math.Max(1, (int)options.ScriptTimeout.TotalSeconds);
        }

        var engine = DeployChanges.To.PostgresqlDatabase(manager)
            .WithScripts(pending.Select(script => new SqlScript(script.Name, script.Sql)))
            .JournalTo(new SchemaJournal(pending))
            .WithVariablesDisabled()
            .WithTransactionPerScript()
            .LogToNowhere()
            .Build();
        engine.ScriptExecuted += (_, arguments) => Log.ScriptApplied(logger, ((ScriptExecutedEventArgs)arguments).Script.Name);

        var result = engine.PerformUpgrade();
        if (result.Successful)
        {
            return [.. result.Scripts.Select(script => script.Name)];
        }

        cancellationToken.ThrowIfCancellationRequested();
        var failed = result.ErrorScript?.Name ?? pending[0].Name;
        throw new MigrationException(failed, $"Script {failed} failed, and was rolled back. {ServerErrors.Describe(result.Error)}", result.Error);
    }
}
