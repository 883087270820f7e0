using System.Globalization;
using System.Text.RegularExpressions;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Diagnostics;

public sealed partial class DatabaseDoctor
{
    private const int MostOfAKind = 10;

    private const string DeadRows =
        "Reads pass over the dead rows, and the table grows. A long transaction, a replication slot or a setting may hold autovacuum back.";

    private static readonly TimeSpan OverdueAfter = TimeSpan.FromDays(1);

    // What a check reads of these tables needs the role's right.
    internal const string UnreadableSql =
        """
        select relname::text, pg_catalog.format('grant select on %I to %I', relname, current_user)
        from pg_catalog.pg_class
        where relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
          and relname in ('crawl_runs', 'crawl_events', 'crawl_run_claims', 'audit_sessions', 'crawl_logs', 'audit_session_claims', 'artifacts',
                          'crawldata_journal')
          and not pg_catalog.has_table_privilege(oid, 'select')
        order by relname
        """;

    // An index that is being built is not valid yet.
    internal const string IndexesSql =
        """
        select indexes.relname::text, tables.relname::text,
               indisvalid or exists (select from pg_catalog.pg_stat_progress_create_index where index_relid = indexrelid), indisunique
        from pg_catalog.pg_index
        join pg_catalog.pg_class as indexes on indexes.oid = indexrelid
        join pg_catalog.pg_class as tables on tables.oid = indrelid
        where tables.relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
          and tables.relname in ('crawl_runs', 'crawl_events', 'audit_sessions', 'audit_pages', 'artifacts', 'crawl_logs')
        order by indexes.relname
        """;

    // Autovacuum begins at a fifth of dead rows. Twice as many have waited for it in vain.
    internal const string VacuumSql =
        """
        select 'table ' || pg_catalog.quote_ident(relname),
               pg_catalog.format(
                   'at %s dead rows beside %s live ones, last vacuumed %s', n_dead_tup, n_live_tup,
                   coalesce(pg_catalog.to_char(greatest(last_vacuum, last_autovacuum) at time zone 'utc', 'YYYY-MM-DD HH24:MI "UTC"'), 'never')),
               pg_catalog.format('vacuum (analyze) %I', relname)
        from pg_catalog.pg_stat_user_tables
        where schemaname = pg_catalog.current_schema()
          and (relname in ('crawl_runs', 'crawl_events', 'audit_sessions', 'audit_pages', 'artifacts', 'crawl_logs')
               or relname::text ~ '^crawl_events_[0-9]+_to_[0-9]+$'::text)
          and n_dead_tup > 10000 and n_dead_tup * 5 > n_live_tup * 2
        order by relname
        """;

    // The server refuses writes at about 2,100,000,000.
    internal const string WraparoundSql =
        """
        select 'table ' || pg_catalog.quote_ident(tables.relname), pg_catalog.format('%s transactions old', ages.oldest),
               pg_catalog.format('vacuum (freeze) %I', tables.relname)
        from pg_catalog.pg_class as tables
        left join pg_catalog.pg_class as toast on toast.oid = tables.reltoastrelid
        cross join lateral (
            select greatest(
                pg_catalog.age(tables.relfrozenxid), pg_catalog.age(toast.relfrozenxid),
                pg_catalog.mxid_age(tables.relminmxid), pg_catalog.mxid_age(toast.relminmxid))
        ) as ages (oldest)
        where tables.relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
          and (tables.relname in ('crawl_runs', 'crawl_events', 'audit_sessions', 'audit_pages', 'artifacts', 'crawl_logs')
               or tables.relname::text ~ '^crawl_events_[0-9]+_to_[0-9]+$'::text)
          and tables.relkind = 'r' and ages.oldest > 1000000000
        order by tables.relname
        """;

    private const string WrittenWal =
        "case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_receive_lsn() else pg_catalog.pg_current_wal_lsn() end";

    // Without the right, a role sees that there is a standby, and not how far it is. A standby that is being made has no position.
    internal const string StandbysSql =
        $"""
        select coalesce(nullif(application_name, ''), pid::text), pg_catalog.pg_wal_lsn_diff({WrittenWal}, replay_lsn)::bigint,
               pg_catalog.pg_has_role('pg_read_all_stats', 'usage'), pg_catalog.format('grant pg_read_all_stats to %I', current_user)
        from pg_catalog.pg_stat_replication
        order by application_name, pid
        """;

