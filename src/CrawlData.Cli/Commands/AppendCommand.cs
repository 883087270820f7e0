using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
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

        A line may have a created_at, in ISO 8601 with its offset. A line that is invalid, or that the server refuses, is reported as
        <stdin>:LINE: reason. The other lines are stored, and the exit code is 1.

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

        var reader = new CrawlEventLineReader(StandardInput.Open()) { Repair = arguments.GetValue(repair) };
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource, notify: true));
        var refused = await (arguments.GetValue(acknowledge)
            ? AppendAcknowledgedAsync(crawlId, reader, writer, cancellationToken)
            : AppendAsync(crawlId, reader, writer, cancellationToken));
        if (refused > 0)
        {
            throw new InvalidDataException($"{Terminal.Count(refused, "line")} refused, of {Terminal.Count(reader.LinesRead, "line")}.");
        }
    }

    /// <returns>How many lines were refused.</returns>
    private static async Task<long> AppendAsync(Guid crawlId, CrawlEventLineReader reader, CrawlEventWriter writer, CancellationToken cancellationToken)
    {
        // Each event's line, as long as the writer has the event.
        var lines = new ConditionalWeakTable<NewCrawlEvent, StrongBox<long>>();
        long refused = 0;
        try
        {
            await foreach (var line in reader.ReadAsync(cancellationToken))
            {
                if (line.IsValid)
                {
                    lines.Add(line.Event, new StrongBox<long>(line.Number));
                    await TakingRefusedAsync(() => writer.WriteAsync(crawlId, line.Event, cancellationToken));
                }
                else
                {
                    refused++;
                    Report(line.Number, line.Error.Reason);
                }
            }
        }
        finally
        {
            // A cancelled command also stores the events that it has read.
            await TakingRefusedAsync(() => writer.FlushAsync(CancellationToken.None));
        }

        return refused;

        async Task TakingRefusedAsync(Func<Task> call)
        {
            while (true)
            {
                try
                {
                    await call();
                    return;
                }
                catch (CrawlEventsNotStoredException exception) when (exception.Events.All(unstored => ServerErrors.IsRefusal(unstored.Error)))
                {
                    foreach (var unstored in writer.TakeUnstored(crawlId))
                    {
                        refused++;
                        Report(lines.TryGetValue(unstored.Event, out var line) ? line.Value : 0, ServerErrors.Describe(unstored.Error));
                    }
                }
            }
        }
    }

    /// <returns>How many lines were refused.</returns>
    private static async Task<long> AppendAcknowledgedAsync(
        Guid crawlId, CrawlEventLineReader reader, CrawlEventWriter writer, CancellationToken cancellationToken)
    {
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pending = Channel.CreateBounded<(long Line, Task<long> Id)>(MaxUnacknowledged);
        var acknowledging = AcknowledgeAsync(pending.Reader, reading);
        long refused = 0;
        try
        {
            await foreach (var line in reader.ReadAsync(reading.Token))
            {
                if (line.IsValid)
                {
                    // Not cancelled: each event that was read is acknowledged if it is stored.
                    await pending.Writer.WriteAsync((line.Number, writer.AppendAsync(crawlId, line.Event, CancellationToken.None)), CancellationToken.None);
                }
                else
                {
                    refused++;
                    Report(line.Number, line.Error.Reason);
                }
            }
        }
        finally
        {
            pending.Writer.TryComplete();
            refused += await acknowledging;
        }

        return refused;
    }

    /// <summary>Acknowledges the events that are stored, also behind one that is not. After an error that concerns more than its event, no more is
    /// read.</summary>
    /// <returns>How many lines were refused.</returns>
    private static async Task<long> AcknowledgeAsync(ChannelReader<(long Line, Task<long> Id)> pending, CancellationTokenSource reading)
    {
        long refused = 0;
        ExceptionDispatchInfo? error = null;
        await using var rows = new RowWriter();
        await foreach (var (line, id) in pending.ReadAllAsync())
        {
            try
            {
                await rows.WriteAsync(new Acknowledgement { Line = line, Id = await id }, CancellationToken.None);

                // Rows are buffered while the next event is stored already.
                if (!pending.TryPeek(out var next) || !next.Id.IsCompleted)
                {
                    await rows.FlushAsync(CancellationToken.None);
                }
            }
            catch (Exception exception) when (ServerErrors.IsRefusal(exception))
            {
                refused++;
                Report(line, ServerErrors.Describe(exception));
            }
            catch (Exception exception)
            {
                error ??= ExceptionDispatchInfo.Capture(exception);
                await reading.CancelAsync();
            }
        }

        error?.Throw();
        return refused;
    }

    private static void Report(long line, string reason) => Console.Error.WriteLine($"{StandardInput.Name}:{line}: {reason}".Printable());

    private sealed record Acknowledgement
    {
        public required long Line { get; init; }

        public required long Id { get; init; }
    }
}
