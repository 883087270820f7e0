using System.CommandLine;
using System.Text;
using CrawlData.Schema;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata script</c>: prints the SQL of pending scripts.</summary>
internal sealed class ScriptCommand : ToolCommand
{
    private readonly Option<bool> all = new("--all") { Description = "All scripts, for a database in which none has run; no database is asked." };

    public ScriptCommand() : base("script", "Prints the SQL of the scripts that have not run, for psql.", """
        Run by psql it leaves the database as crawldata migrate would, with the tables owned by the role that ran it: a transaction a script, with its line in the journal, under the lock that keeps instances apart. With nothing pending it prints a comment.

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
