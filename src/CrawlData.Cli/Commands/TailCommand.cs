using System.CommandLine;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata tail</c>: follows a crawl, or all.</summary>
internal sealed class TailCommand : ToolCommand
{
    private readonly Argument<Guid?> crawl = new("CRAWL")
    {
        Description = "The crawl's id, as `crawldata runs` shows it; all crawls unless given.",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result => CommandParameters.ParseAll<Guid>(result, "CRAWL", "a crawl's id, which is a UUID", Guid.TryParse)[0],
    };

    private readonly Option<long?> after = CommandParameters.After();

    private readonly Option<bool> json = CommandParameters.Json();

    public TailCommand() : base("tail", "Follows a crawl until its run has ended, or all crawls: what is there, then what is appended.", """
        Events come in order, each once. It goes on after a lost connection; ended, it is taken up again by --after with the last id.
        """)
    {
        Add(crawl);
        Add(after);
        Add(json);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var events = new CrawlEventRepository(dataSource);
        var options = new CrawlEventFollowOptions { Listen = true };
        var stream = arguments.GetValue(crawl) is { } crawlId
            ? events.FollowAsync(crawlId, arguments.GetValue(after), options, cancellationToken)
            : events.FollowAllAsync(arguments.GetValue(after), options, cancellationToken);
        try
        {
            await (Terminal.IsForPeople(arguments, json) ? ShowAsync(stream) : WriteAsync(stream, cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C is how it ends.
        }
    }

    private static async Task ShowAsync(IAsyncEnumerable<CrawlEvent> events)
    {
        await foreach (var crawlEvent in events)
        {
            Terminal.WriteLine($"{crawlEvent.Id}  {crawlEvent.CreatedAt:HH:mm:ss.fff}  {crawlEvent.EventType}  {crawlEvent.Payload}");
        }
    }

    private static async Task WriteAsync(IAsyncEnumerable<CrawlEvent> stream, CancellationToken cancellationToken)
    {
        await using var rows = new RowWriter();
        await using var events = stream.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            // Gathered, unless the next is to be waited for.
            var next = events.MoveNextAsync();
            if (!next.IsCompleted)
            {
                await rows.FlushAsync(cancellationToken);
            }

            if (!await next)
            {
                return;
            }

            await rows.WriteAsync(events.Current, cancellationToken);
        }
    }
}