    internal const string SlotsSql =
        $"""
        select slot_name::text, active, pg_catalog.pg_wal_lsn_diff({WrittenWal}, restart_lsn)::bigint,
               pg_catalog.format('select pg_catalog.pg_drop_replication_slot(%L)', slot_name)
        from pg_catalog.pg_replication_slots
        where restart_lsn is not null
        order by slot_name
        """;

    internal const string OverdueSql =
        """
        select pg_catalog.count(*), least(coalesce(pg_catalog.sum(size_bytes), 0), 9223372036854775807)::bigint
        from artifacts
        where deleted_at is null and retention_until <= pg_catalog.now() - @age
        """;

    /// <summary>Runs all checks of <see cref="CheckAsync(CancellationToken)"/>, and those for an operator: scripts, indexes, dead rows, transaction ids,
    /// standbys, replication slots, stale work, and expired artifacts. It changes nothing.</summary>
    /// <remarks>
    /// <para>A role that lacks a right gets a finding that says what is not checked: <see cref="FindingSeverity.Unchecked"/>. Without SELECT on a table, its
    /// rows are not checked; without SELECT on <c>crawldata_journal</c>, the scripts are not; and without <c>pg_read_all_stats</c>, the lag of standbys is
    /// not.</para>
    /// <para>Stale work is found by the times that are stored, as by <see cref="CrawlRunQueue.ListSilentAsync"/> and
    /// <see cref="AuditSessionQueue.ListSilentAsync"/>. On a standby that lags behind, healthy work could look stale.</para>
    /// </remarks>
    /// <param name="options">What is too long and too much; the defaults when null.</param>
    /// <param name="cancellationToken">Cancels the checks.</param>
    /// <returns>The findings; empty when nothing is wrong.</returns>
    /// <exception cref="NpgsqlException">The database cannot be used.</exception>
    /// <exception cref="UntrustedJournalException">Code of another role would run.</exception>
    public Task<IReadOnlyList<DatabaseFinding>> CheckAllAsync(DatabaseDoctorOptions? options = null, CancellationToken cancellationToken = default) =>
        InTransactionAsync(async transaction =>
        {
            var limits = options ?? DatabaseDoctorOptions.Default;
            var findings = await CheckAsync(Checks, transaction, cancellationToken).ConfigureAwait(false);
            var applied = await SchemaJournal.ReadTimesAsync(transaction, cancellationToken).ConfigureAwait(false);
            var pending = SchemaScript.All.Where(script => applied?.ContainsKey(script.Name) == false).ToList();
            var unreadable = await transaction.Connection!.QueryAsync(
                UnreadableSql, null, row => (Table: row.GetString(0), Grant: row.GetString(1)), transaction, cancellationToken).ConfigureAwait(false);
            DatabaseCheck[] checks =
            [
                new("scripts", (check, _, _) => Task.FromResult(FindScripts(check, unreadable, pending))),
                new("indexes", (check, within, token) => FindIndexesAsync(check, within, SchemaScript.All.Except(pending), token)),
                DatabaseCheck.Of("vacuum", VacuumSql, (_, _) => DeadRows, FindingSeverity.Warning),
                DatabaseCheck.Of("wraparound", WraparoundSql, (_, _) => "The server refuses writes at about 2,100,000,000.", FindingSeverity.Warning),
                new("standbys", (check, within, token) => FindStandbysAsync(check, within, limits.MaxWalBytes, token)),
                new("slots", (check, within, token) => FindSlotsAsync(check, within, limits.MaxWalBytes, token)),
                new("citus", FindSlowRecoveryAsync),
            ];
            findings.AddRange(await CheckAsync(checks, transaction, cancellationToken).ConfigureAwait(false));

            // A script that is pending makes what these read.
            if (pending.Count == 0)
            {
                findings.AddRange(await CheckRowsAsync(unreadable, limits.SilentFor, transaction, cancellationToken).ConfigureAwait(false));
            }

            return findings;
        }, cancellationToken);

    private static List<DatabaseFinding> FindScripts(
        DatabaseCheck check, List<(string Table, string Grant)> unreadable, List<SchemaScript> pending)
    {
        var findings = FindUnreadable(check, unreadable, ["crawldata_journal"], "It is unknown whether the schema is up to date.").ToList();
        if (pending.Count > 0)
        {
            findings.Add(check.Find(
                "the schema",
                $"not up to date: {string.Join(", ", pending.Select(script => script.Name))} pending",
                "crawldata migrate",
                "Statements of this version fail, or read whole tables.",
                FindingSeverity.Warning));
        }

        return findings;
    }

