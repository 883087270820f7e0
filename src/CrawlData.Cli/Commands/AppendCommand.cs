using System.CommandLine;
using System.Threading.Channels;
using CrawlData.Crawls;
using CrawlData.Recordings;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata append</c>: appends what comes on standard input to a crawl.</summary>
internal sealed class AppendCommand : ToolCommand
{
    // What is read ahead of the ids that are told.
    private const int Unacknowledged = 1_000;

    private readonly Argument<Guid> crawl = CommandParameters.Crawl();

    private readonly Option<bool> repair = new("--repair")
    {
        Description = "Put U+FFFD in the place of U+0000, lone surrogates and bytes that are not UTF-8; without it a line that holds one is refused.",
    };

    private readonly Option<bool> acknowledge = new("--acknowledge")
    {
        Description = "Write the id of each event with the number of its line, as NDJSON, as soon as it is stored.",
    };

    public AppendCommand() : base("append", "Appends events from standard input to a crawl, as they come.", """
        A line an event, so that a crawler in any language can pipe into it:
        {"event_type":"page.opened","payload":{"url":"https://example.org/"}}
        A created_at may be added: ISO 8601 with its offset. A line that is refused is told as <stdin>:LINE: reason, and the others go on; the exit code then is 1. Events are stored in the order of their lines, a tenth of a second after they came or, with --acknowledge, at once; at the end of the input, all are stored.
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
            throw new RowNotFoundException("crawl_runs", [crawlId]);
        }

        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource, notify: true));
        var acknowledgements = arguments.GetValue(acknowledge) ? Channel.CreateBounded<(long Line, Task<long> Id)>(Unacknowledged) : null;
        var telling = acknowledgements is null ? Task.CompletedTask : TellAsync(acknowledgements);
        var lineOptions = JsonbOptions.ForLine(RecordingImporter.LargestLineBytes, arguments.GetValue(repair));
        var lines = new NdjsonReader(StandardInput.Open(), RecordingImporter.LargestLineBytes);
        long refused = 0;
        try
        {
            await foreach (var bytes in lines.ReadAsync(cancellationToken))
            {
                if (ToEvent(bytes.Span, lineOptions, lines.Line) is not { } crawlEvent)
                {
                    refused++;
                }
                else if (acknowledgements is null)
                {
                    await writer.WriteAsync(crawlId, crawlEvent, cancellationToken);
                }
                else
                {
                    await acknowledgements.Writer.WriteAsync((lines.Line, writer.AppendAsync(crawlId, crawlEvent, cancellationToken)), cancellationToken);
                }
            }
        }
        finally
        {
            // Also what came before it was cancelled.
            acknowledgements?.Writer.TryComplete();
            await writer.FlushAsync(CancellationToken.None);
            await telling;
        }

        if (refused > 0)
        {
            throw new InvalidDataException($"{Terminal.Count(refused, "line")} refused, of {Terminal.Count(lines.Line, "line")}.");
        }
    }

    private static NewCrawlEvent? ToEvent(ReadOnlySpan<byte> bytes, JsonbOptions options, long line)
    {
        try
        {
            var element = Jsonb.Parse(bytes, options).ToElement();
            return RecordingFormat.ToRow<NewCrawlEvent>(element, "crawl_events", line);
        }
        catch (Exception exception) when (exception is InvalidValueException or RecordingException)
        {
            Console.Error.WriteLine($"{StandardInput.Name}:{line}: {(exception as RecordingException)?.Reason ?? exception.Message}".Printable());
            return null;
        }
    }

    private static async Task TellAsync(Channel<(long Line, Task<long> Id)> acknowledgements)
    {
        try
        {
            await using var rows = new RowWriter();
            await foreach (var (line, id) in acknowledgements.Reader.ReadAllAsync())
            {
                await rows.WriteAsync(new Acknowledgement { Line = line, Id = await id }, CancellationToken.None);

                // Gathered, unless the next is to be waited for.
                if (!acknowledgements.Reader.TryPeek(out var next) || !next.Id.IsCompleted)
                {
                    await rows.FlushAsync(CancellationToken.None);
                }
            }
        }
        catch (Exception exception)
        {
            // Nothing more is read, when what is read cannot be told of.
            acknowledgements.Writer.TryComplete(exception);
            throw;
        }
    }

    private sealed record Acknowledgement
    {
        public required long Line { get; init; }

        public required long Id { get; init; }
    }
}
