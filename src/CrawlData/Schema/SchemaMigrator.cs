using System.Diagnostics;
using CrawlData.Diagnostics;
using Dapper;
using DbUp;
using DbUp.Engine;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>Brings a database's schema up to date by the scripts embedded in this library, with DbUp. They go into the first schema of the search path,
/// beside their journal <c>crawldata_journal</c>.</summary>
/// <remarks>
/// <para>Any number of instances may start at once: one migrates and the others wait, by a session-level advisory lock that is polled on the very connection
/// that runs the scripts. Through a PgBouncer in transaction mode such a lock does not hold: give the migrator a direct connection.</para>
/// <para>Each script runs in a transaction of its own together with its line in the journal. A process that is killed leaves nothing of the script that it
/// was in; its backend ends, and frees the lock, within a second or so where the server's platform can notice a lost client
/// (<c>client_connection_check_interval</c>), otherwise at the end of the statement.</para>
/// <para>It needs a role that may create in that schema. Once migrated, an application role needs only SELECT, INSERT, UPDATE and DELETE on the tables and
/// USAGE on the sequences.</para>
/// </remarks>
public sealed class SchemaMigrator
{
    internal const string TryLockSql = "select pg_try_advisory_lock(4860209034541326708)";

    internal const string UnlockSql = "select pg_advisory_unlock(4860209034541326708); reset client_connection_check_interval";

    // Held to the end of the script's transaction.
    internal const string LockSql = "select pg_advisory_xact_lock(4860209034541326708)";

    internal const string SchemaSql = "select quote_ident(current_schema())";

    internal const string EncodingSql = "select current_setting('server_encoding')";

    internal const string CheckClientSql = "set client_connection_check_interval = '1s'";

    private static readonly TimeSpan ShortestPoll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPoll = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan WaitLogInterval = TimeSpan.FromSeconds(10);

    private readonly NpgsqlDataSource dataSource;
    private readonly SchemaMigratorOptions options;
    private readonly ILogger logger;
    private readonly IReadOnlyList<SchemaScript> scripts;

    /// <summary>Makes a migrator.</summary>
    /// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
    /// <param name="options">How long to wait; the defaults when null.</param>
    /// <param name="logger">Told which scripts run, and of waiting; may be null.</param>
    public SchemaMigrator(NpgsqlDataSource dataSource, SchemaMigratorOptions? options = null, ILogger<SchemaMigrator>? logger = null)
        : this(dataSource, options, logger, SchemaScript.All)
    {
    }

