using System.CommandLine;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata status</c>: shows the state of the database.</summary>
internal sealed class StatusCommand : ToolCommand
{
    public const string CommandName = "status";

    public const string Summary = "Shows the server, the scripts, table sizes, work by status, the oldest unfinished work and expired artifacts.";

    private readonly OutputFormat format = new("one JSON object");

    public StatusCommand() : base(CommandName, Summary, """
        Runs and sessions are counted. The rows of each table are the estimate of its last vacuum or analyze. It reads no events and no log lines, so it is
        fast on large tables. It works on a standby too.

          crawldata status | jq '.oldest_sessions.queued.age_seconds'
        """)
    {
        format.AddTo(this);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        DatabaseStatus status;
        try
        {
            status = await new DatabaseStatusReader(dataSource, PassedOverRowsLog.Factory).ReadAsync(cancellationToken);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            await WritePendingAsync(arguments, await new SchemaMigrator(dataSource).ListPendingAsync(cancellationToken), cancellationToken);
            throw;
        }

        if (!format.IsTable(arguments))
        {
            await using var rows = new RowWriter();
            await rows.WriteAsync(status, cancellationToken);
            return;
        }

        var role = status.IsStandby ? "a standby" : "the primary";
        Terminal.WriteLine($"PostgreSQL {status.ServerVersion}, {role}; schema {status.Schema}; {Terminal.Format(status.ReadAt)} UTC");
        ShowScripts(status.Scripts);
        ShowTables(status.Tables);
        ShowWork("runs", status.Runs, status.OldestRuns, await ShownIds.OfAsync(
            status.OldestRuns.Values.Select(work => work.Id),
            ids => new CrawlRunRepository(dataSource).ShortenIdsAsync(ids, cancellationToken: cancellationToken)));
        ShowWork("sessions", status.Sessions, status.OldestSessions, await ShownIds.OfAsync(
            status.OldestSessions.Values.Select(work => work.Id),
            ids => new AuditSessionRepository(dataSource).ShortenIdsAsync(ids, cancellationToken: cancellationToken)));
        Terminal.WriteLine(status.OldestExpiry is { } oldest
            ? $"Expired artifacts: {status.ExpiredArtifacts.Count:N0}, {Terminal.FormatBytes(status.ExpiredArtifacts.SizeBytes)}, "
                + $"since {Terminal.Format(oldest)} UTC; crawldata sweep deletes them."
            : "Expired artifacts: none.");
        Terminal.WriteLine($"Newest event: {status.NewestEventId?.ToString("N0") ?? "none"}");
    }

    /// <summary>Writes the scripts of a database without tables.</summary>
    private async Task WritePendingAsync(ParseResult arguments, IReadOnlyList<string> pending, CancellationToken cancellationToken)
    {
        if (format.IsTable(arguments))
        {
            Terminal.WriteLine($"Scripts: {pending.Count} pending; crawldata migrate runs them:");
            foreach (var script in pending)
            {
                Terminal.WriteLine($"  {script}");
            }

            return;
        }

        await using var rows = new RowWriter();
        await rows.WriteAsync(new { Scripts = pending.Select(script => new ScriptStatus { Script = script, AppliedAt = null }) }, cancellationToken);
    }

    private static void ShowScripts(IReadOnlyList<ScriptStatus>? scripts)
    {
        if (scripts is null)
        {
            Terminal.WriteLine("Scripts: unknown, because this role lacks SELECT on crawldata_journal.");
            return;
        }

        var pending = scripts.Where(script => script.AppliedAt is null).Select(script => script.Script).ToList();
        var last = scripts.LastOrDefault(script => script.AppliedAt is not null);
        var upTo = last is null ? "" : $", up to {last.Script}";
        Terminal.WriteLine($"Scripts: {scripts.Count - pending.Count} applied{upTo}; pending: {(pending.Count == 0 ? "none" : string.Join(", ", pending))}.");
    }

    private static void ShowTables(IReadOnlyList<TableStatus> tables)
    {
        var table = Terminal.Table(flexible: "table", "table", $"{"estimated rows",16}", $"{"size",12}", $"{"index size",14}");
        foreach (var row in tables)
        {
            table.AddCells(
                row.Table,
                $"{row.EstimatedRows?.ToString("N0") ?? "unknown",16}",
                $"{Terminal.FormatBytes(row.SizeBytes),12}",
                $"{Terminal.FormatBytes(row.IndexBytes),14}");
        }

        table.Show();
    }

    private static void ShowWork<T>(
        string noun, IReadOnlyDictionary<T, long> counts, IReadOnlyDictionary<T, UnfinishedWork> oldest, Func<Guid, string> show) where T : struct, Enum
    {
        var table = Terminal.Table(flexible: noun, noun, $"{"count",12}", "oldest", $"{"age",8}");
        foreach (var (status, count) in counts)
        {
            var work = oldest.GetValueOrDefault(status);
            table.AddCells(status.ToLabel(), $"{count,12:N0}", work is null ? "" : show(work.Id), $"{(work is null ? "" : Terminal.FormatAge(work.Age)),8}");
        }

        table.Show();
    }
}
