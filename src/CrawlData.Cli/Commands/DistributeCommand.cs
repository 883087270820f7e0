using System.CommandLine;
using CrawlData.Schema;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata distribute</c>: distributes crawls over the workers of a Citus cluster.</summary>
internal sealed class DistributeCommand : ToolCommand
{
    public const string CommandName = "distribute";

    public const string Summary = "Distributes runs and events over the workers of a Citus cluster.";

    private readonly Option<int?> shards = CommandParameters.Optional<int>(
        "--shards",
        "N",
        $"The number of shards: a multiple of the workers, and at least as many as there will be. The default is {CrawlDistributor.DefaultShardCount}.",
        $"a whole number from 1 to {CrawlDistributor.MaxShardCount:N0}",
        (string token, out int value) => int.TryParse(token, out value) && value is >= 1 and <= CrawlDistributor.MaxShardCount);

    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Only print the SQL, for psql. Change nothing." };

    private readonly Option<bool> yes = new("--yes") { Description = "Do not ask." };

    public DistributeCommand() : base(CommandName, Summary, """
        It needs the extension citus, and a connection to the coordinator. The tables may have rows. All is done in one transaction. Reads and appends of
        crawls wait until the rows are copied. The tables of audits stay on the coordinator. It cannot be undone.

          crawldata distribute --dry-run
          crawldata distribute --shards 16 --yes
        """)
    {
        Add(shards);
        Add(dryRun);
        Add(yes);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var distributor = new CrawlDistributor(dataSource);
        var count = arguments.GetValue(shards) ?? CrawlDistributor.DefaultShardCount;
        var sql = await distributor.GetSqlAsync(count, cancellationToken);
        if (arguments.GetValue(dryRun))
        {
            await Console.Out.WriteAsync(sql.AsMemory(), cancellationToken);
            return;
        }

        if (!arguments.GetValue(yes))
        {
            await Console.Out.WriteAsync(sql.AsMemory(), cancellationToken);
            if (!await Terminal.ConfirmAsync("Run this? Reads and appends of crawls wait until it is done.", cancellationToken))
            {
                throw new UsageException("nothing was changed: agree with --yes.");
            }
        }

        var isDone = await Terminal.WithProgressAsync("Distributing", null, _ => distributor.DistributeAsync(count, cancellationToken));
        Console.WriteLine(isDone ? $"The crawls are distributed over {count} shards. Restart the applications." : "The crawls are distributed already.");
    }
}
