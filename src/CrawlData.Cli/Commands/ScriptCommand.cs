using System.CommandLine;
using System.Text;
using CrawlData.Schema;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata script</c>: prints the SQL of pending scripts.</summary>
internal sealed class ScriptCommand : ToolCommand
{
    public const string CommandName = "script";

    public const string Summary = "Prints the SQL of the pending scripts, for psql.";

    private readonly Option<bool> all = new("--all") { Description = "Print all scripts, for a database without any. It needs no connection." };

    public ScriptCommand() : base(CommandName, Summary, """
        The SQL does in psql what crawldata migrate does. Each script runs in a transaction of its own, which also adds its row to the journal. It takes the
        same lock, so a migration at the same time waits. The role that runs psql owns the tables. When no script is pending, it prints a comment.

          crawldata script > pending.sql
          psql --file pending.sql "service=crawls user=owner"
        """)
    {
        Add(all);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        string sql;
        if (arguments.GetValue(all))
        {
            sql = SchemaMigrator.GetAllSql();
        }
        else
        {
            await using var dataSource = Connection.Required(arguments);
            sql = await new SchemaMigrator(dataSource).GetPendingSqlAsync(cancellationToken);
        }

        await using var output = StandardOutput.Open();
        await output.WriteAsync(Encoding.UTF8.GetBytes(sql), cancellationToken);
    }
}
