using System.CommandLine;
using CrawlData.Schema;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata partition</c>: partitions the events by their ids, and makes the next partitions.</summary>
internal sealed class PartitionCommand : ToolCommand
{
    public const string CommandName = "partition";

    public const string Summary = "Partitions crawl_events by ids, so that a purge drops whole partitions, and makes the next partitions ahead.";

    private readonly Option<long?> width = CommandParameters.Optional<long>(
        "--width",
        "N",
        $"The number of ids of each new partition. The default is that of the newest partition, and {EventPartitionerOptions.DefaultWidth:N0} for the first.",
        "a whole number from 1,000 to 1,000,000,000,000",
        (string token, out long value) => long.TryParse(token, out value) && value is >= 1_000 and <= 1_000_000_000_000);

    private readonly Option<int?> ahead = CommandParameters.Optional<int>(
        "--ahead",
        "N",
        $"How many partitions are ready beyond the newest event. The default is {EventPartitionerOptions.DefaultAhead}.",
        "a whole number from 2 to 1,000",
        (string token, out int value) => int.TryParse(token, out value) && value is >= 2 and <= 1_000);

    private readonly Option<bool> list = new("--list") { Description = "Only list the partitions. Change nothing." };

    private readonly Option<bool> abandon = new("--abandon")
    {
        Description = "Take back a conversion that was interrupted. A table that is partitioned stays so.",
    };

    private readonly OutputFormat format = new();

    public PartitionCommand() : base(CommandName, Summary, """
        It converts the table while crawlers write and readers read: these wait for an instant. The rows stay where they are, as the oldest partition. New
        events go to new partitions, and their ids begin at a higher number. There is no way back but a dump and restore. When it is interrupted, nothing is
        lost or refused: run it again, or take it back with --abandon. It needs the role that owns the tables, and a direct connection.

        Run it daily, or use AddCrawlDataJanitor: without a partition for the next id, appends wait. docs/operations.md says more.

          crawldata partition --list
          crawldata partition && crawldata purge --crawls 400d
        """)
    {
        Add(width);
        Add(ahead);
        Add(list);
        Add(abandon);
        format.AddTo(this);
        Validators.Add(result =>
        {
            if (result.GetValue(list) && (result.GetValue(abandon) || result.GetResult(width) is not null || result.GetResult(ahead) is not null)
                || result.GetValue(abandon) && (result.GetResult(width) is not null || result.GetResult(ahead) is not null))
            {
                result.AddError("--list and --abandon take no other option");
            }
        });
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var options = new EventPartitionerOptions
        {
            Width = arguments.GetValue(width),
            Ahead = arguments.GetValue(ahead) ?? EventPartitionerOptions.DefaultAhead,
        };
        var partitioner = new EventPartitioner(dataSource, options);
        if (arguments.GetValue(abandon))
        {
            var isAbandoned = await partitioner.AbandonAsync(cancellationToken);
            Terminal.WriteNotice(isAbandoned ? "The conversion was taken back." : "There was no unfinished conversion.");
            return;
        }

        var partitions = arguments.GetValue(list)
            ? await partitioner.ListAsync(cancellationToken)
            : await Terminal.WithProgressAsync("Partitioning", null, _ => partitioner.PartitionAsync(cancellationToken));
        if (!format.IsTable(arguments))
        {
            await using var rows = new RowWriter();
            foreach (var partition in partitions)
            {
                await rows.WriteAsync(partition, cancellationToken);
            }

            return;
        }

        var table = Terminal.Table(flexible: "partition", "partition", $"{"estimated rows",16}", $"{"size",12}", "");
        foreach (var partition in partitions)
        {
            table.AddCells(
                partition.Table,
                $"{partition.EstimatedRows?.ToString("N0") ?? "unknown",16}",
                $"{Terminal.FormatBytes(partition.SizeBytes),12}",
                partition.IsDetaching ? "being detached" : "");
        }

        table.Show("crawl_events is not partitioned.");
    }
}
