using System.CommandLine;
using CrawlData.Schema;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata migrate</c>: brings the schema up to date.</summary>
internal sealed class MigrateCommand : ToolCommand
{
    private readonly Option<bool> adopt = new("--adopt")
    {
        Description = "First mark scripts as applied whose tables were made by hand, after checking that they are as the scripts make them.",
    };

    private readonly Option<bool> pending = new("--pending") { Description = "Only list the scripts that have not run; change nothing." };

    private readonly Option<bool> json = CommandParameters.Json();

    public MigrateCommand() : base("migrate", "Makes the tables, or brings them up to date, and prints the scripts that it ran.", "Any number of processes may do so at once: one migrates, the others wait.")
    {
        Add(adopt);
        Add(pending);
        Add(json);
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
            await ShowAsync(arguments, "pending", await migrator.ListPendingAsync(cancellationToken), cancellationToken);
            return;
        }

        // Shown at once: it stays when the migration then fails.
        if (arguments.GetValue(adopt))
        {
            await ShowAsync(arguments, "adopted", await migrator.AdoptAsync(cancellationToken), cancellationToken);
        }

        await ShowAsync(arguments, "applied", await Terminal.WithProgressAsync("Migrating", null, _ => migrator.MigrateAsync(cancellationToken)), cancellationToken);
    }

    private async Task ShowAsync(ParseResult arguments, string state, IReadOnlyList<string> scripts, CancellationToken cancellationToken)
    {
        if (!Terminal.IsForPeople(arguments, json))
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