    internal SchemaMigrator(NpgsqlDataSource dataSource, SchemaMigratorOptions? options, ILogger? logger, IReadOnlyList<SchemaScript> scripts)
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        this.dataSource = dataSource;
        this.options = options ?? new SchemaMigratorOptions();
        this.logger = logger.Guarded();
        this.scripts = scripts;
    }

    /// <summary>Lists the scripts that <see cref="MigrateAsync"/> would run, in their order. Changes nothing and takes no lock.</summary>
    /// <exception cref="ScriptChangedException">A script was edited after it had run.</exception>
    public Task<IReadOnlyList<string>> ListPendingAsync(CancellationToken cancellationToken = default) =>
        dataSource.UseAsync<IReadOnlyList<string>>(null, async connection =>
            [.. (await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false)).Select(script => script.Name)], cancellationToken);

    /// <summary>Writes the SQL of the scripts that <see cref="MigrateAsync"/> would run, for <c>psql</c>: run there, by whoever is to own the tables, it
    /// leaves the database as <see cref="MigrateAsync"/> would. Changes nothing and takes no lock.</summary>
    /// <remarks>Each script is a transaction of its own, together with its line in the journal, under the lock that keeps instances apart and in the schema
    /// that this data source's search path begins with. At the first error psql stops, and nothing of that script is kept.</remarks>
    /// <returns>The SQL; only a comment when nothing is pending.</returns>
    /// <exception cref="MigrationException">The database's encoding is not UTF8, or the data source multiplexes.</exception>
    /// <exception cref="ScriptChangedException">A script was edited after it had run.</exception>
    public Task<string> GetPendingSqlAsync(CancellationToken cancellationToken = default) => dataSource.UseAsync(null, async connection =>
    {
        await RequireMigratableAsync(connection, cancellationToken).ConfigureAwait(false);
        var pending = await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false);
        var schema = (await connection.ReadListAsync(Database.Command(SchemaSql, null, null, cancellationToken), row => row.GetNullable<string>(0))
            .ConfigureAwait(false))[0];
        return ToSql(pending, schema);
    }, cancellationToken);

    /// <summary>Writes the SQL of all scripts, as <see cref="GetPendingSqlAsync"/> does for a database in which none has run; into the first schema of the
    /// search path that psql has.</summary>
    public static string GetAllSql() => ToSql(SchemaScript.All, null);

    /// <summary>Runs the scripts that have not run in this database. Afterwards the data source is usable at once, also where it was used before: its idle
    /// connections are dropped and its types loaded again.</summary>
    /// <returns>The names of the scripts that this call ran, in their order; empty when there was nothing to do.</returns>
    /// <exception cref="MigrationException">A script failed; the message names it, and the server's error is the inner exception. Or the database's encoding
    /// is not UTF8, or the data source multiplexes.</exception>
    /// <exception cref="ScriptChangedException">A script was edited after it had run. Nothing was run.</exception>
    /// <exception cref="MigrationLockTimeoutException">Another instance was still migrating after <see
    /// cref="SchemaMigratorOptions.LockTimeout"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the script that was running was rolled back, those before it stay.</exception>
    public async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken = default)
    {
        var applied = await WithLockAsync(async connection =>
        {
            var pending = await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false);

            // DbUp is synchronous; a thread of its own waits for it.
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

    /// <summary>Marks scripts as applied in a database whose tables were made by hand, after checking that the catalog holds what the script makes: types,
    /// columns, defaults, constraints, indexes. Marked are the scripts up to the last of which something is there; those after it stay pending.</summary>
    /// <remarks>The check is that of <see cref="VerifySchemaAsync"/>: further indexes on the tables are no difference; further columns and constraints
    /// are.</remarks>
    /// <returns>The names of the scripts that were marked.</returns>
    /// <exception cref="MigrationException">The database's encoding is not UTF8, or the data source multiplexes.</exception>
    /// <exception cref="SchemaNotComparableException">The role has no TEMPORARY on the database.</exception>
    /// <exception cref="SchemaMismatchException">Something of a script is there, and not all as the scripts up to it make it. Nothing was marked.</exception>
    /// <exception cref="ScriptChangedException">A script was edited after it had run.</exception>
    /// <exception cref="MigrationLockTimeoutException">Another instance was still migrating after <see
    /// cref="SchemaMigratorOptions.LockTimeout"/>.</exception>
    public Task<IReadOnlyList<string>> AdoptAsync(CancellationToken cancellationToken = default) => WithLockAsync(async connection =>
    {
        var pending = await FindPendingAsync(connection, cancellationToken).ConfigureAwait(false);
        var adoptable = await FindAdoptableAsync(connection, pending, cancellationToken).ConfigureAwait(false);
        if (adoptable.Count == 0)
        {
            return [];
        }

        return await connection.InTransactionAsync<IReadOnlyList<string>>(async transaction =>
        {
            await connection.ExecuteAsync(Database.Command(SchemaJournal.CreateSql, null, transaction, cancellationToken)).ConfigureAwait(false);
            foreach (var script in adoptable)
            {
                var store = Database.Command(SchemaJournal.StoreSql, SchemaJournal.StoreParameters(script), transaction, cancellationToken);
                await connection.ExecuteAsync(store).ConfigureAwait(false);
                Log.ScriptAdopted(logger, script.Name);
            }

            return [.. adoptable.Select(script => script.Name)];
        }, cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <summary>Compares the schema with what the scripts make that have run: types, tables, columns, constraints, indexes, sequences, triggers, rules, row
    /// level security, inheritance. Changes nothing, and takes no lock that anybody would wait for.</summary>
    /// <remarks>
    /// <para>A script that is pending is a difference, and what it would make is none. Further indexes on the tables are allowed when they are valid and not
    /// unique, and so is whatever else the schema holds beside them. Owners, rights, storage parameters and the order of columns are not looked at.</para>
    /// <para>What the scripts make is found by running them in temporary tables, in a transaction that is rolled back. It takes the primary, and a role with
    /// TEMPORARY on the database, which all have unless it was revoked, USAGE on the schema, and SELECT on <c>crawldata_journal</c>.</para>
    /// </remarks>
    /// <returns>The differences: those of scripts first, then what is missing, changed and extra; none when the schema is as the scripts make it.</returns>
    /// <exception cref="SchemaNotComparableException">The server is a standby, the session is read-only, or the role lacks one of those rights.</exception>
    public Task<IReadOnlyList<SchemaDifference>> VerifySchemaAsync(CancellationToken cancellationToken = default) =>
        dataSource.UseAsync<IReadOnlyList<SchemaDifference>>(null, async connection =>
        {
            var comparison = await SchemaComparison.ReadAsync(connection, scripts, cancellationToken).ConfigureAwait(false);
            var expected = comparison.Executed.Count == 0 ? new SchemaCatalog([]) : comparison.Journal;
            for (var script = 0; script < scripts.Count; script++)
            {
                if (comparison.Executed.ContainsKey(scripts[script].Name))
                {
                    var (before, after) = (comparison.Before(script), comparison.Made[script]);
                    expected = expected.Since(before.Since(after)).With(after.Since(before));
                }
            }

            return [.. CompareScripts(comparison.Executed), .. comparison.Actual.DifferencesFrom(expected)];
        }, cancellationToken);

    private async Task<IReadOnlyList<SchemaScript>> FindPendingAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var executed = await SchemaJournal.ReadAsync(connection, cancellationToken).ConfigureAwait(false);
        return scripts.FirstOrDefault(script => executed.TryGetValue(script.Name, out var hash) && hash != script.Hash) is { } changed
            ? throw new ScriptChangedException(changed.Name)
            : [.. scripts.Where(script => !executed.ContainsKey(script.Name))];
    }

    // A script's name and hash are made of letters that need no quoting.
    private static string ToSql(IReadOnlyList<SchemaScript> pending, string? schema) => pending.Count == 0
        ? "-- No script is pending.\n"
        : "\\set ON_ERROR_STOP on\n" + string.Concat(pending.Select((script, position) =>
            $"""

            -- {script.Name}
            begin;
            {LockSql};
            {(schema is null ? "" : $"set local search_path to {schema};\n")}{(position == 0 ? $"{SchemaJournal.CreateSql};\n" : "")}{script.Sql.TrimEnd()}
            insert into crawldata_journal (script_name, script_hash) values ('{script.Name}', '{script.Hash}');
            commit;

            """));

    private Task<IReadOnlyList<string>> WithLockAsync(Func<NpgsqlConnection, Task<IReadOnlyList<string>>> work, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            await RequireMigratableAsync(connection, cancellationToken).ConfigureAwait(false);
            try
            {
                await CheckForLostClientAsync(connection, cancellationToken).ConfigureAwait(false);
                await LockAsync(connection, cancellationToken).ConfigureAwait(false);
                return await work(connection).ConfigureAwait(false);
            }
            finally
            {
                await UnlockAsync(connection).ConfigureAwait(false);
            }
        }, cancellationToken);

    private static async Task RequireMigratableAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (new NpgsqlConnectionStringBuilder(connection.ConnectionString).Multiplexing)
        {
            throw new MigrationException(null, "The data source multiplexes, so no lock holds among instances: give the migrator one that does not.");
        }

        var command = Database.Command(EncodingSql, null, null, cancellationToken);
        var encoding = (await connection.ReadListAsync(command, row => row.GetString(0)).ConfigureAwait(false))[0];
        if (encoding != "UTF8")
        {
            throw new MigrationException(null, $"The database's encoding is {encoding}, which cannot store all that a crawler finds: make one with encoding UTF8.");
        }
    }

    private static async Task CheckForLostClientAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await connection.ExecuteAsync(Database.Command(CheckClientSql, null, null, cancellationToken)).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InvalidParameterValue)
        {
            // The server's platform cannot: then a killed process's statement ends when it ends.
        }
    }

    // Polled, because a session that waits inside the server holds a snapshot, for which CREATE INDEX CONCURRENTLY waits in turn.
    private async Task LockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var waiting = Stopwatch.StartNew();
        var logged = TimeSpan.MinValue;
        for (var poll = ShortestPoll; ; poll = poll * 1.5 < LongestPoll ? poll * 1.5 : LongestPoll)
        {
            if ((await connection.ReadListAsync(Database.Command(TryLockSql, null, null, cancellationToken), row => row.GetBoolean(0)).ConfigureAwait(false))[0])
            {
                return;
            }

            if (options.LockTimeout != Timeout.InfiniteTimeSpan && waiting.Elapsed >= options.LockTimeout)
            {
                throw new MigrationLockTimeoutException(waiting.Elapsed);
            }

            if (logged == TimeSpan.MinValue || waiting.Elapsed - logged >= WaitLogInterval)
            {
                logged = waiting.Elapsed;
                Log.WaitingForMigration(logger, waiting.Elapsed.TotalSeconds);
            }

            await Task.Delay(poll, cancellationToken).ConfigureAwait(false);
        }
    }

    // The pool may be told not to reset connections, so the lock is given back here.
    private async Task UnlockAsync(NpgsqlConnection connection)
    {
        try
        {
            await connection.ExecuteAsync(UnlockSql).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException)
        {
            // The session is broken, or a late cancel request has hit its rollback. It must not live on in the pool with the lock, and what went wrong before
            // is what the caller is to see.
            dataSource.Clear();
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
        throw new MigrationException(failed, $"Script {failed} failed, and nothing of it was kept. {ServerErrors.Describe(result.Error)}", result.Error);
    }

    private async Task<IReadOnlyList<SchemaScript>> FindAdoptableAsync(
        NpgsqlConnection connection, IReadOnlyList<SchemaScript> pending, CancellationToken cancellationToken)
    {
        var comparison = await SchemaComparison.ReadAsync(connection, scripts, cancellationToken).ConfigureAwait(false);
        var last = Enumerable.Range(0, scripts.Count).LastOrDefault(
            script => comparison.Actual.HasAnyOf(comparison.Made[script].Since(comparison.Before(script))), -1);
        if (last < 0)
        {
            return [];
        }

        var differences = comparison.Actual.DifferencesFrom(comparison.Made[last]);
        return differences.Count == 0
            ? [.. pending.TakeWhile(script => string.CompareOrdinal(script.Name, scripts[last].Name) <= 0)]
            : throw new SchemaMismatchException(scripts[last].Name, differences);
    }

    private IEnumerable<SchemaDifference> CompareScripts(IReadOnlyDictionary<string, string> executed) =>
    [
        .. scripts.Where(script => !executed.ContainsKey(script.Name))
            .Select(script => new SchemaDifference { Kind = SchemaDifferenceKind.Missing, Element = $"script {script.Name}", Expected = script.Hash }),
        .. scripts.Where(script => executed.TryGetValue(script.Name, out var hash) && hash != script.Hash).Select(script => new SchemaDifference
        {
            Kind = SchemaDifferenceKind.Changed,
            Element = $"script {script.Name}",
            Expected = script.Hash,
            Actual = executed[script.Name],
        }),
        .. executed.Where(run => scripts.All(script => script.Name != run.Key)).OrderBy(run => run.Key, StringComparer.Ordinal)
            .Select(run => new SchemaDifference { Kind = SchemaDifferenceKind.Extra, Element = $"script {run.Key}", Actual = run.Value }),
    ];
}
