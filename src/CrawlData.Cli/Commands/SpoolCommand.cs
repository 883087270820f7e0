using System.CommandLine;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata spool</c>: shows and replays the spool of a writer.</summary>
internal sealed class SpoolCommand : ToolCommand
{
    public const string CommandName = "spool";

    public const string Summary = "Shows the events in a writer's spool that are not stored, and stores them with --replay.";

    private static readonly TimeSpan RetryLimit = TimeSpan.FromSeconds(30);

    private readonly Argument<string> directory = new("DIR") { Description = "The writer's SpoolDirectory. The writer's process must have ended." };

    private readonly Option<bool> replay = new("--replay") { Description = "Store the events, each once, as the next writer on the folder would." };

    private readonly Option<InDoubtDecision?> inDoubt = new("--in-doubt")
    {
        Description = "With --replay: store or discard the events of which the server cannot say whether they are stored. Without it, they stay.",
        HelpName = "store|discard",
    };

    private readonly OutputFormat format = new();

    public SpoolCommand() : base(CommandName, Summary, """
        It lists the events of each crawl, and the batches in doubt: a process ended after it sent their COMMIT, and the folder does not have the answer.
        A replay asks the server for the outcome, so that no event is stored twice.

        The server may not know, for example when a dump was restored to another cluster. Look for the batch's first id with crawldata events. Then decide:

          crawldata spool DIR --replay --in-doubt discard    they are stored
          crawldata spool DIR --replay --in-doubt store      they are not stored
        """)
    {
        Add(directory);
        Add(replay);
        inDoubt.CompletionSources.Clear();
        inDoubt.CompletionSources.Add("store", "discard");
        Add(inDoubt);
        format.AddTo(this);
        SetAction(RunAsync);
    }

    /// <summary>What a replay does with events in doubt.</summary>
    private enum InDoubtDecision
    {
        Store,
        Discard,
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var path = arguments.GetRequiredValue(directory);
        if (!Directory.Exists(path))
        {
            throw new UsageException($"{path}: there is no such folder.");
        }

        var spool = CrawlEventSpool.Read(path);
        if (arguments.GetValue(replay))
        {
            await ReplayAsync(arguments, path, cancellationToken);
            if (format.IsTable(arguments))
            {
                Console.WriteLine($"Stored {Terminal.Count(spool.Events, "event")} of {Terminal.Count(spool.Crawls.Count, "crawl")}.");
            }

            return;
        }

        if (arguments.GetValue(inDoubt) is not null)
        {
            throw new UsageException("--in-doubt needs --replay; see crawldata spool --help.");
        }

        await ShowAsync(arguments, spool, cancellationToken);
    }

    private async Task ReplayAsync(ParseResult arguments, string path, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource, notify: true), new CrawlEventWriterOptions { SpoolDirectory = path, RetryLimit = RetryLimit });
        try
        {
            await writer.FlushAsync(cancellationToken);
        }
        catch (CrawlEventsNotStoredException exception) when (arguments.GetValue(inDoubt) is { } decision && exception.Events.Any(IsInDoubt))
        {
            foreach (var crawlId in exception.Events.Where(IsInDoubt).Select(unstored => unstored.CrawlId).Distinct())
            {
                // All at once, so that they are in the spool again in the same write in which they are taken.
                await Task.WhenAll(writer.TakeUnstored(crawlId)
                    .Where(unstored => decision == InDoubtDecision.Store || !IsInDoubt(unstored))
                    .Select(unstored => writer.WriteAsync(unstored.CrawlId, unstored.Event, CancellationToken.None)));
            }

            await writer.FlushAsync(cancellationToken);
        }
    }

    private async Task ShowAsync(ParseResult arguments, CrawlEventSpool spool, CancellationToken cancellationToken)
    {
        if (!format.IsTable(arguments))
        {
            await using var rows = new RowWriter();
            foreach (var (crawlId, events) in spool.Crawls)
            {
                await rows.WriteAsync(new CrawlRow { CrawlId = crawlId, Events = events }, cancellationToken);
            }

            foreach (var batch in spool.InDoubt)
            {
                var row = new InDoubtRow { CrawlId = batch.CrawlId, FirstId = batch.FirstId, EventsInDoubt = batch.Events, StartedAt = batch.StartedAt };
                await rows.WriteAsync(row, cancellationToken);
            }

            return;
        }

        var crawls = Terminal.Table(flexible: "crawl", "crawl", $"{"events",12}");
        foreach (var (crawlId, events) in spool.Crawls)
        {
            crawls.AddCells($"{crawlId}", $"{events,12:N0}");
        }

        crawls.Show("The spool holds no events.");
        if (spool.InDoubt.Count > 0)
        {
            var batches = Terminal.Table(flexible: "in doubt: crawl", "in doubt: crawl", $"{"first id",12}", $"{"events",12}", "started (UTC)");
            foreach (var batch in spool.InDoubt)
            {
                batches.AddCells($"{batch.CrawlId}", $"{batch.FirstId,12}", $"{batch.Events,12:N0}", Terminal.Format(batch.StartedAt));
            }

            batches.Show();
        }
    }

    private static bool IsInDoubt(UnstoredCrawlEvent unstored) => unstored.Error is AppendOutcomeUnknownException;

    private sealed record CrawlRow
    {
        public required Guid CrawlId { get; init; }

        public required int Events { get; init; }
    }

    private sealed record InDoubtRow
    {
        public required Guid CrawlId { get; init; }

        public required long FirstId { get; init; }

        public required int EventsInDoubt { get; init; }

        public required DateTimeOffset StartedAt { get; init; }
    }
}
