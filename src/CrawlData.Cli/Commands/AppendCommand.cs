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
    public const string CommandName = "append";

    public const string Summary = "Appends events from standard input to a crawl, as they arrive.";

    // Events that are read before their acknowledgements are written.
    private const int MaxUnacknowledged = 1_000;

    // Less than the ten seconds after which Docker kills a container.
    private const int DefaultGrace = 8;

    private const int LongestGrace = 86_400;

    private readonly Argument<IdText> crawl = CommandParameters.Crawl();

    private readonly Option<bool> repair = new("--repair")
    {
        Description = "Replace U+0000, lone surrogates and bytes that are not UTF-8 by U+FFFD. Without it, a line with one of them is refused.",
    };

    private readonly Option<bool> acknowledge = new("--acknowledge")
    {
        Description = "Write the id of each event with the number of its line, as NDJSON, as soon as the event is stored.",
    };

    private readonly Option<int?> grace = CommandParameters.Optional(
        "--grace",
        "SECONDS",
        $"After Ctrl+C or SIGTERM, store what was read for at most this long. The default is {DefaultGrace}.",
        $"a whole number of seconds from 0 to {LongestGrace}",
        (string token, out int value) => CommandParameters.TryParseNumber(token, out value) && value <= LongestGrace);

    public AppendCommand() : base(CommandName, Summary, """
        Each line is one event, so a crawler in any language can pipe into it:

          {"event_type":"page.opened","payload":{"url":"https://example.org/"}}

        A line may have a created_at, in ISO 8601 with its offset. A line that is invalid, or that the server refuses, is reported as
        <stdin>:LINE: reason. The other lines are stored, and the exit code is 1.

        Events are stored in the order of their lines: within a tenth of a second or, with --acknowledge, at once. The tool ends when all are stored.

        After Ctrl+C or SIGTERM it reads no more, and stores what it has read. The exit code is 1. The message says how many lines are not confirmed as
        stored. With --acknowledge it also reads no more once standard output is closed.
        """)
    {
        Add(crawl);
        Add(repair);
        Add(acknowledge);
        Add(grace);
        SetAction(RunAsync);
    }

    public override TimeSpan TimeAfterCancel(ParseResult arguments) => Grace(arguments) + base.TimeAfterCancel(arguments);

    private TimeSpan Grace(ParseResult arguments) => TimeSpan.FromSeconds(arguments.GetValue(grace) ?? DefaultGrace);

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var crawlId = await arguments.GetRequiredValue(crawl).ToCrawlIdAsync(dataSource, cancellationToken);
        if (await new CrawlRunRepository(dataSource).GetAsync(crawlId, cancellationToken: cancellationToken) is null)
        {
            throw new UnknownIdException("crawl", crawlId);
        }

        using var storing = new CancellationTokenSource();
        await using var registration = cancellationToken.Register(() => storing.CancelAfter(Grace(arguments)));
        var reader = new CrawlEventLineReader(StandardInput.Open()) { Repair = arguments.GetValue(repair) };

        // Not disposed where events are pending: that would wait for them.
        var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource, notify: true));
        Outcome outcome;
        try
        {
            outcome = await (arguments.GetValue(acknowledge)
                ? AppendAcknowledgedAsync(crawlId, reader, writer, cancellationToken, storing.Token)
                : AppendAsync(crawlId, reader, writer, cancellationToken, storing.Token));
        }
        catch (RecordingException exception)
        {
            throw new RecordingLineException(StandardInput.Name, exception);
        }

        if (outcome.Unconfirmed == 0)
        {
            await writer.DisposeAsync();
        }

        if (outcome.Message(cancellationToken.IsCancellationRequested, reader.LinesRead) is { } message)
        {
            throw new InvalidDataException(message);
        }
    }

    private static async Task<Outcome> AppendAsync(
        Guid crawlId, CrawlEventLineReader reader, CrawlEventWriter writer, CancellationToken reading, CancellationToken storing)
    {
        // Each event's line, as long as the writer has the event.
        var lines = new ConditionalWeakTable<NewCrawlEvent, StrongBox<long>>();
        var outcome = new Outcome();
        try
        {
            await foreach (var line in reader.ReadAsync(reading))
            {
                if (line.IsValid)
                {
                    lines.Add(line.Event, new StrongBox<long>(line.Number));

                    // Not cancelled with the reading: each event that was read is stored, if it can be.
                    if (!await StoringAsync(() => writer.WriteAsync(crawlId, line.Event, storing)))
                    {
                        outcome.Unconfirmed++;
                    }
                }
                else
                {
                    outcome.Refuse(line.Number, line.Error.Reason);
                }
            }
        }
        catch (OperationCanceledException) when (reading.IsCancellationRequested)
        {
        }
        finally
        {
            if (!await StoringAsync(() => writer.FlushAsync(storing)))
            {
                outcome.Unconfirmed += writer.PendingCount;
            }
        }

        return outcome;

        // Reports refused events. False: the time for storing is over.
        async Task<bool> StoringAsync(Func<Task> call)
        {
            while (true)
            {
                try
                {
                    await call();
                    return true;
                }
                catch (OperationCanceledException) when (storing.IsCancellationRequested)
                {
                    return false;
                }
                catch (CrawlEventsNotStoredException exception) when (exception.Events.All(unstored => ServerErrors.IsRefusal(unstored.Error)))
                {
                    foreach (var unstored in writer.TakeUnstored(crawlId))
                    {
                        outcome.Refuse(lines.TryGetValue(unstored.Event, out var line) ? line.Value : 0, ServerErrors.Describe(unstored.Error));
                    }
                }
            }
        }
    }

    private static async Task<Outcome> AppendAcknowledgedAsync(
        Guid crawlId, CrawlEventLineReader reader, CrawlEventWriter writer, CancellationToken cancellationToken, CancellationToken storing)
    {
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pending = Channel.CreateBounded<(long Line, Task<long> Id)>(MaxUnacknowledged);
        var outcome = new Outcome();
        var acknowledging = AcknowledgeAsync(pending.Reader, outcome, reading, storing);
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
                    outcome.Refuse(line.Number, line.Error.Reason);
                }
            }
        }
        catch (OperationCanceledException) when (reading.IsCancellationRequested)
        {
        }
        finally
        {
            pending.Writer.TryComplete();
            await acknowledging;
        }

        return outcome;
    }

    /// <summary>Acknowledges the events that are stored, also behind one that is not. After an error that concerns more than its event, and once standard
    /// output is closed, no more is read.</summary>
    private static async Task AcknowledgeAsync(
        ChannelReader<(long Line, Task<long> Id)> pending, Outcome outcome, CancellationTokenSource reading, CancellationToken storing)
    {
        ExceptionDispatchInfo? error = null;
        var rows = new RowWriter();
        await foreach (var (line, stored) in pending.ReadAllAsync(CancellationToken.None))
        {
            try
            {
                var id = await stored.WaitAsync(storing);
                outcome.Stored++;
                if (outcome.IsOutputClosed)
                {
                    continue;
                }

                await rows.WriteAsync(new Acknowledgement { Line = line, Id = id }, CancellationToken.None);

                // Rows are buffered while the next event is stored already.
                if (!pending.TryPeek(out var next) || !next.Id.IsCompleted)
                {
                    await rows.FlushAsync(CancellationToken.None);
                }
            }
            catch (OperationCanceledException) when (storing.IsCancellationRequested)
            {
                outcome.Unconfirmed++;
            }
            catch (Exception exception) when (ServerErrors.IsRefusal(exception))
            {
                outcome.Refuse(line, ServerErrors.Describe(exception));
            }
            catch (Exception exception) when (StandardOutput.IsClosed(exception))
            {
                outcome.IsOutputClosed = true;
                await reading.CancelAsync();
            }
            catch (Exception exception)
            {
                error ??= ExceptionDispatchInfo.Capture(exception);
                await reading.CancelAsync();
            }
        }

        try
        {
            await rows.DisposeAsync();
        }
        catch (Exception exception) when (StandardOutput.IsClosed(exception))
        {
            outcome.IsOutputClosed = true;
        }

        error?.Throw();
    }

    private sealed record Acknowledgement
    {
        public required long Line { get; init; }

        public required long Id { get; init; }
    }

    /// <summary>What became of the lines.</summary>
    private sealed class Outcome
    {
        private long refused;

        /// <summary>The number of lines that were acknowledged, or would have been with an open output.</summary>
        public long Stored { get; set; }

        /// <summary>The number of lines that were read, and may not be stored.</summary>
        public long Unconfirmed { get; set; }

        public bool IsOutputClosed { get; set; }

        public void Refuse(long line, string reason)
        {
            // Reading and acknowledging refuse lines at the same time.
            Interlocked.Increment(ref refused);
            Console.Error.WriteLine($"{StandardInput.Name}:{line}: {reason}".Printable());
        }

        /// <summary>Gets the message of an append that has not stored all of its input; null otherwise.</summary>
        public string? Message(bool isCancelled, long lines)
        {
            string[] missing =
            [
                .. Unconfirmed > 0 ? new[] { $"{Terminal.Count(Unconfirmed, "line")} not confirmed as stored" } : [],
                .. refused > 0 ? new[] { $"{Terminal.Count(refused, "line")} refused" } : [],
            ];
            var rest = missing.Length > 0 ? $"{string.Join(", ", missing)}, of {Terminal.Count(lines, "line")}." : null;
            return (IsOutputClosed, isCancelled, rest) switch
            {
                (true, _, _) => $"standard output was closed, so no more was read. {Terminal.Count(Stored, "line")} stored. {rest}".TrimEnd(),
                (_, true, null) => $"cancelled. All events of the {Terminal.Count(lines, "line")} that were read are stored.",
                (_, true, _) => $"cancelled. {rest}",
                _ => rest,
            };
        }
    }
}
