using System.CommandLine;
using CrawlData.Schema;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata migrate</c>: creates or updates the tables.</summary>
internal sealed class MigrateCommand : ToolCommand
{
    public const string CommandName = "migrate";

    public const string Summary = "Creates or updates the tables, and prints the scripts that it ran.";

    private readonly Option<bool> adopt = new("--adopt")
    {
        Description = "First mark the scripts of tables that were created by hand as applied. The tables must match the scripts.",
    };

    private readonly Option<bool> pending = new("--pending") { Description = "Only list the pending scripts. Change nothing." };

    private readonly OutputFormat format = new();

    public MigrateCommand() : base(
        CommandName,
        Summary,
        "Any number of processes may migrate at once: one runs the scripts, the others wait.")
    {
        Add(adopt);
        Add(pending);
        format.AddTo(this);
        Validators.Add(result =>
        {
            if (result.GetValue(adopt) && result.GetValue(pending))
            {
                result.AddError("--adopt and --pending exclude each other");
            }
        });
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var migrator = new SchemaMigrator(dataSource);
        if (arguments.GetValue(pending))
        {
            await WriteAsync(arguments, "pending", await migrator.ListPendingAsync(cancellationToken), cancellationToken);
            return;
        }

        // Written before the migration, because the adoption remains when the migration fails.
        if (arguments.GetValue(adopt))
        {
            await WriteAsync(arguments, "adopted", await migrator.AdoptAsync(cancellationToken), cancellationToken);
        }

        var applied = await Terminal.WithProgressAsync("Migrating", null, _ => migrator.MigrateAsync(cancellationToken));
        await WriteAsync(arguments, "applied", applied, cancellationToken);
    }

    private async Task WriteAsync(ParseResult arguments, string state, IReadOnlyList<string> scripts, CancellationToken cancellationToken)
    {
        if (!format.IsTable(arguments))
        {
            await using var rows = new RowWriter();
            foreach (var script in scripts)
            {
                await rows.WriteAsync(new ScriptRow { Script = script, State = state }, cancellationToken);
            }
        }
        else
        {
            var table = Terminal.Table(flexible: "script", "script", "state");
            foreach (var script in scripts)
            {
                table.AddCells(script, state);
            }

            table.Show(state == "adopted" ? "Nothing to adopt." : "The schema is up to date.");
        }
    }

    private sealed record ScriptRow
    {
        public required string Script { get; init; }

        public required string State { get; init; }
    }
}