    private static IEnumerable<DatabaseFinding> FindUnreadable(
        DatabaseCheck check, List<(string Table, string Grant)> unreadable, string[] tables, string effect) =>
        unreadable.Where(one => tables.Contains(one.Table)).Select(one => check.Find(
            $"table {one.Table}", "not readable by this role", one.Grant, effect, FindingSeverity.Unchecked));

    private static async Task<List<DatabaseFinding>> FindIndexesAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, IEnumerable<SchemaScript> scripts, CancellationToken cancellationToken)
    {
        var made = scripts.SelectMany(script => CreateIndex().Matches(script.Sql)).ToDictionary(index => index.Groups["name"].Value);
        var indexes = await transaction.Connection!.QueryAsync(
            IndexesSql,
            null,
            row => (Name: row.GetString(0), Table: row.GetString(1), IsValid: row.GetBoolean(2), IsUnique: row.GetBoolean(3)),
            transaction,
            cancellationToken).ConfigureAwait(false);
        var missing = made.Values.Where(index => indexes.All(one => one.Name != index.Groups["name"].Value)).Select(index => check.Find(
            $"index {index.Groups["name"].Value}",
            "missing",
            $"create index concurrently {index.Groups["rest"].Value}",
            $"Statements read all rows of {index.Groups["table"].Value}.",
            FindingSeverity.Warning));
        var invalid = indexes.Where(index => !index.IsValid).Select(index => check.Find(
            $"index {index.Name}",
            "invalid",
            made.ContainsKey(index.Name) ? $"reindex index concurrently \"{index.Name}\"" : $"drop index concurrently \"{index.Name}\"",
            $"No query uses it, and each write into {index.Table} pays for it."
                + (index.IsUnique ? " It does not keep rows unique that were there before." : ""),
            FindingSeverity.Warning));
        return [.. missing, .. invalid];
    }

    private static async Task<List<DatabaseFinding>> FindStandbysAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, long maxBytes, CancellationToken cancellationToken)
    {
        var standbys = await transaction.Connection!.QueryAsync(
            StandbysSql,
            null,
            row => (Name: row.GetString(0), Behind: row.GetNullable<long?>(1), IsVisible: row.GetBoolean(2), Grant: row.GetString(3)),
            transaction,
            cancellationToken).ConfigureAwait(false);
        return standbys switch
        {
            [{ IsVisible: false, Grant: var grant }, ..] =>
            [
                check.Find(
                    "the lag of standbys",
                    "not visible to this role",
                    grant,
                    $"Of {standbys.Count} it is unknown how far they are behind.",
                    FindingSeverity.Unchecked),
            ],
            _ =>
            [
                .. standbys.Where(standby => standby.Behind > maxBytes).Select(standby => check.Find(
                    $"standby {standby.Name}",
                    $"{Megabytes(standby.Behind!.Value)} behind",
                    "if its replay is paused, on the standby: select pg_catalog.pg_wal_replay_resume()",
                    "Its readers get old rows, and a failover to it takes long. It may be overloaded, cut off, or paused.",
                    FindingSeverity.Warning)),
            ],
        };
    }

    private static async Task<List<DatabaseFinding>> FindSlotsAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, long maxBytes, CancellationToken cancellationToken)
    {
        var slots = await transaction.Connection!.QueryAsync(
            SlotsSql,
            null,
            row => (Name: row.GetString(0), IsActive: row.GetBoolean(1), Bytes: row.GetNullable<long?>(2), Drop: row.GetString(3)),
            transaction,
            cancellationToken).ConfigureAwait(false);
        return
        [
            .. slots.Where(slot => slot.Bytes > maxBytes).Select(slot => check.Find(
                $"replication slot {slot.Name}",
                $"{(slot.IsActive ? "active" : "inactive")}, and holds back {Megabytes(slot.Bytes!.Value)} of WAL",
                slot.IsActive ? "look at its consumer: it reads too slowly" : $"if nothing will read it again: {slot.Drop}",
                "The disk of the server fills up, and then it stops.",
                FindingSeverity.Warning)),
        ];
    }

    private static async Task<List<DatabaseFinding>> FindSlowRecoveryAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var placement = await CitusPlacement.ReadAsync(transaction.Connection!, transaction, cancellationToken).ConfigureAwait(false);
        return placement is null
            ? []
            : (await placement.FindSlowRecoveryAsync(transaction, cancellationToken).ConfigureAwait(false)).ConvertAll(
                finding => check.Find(finding.Subject, finding.Value, finding.Remedy, finding.Effect, FindingSeverity.Warning));
    }

    private async Task<List<DatabaseFinding>> CheckRowsAsync(
        List<(string Table, string Grant)> unreadable, TimeSpan silentFor, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        (DatabaseCheck Check, string[] Reads)[] checks =
        [
            (new("stale", (check, within, token) => FindStaleRunsAsync(check, within, silentFor, token)), ["crawl_runs", "crawl_events", "crawl_run_claims"]),
            (new("stale", (check, within, token) => FindStaleSessionsAsync(check, within, silentFor, token)),
                ["audit_sessions", "crawl_logs", "audit_session_claims"]),
            (new("partitions", FindKeptPartitionsAsync), ["crawl_runs", "crawl_events"]),
            (new("artifacts", FindOverdueAsync), ["artifacts"]),
        ];
        var findings = new List<DatabaseFinding>();
        var isPartitioned = (await EventPartitioner.ListAsync(transaction, cancellationToken).ConfigureAwait(false)).Count > 0;
        foreach (var (check, reads) in checks.Where(one => isPartitioned || one.Check.Name != "partitions"))
        {
            var effect = check.Name switch
            {
                "artifacts" => "It is unknown whether artifacts wait for their deletion.",
                "partitions" => "It is unknown which runs keep old partitions.",
                _ => "It is unknown whether work is stale.",
            };
            var hidden = FindUnreadable(check, unreadable, reads, effect).ToList();
            findings.AddRange(hidden);
            if (hidden.Count == 0)
            {
                findings.AddRange(await check.FindAsync(check, transaction, cancellationToken).ConfigureAwait(false));
            }
        }

        return findings;
    }

    private async Task<List<DatabaseFinding>> FindStaleRunsAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, TimeSpan silentFor, CancellationToken cancellationToken)
    {
        var runs = await new CrawlRunQueue(dataSource).ListSilentAsync(silentFor, MostOfAKind + 1, transaction, cancellationToken).ConfigureAwait(false);
        return FindStale(check, [.. runs.Select(run => run.Id)], silentFor, "run", "RUNNING, without an event or heartbeat", id =>
            $"crawldata run fail {id} --error TEXT && crawldata run retry {id}");
    }

    private async Task<List<DatabaseFinding>> FindStaleSessionsAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, TimeSpan silentFor, CancellationToken cancellationToken)
    {
        var sessions = await new AuditSessionQueue(dataSource).ListSilentAsync(silentFor, MostOfAKind + 1, transaction, cancellationToken)
            .ConfigureAwait(false);
        return FindStale(check, [.. sessions.Select(session => session.Id)], silentFor, "session", "running, without a log line or heartbeat", id =>
            $"crawldata session release {id}");
    }

    private static List<DatabaseFinding> FindStale(
        DatabaseCheck check, Guid[] ids, TimeSpan silentFor, string noun, string state, Func<Guid, string> remedy)
    {
        const string effect = "Its worker is gone or stuck, and nothing has ended it.";
        var findings = ids.Take(MostOfAKind)
            .Select(id => check.Find($"{noun} {id}", $"{state} for {silentFor:c} or more", remedy(id), effect, FindingSeverity.Warning)).ToList();
        if (ids.Length > MostOfAKind)
        {
            var minutes = Math.Max(1, (long)Math.Ceiling(silentFor.TotalMinutes));
            findings.Add(check.Find(
                $"at least one more {noun}",
                $"{state} for {silentFor:c} or more",
                $"crawldata {noun}s --stale {minutes.ToString(CultureInfo.InvariantCulture)}m",
                effect,
                FindingSeverity.Warning));
        }

        return findings;
    }

    private static async Task<List<DatabaseFinding>> FindOverdueAsync(
        DatabaseCheck check, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var parameters = new Parameters { { "age", NpgsqlDbType.Interval, OverdueAfter } };
        var (count, bytes) = await transaction.Connection!.QuerySingleAsync(
            OverdueSql, parameters, row => (row.GetInt64(0), row.GetInt64(1)), transaction, cancellationToken).ConfigureAwait(false);
        return count == 0
            ? []
            :
            [
                check.Find(
                    "the sweep of artifacts",
                    $"overdue: {count.ToString("N0", CultureInfo.InvariantCulture)} expired more than a day ago ({Megabytes(bytes)})",
                    "crawldata sweep --root DIR",
                    "They stay in their storage beyond their retention.",
                    FindingSeverity.Warning),
            ];
    }

    private static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N1} MB");

    [GeneratedRegex(@"^create index (?<rest>(?<name>\w+) on (?<table>\w+)[^;]*);", RegexOptions.Multiline)]
    private static partial Regex CreateIndex();
}
