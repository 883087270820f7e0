using System.CommandLine;
using System.Threading.Channels;
using CrawlData.Crawls;
using CrawlData.Recordings;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata append</c>: appends events from standard input to a crawl.</summary>
internal sealed class AppendCommand : ToolCommand
{
    // Events that are read before their acknowledgements are written.
    private const int MaxUnacknowledged = 1_000;

    private readonly Argument<Guid> crawl = CommandParameters.Crawl();

    private readonly Option<bool> repair = new("--repair")
    {
        Description = "Replace U+0000, lone surrogates and bytes that are not UTF-8 by U+FFFD. Without it, a line with one of them is refused.",
    };

    private readonly Option<bool> acknowledge = new("--acknowledge")
    {
        Description = "Write the id of each event with the number of its line, as NDJSON, as soon as the event is stored.",
    };

    public AppendCommand() : base("append", "Appends events from standard input to a crawl, as they arrive.", """
        Each line is one event, so a crawler in any language can pipe into it:

          {"event_type":"page.opened","payload":{"url":"https://example.org/"}}

        A line may have a created_at, in ISO 8601 with its offset. An invalid line is refused and reported as <stdin>:LINE: reason. The other lines are
        stored, and the exit code is 1.

        Events are stored in the order of their lines: within a tenth of a second or, with --acknowledge, at once. The tool ends when all are stored.
        """)
    {
        Add(crawl);
        Add(repair);
        Add(acknowledge);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var crawlId = arguments.GetValue(crawl);
        if (await new CrawlRunRepository(dataSource).GetAsync(crawlId, cancellationToken: cancellationToken) is null)
        {
            throw new UnknownIdException("crawl", crawlId);
        }

        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource, notify: true));
        var pending = arguments.GetValue(acknowledge) ? Channel.CreateBounded<(long Line, Task<long> Id)>(MaxUnacknowledged) : null;
        var acknowledging = pending is null ? Task.CompletedTask : AcknowledgeAsync(pending);
        var reader = new CrawlEventLineReader(StandardInput.Open()) { Repair = arguments.GetValue(repair) };
        long refused = 0;
        try
        {
            await foreach (var line in reader.ReadAsync(cancellationToken))
            {
                if (!line.IsValid)
                {
                    refused++;
                    Console.Error.WriteLine($"{StandardInput.Name}:{line.Number}: {line.Error.Reason}".Printable());
                }
                else if (pending is null)
                {
                    await writer.WriteAsync(crawlId, line.Event, cancellationToken);
                }
                else
                {
                    await pending.Writer.WriteAsync((line.Number, writer.AppendAsync(crawlId, line.Event, cancellationToken)), cancellationToken);
                }
            }
        }
        finally
        {
            // A cancelled command also stores the events that it has read.
            pending?.Writer.TryComplete();
            await writer.FlushAsync(CancellationToken.None);
            await acknowledging;
        }

        if (refused > 0)
        {
            throw new InvalidDataException($"{Terminal.Count(refused, "line")} refused, of {Terminal.Count(reader.LinesRead, "line")}.");
        }
    }

    private static async Task AcknowledgeAsync(Channel<(long Line, Task<long> Id)> pending)
    {
        try
        {
            await using var rows = new RowWriter();
            await foreach (var (line, id) in pending.Reader.ReadAllAsync())
            {
                await rows.WriteAsync(new Acknowledgement { Line = line, Id = await id }, CancellationToken.None);

                // Rows are buffered while the next event is stored already.
                if (!pending.Reader.TryPeek(out var next) || !next.Id.IsCompleted)
                {
                    await rows.FlushAsync(CancellationToken.None);
                }
            }
        }
        catch (Exception exception)
        {
            // Events that cannot be acknowledged must not be read.
            pending.Writer.TryComplete(exception);
            throw;
        }
    }

    private sealed record Acknowledgement
    {
        public required long Line { get; init; }

        public required long Id { get; init; }
    }
}
