using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>How to import a recording.</summary>
public sealed class RecordingImportOptions
{
    /// <summary>Whether runs get new ids, so that one recording can be imported several times. Off unless set: a run whose id is taken is an error.</summary>
    public bool NewIds { get; init; }

    /// <summary>Whether U+0000, lone surrogates and bytes that are not UTF-8 become U+FFFD. Off unless set: then a line that holds one is an error.</summary>
    public bool Repair { get; init; }
}

/// <summary>How far an import or export has come, or what it came to.</summary>
public sealed record RecordingProgress
{
    /// <summary>Runs read or written.</summary>
    public long Runs { get; init; }

    /// <summary>Events read or written.</summary>
    public long Events { get; init; }

    /// <summary>Bytes of NDJSON read or written.</summary>
    public long Bytes { get; init; }
}

/// <summary>What an import stored.</summary>
public sealed class RecordingImportResult
{
    /// <summary>The ids of the runs, in the recording's order.</summary>
    public required IReadOnlyList<Guid> CrawlIds { get; init; }

    /// <summary>How much it was.</summary>
    public required RecordingProgress Total { get; init; }
}

/// <summary>Reads recordings of crawls into the database: NDJSON, one <c>{"table": name, "row": {column: value}}</c> a line.</summary>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
public sealed class RecordingImporter(NpgsqlDataSource dataSource)
{
    /// <summary>The longest line, in bytes.</summary>
    public const int LargestLineBytes = 64 * 1024 * 1024;

    private const int BatchEvents = 1_000;
    private const long BatchBytes = 4 * 1024 * 1024;

    private readonly CrawlRunRepository runs = new(dataSource);
    private readonly CrawlEventRepository events = new(dataSource);

    /// <summary>Imports a recording of any length in one transaction, all or nothing. Events keep their order and get new ids; empty lines are passed
    /// over.</summary>
    /// <param name="recording">NDJSON in UTF-8, read to its end and left open.</param>
    /// <param name="options">Whether to make new ids and to repair; neither when null.</param>
    /// <param name="progress">Told every thousand events or so; may be null.</param>
    /// <param name="cancellationToken">Cancels; nothing is stored then.</param>
    /// <exception cref="RecordingException">A line cannot be imported: it is malformed, of another table, a value is refused, a run's id is taken, or an
    /// event's run does not come before it in the recording.</exception>
    public Task<RecordingImportResult> ImportAsync(
        Stream recording, RecordingImportOptions? options = null, IProgress<RecordingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        options ??= new RecordingImportOptions();
        return dataSource.UseAsync(
            null,
            connection => connection.InTransactionAsync(
                transaction => new Import(runs, events, transaction, options, progress).RunAsync(recording, cancellationToken), cancellationToken),
            cancellationToken);
    }

    private sealed class Import(
        CrawlRunRepository runs,
        CrawlEventRepository events,
        NpgsqlTransaction transaction,
        RecordingImportOptions options,
        IProgress<RecordingProgress>? progress)
    {
        private static ReadOnlySpan<byte> ByteOrderMark => "\ufeff"u8;

        private readonly JsonbOptions lineOptions = JsonbOptions.ForLine(LargestLineBytes, options.Repair);
        private readonly List<Guid> crawlIds = [];
        private readonly Dictionary<Guid, Guid> idsByRecorded = [];
        private readonly List<(Guid CrawlId, NewCrawlEvent Event)> batch = [];
        private long batchBytes;
        private long line;
        private RecordingProgress total = new();

        public async Task<RecordingImportResult> RunAsync(Stream recording, CancellationToken cancellationToken)
        {
            var reader = PipeReader.Create(recording, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
            try
            {
                ReadResult read;
                do
                {
                    read = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                    var rest = read.Buffer;
                    while (NextLine(ref rest, read.IsCompleted) is { } bytes)
                    {
                        await AddLineAsync(bytes, cancellationToken).ConfigureAwait(false);
                    }

                    reader.AdvanceTo(rest.Start, rest.End);
                }
                while (!read.IsCompleted);
            }
            finally
            {
                await reader.CompleteAsync().ConfigureAwait(false);
            }

            await FlushAsync(cancellationToken).ConfigureAwait(false);
            return new RecordingImportResult { CrawlIds = crawlIds, Total = total };
        }

        private ReadOnlySequence<byte>? NextLine(ref ReadOnlySequence<byte> rest, bool completed)
        {
            var end = rest.PositionOf((byte)'\n');
            if (end is null && rest.Length > LargestLineBytes)
            {
                throw new RecordingException(line + 1, $"is longer than {LargestLineBytes} bytes.");
            }

            if (end is null && (!completed || rest.IsEmpty))
            {
                return null;
            }

            var bytes = end is { } newline ? rest.Slice(0, newline) : rest;
            rest = end is { } at ? rest.Slice(rest.GetPosition(1, at)) : rest.Slice(rest.End);
            line++;
            total = total with { Bytes = total.Bytes + bytes.Length + (end is null ? 0 : 1) };
            return bytes;
        }

        private async ValueTask AddLineAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
        {
            try
            {
                if (Parse(bytes) is not { } parsed)
                {
                    return;
                }

                switch (parsed.Table)
                {
                    case RecordingFormat.CrawlRuns:
                        await AddRunAsync(ToRow<NewCrawlRun>(parsed), cancellationToken).ConfigureAwait(false);
                        break;
                    case RecordingFormat.CrawlEvents:
                        AddEvent(ToRow<RecordingFormat.EventRow>(parsed));
                        batchBytes += bytes.Length;
                        break;
                    default:
                        throw new RecordingException(line, $"is of a table other than {RecordingFormat.CrawlRuns} and {RecordingFormat.CrawlEvents}.");
                }
            }
            catch (Exception exception) when (exception is InvalidValueException or RowAlreadyExistsException)
            {
                throw new RecordingException(line, exception.Message, exception);
            }

            if (batch.Count >= BatchEvents || batchBytes >= BatchBytes)
            {
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        private RecordingFormat.Line<JsonElement>? Parse(ReadOnlySequence<byte> bytes)
        {
            var text = bytes.IsSingleSegment ? bytes.FirstSpan : bytes.ToArray();
            if (line == 1 && text.StartsWith(ByteOrderMark))
            {
                text = text[ByteOrderMark.Length..];
            }

            if (text.Trim(" \t\r"u8).IsEmpty)
            {
                return null;
            }

            try
            {
                return Jsonb.Parse(text, lineOptions).To<RecordingFormat.Line<JsonElement>>(RecordingFormat.Lines) ?? throw new JsonException();
            }
            catch (JsonException)
            {
                // Without the cause, here and below: its message may quote the line.
                throw new RecordingException(line, "is not of the form {\"table\": name, \"row\": {column: value}}.");
            }
        }

        private T ToRow<T>(RecordingFormat.Line<JsonElement> parsed)
        {
            try
            {
                return parsed.Row.Deserialize<T>(RecordingFormat.Rows) ?? throw new JsonException();
            }
            catch (JsonException exception)
            {
                var column = exception.Path?.TrimStart('$', '.');
                var known = RecordingFormat.Rows.GetTypeInfo(typeof(T)).Properties.Any(property => property.Name == column);
                throw new RecordingException(line, known ? $"{column}: has a value that its column does not take." : $"is not a row of {parsed.Table}.");
            }
        }

        private async Task AddRunAsync(NewCrawlRun run, CancellationToken cancellationToken)
        {
            var id = options.NewIds || run.Id is null ? Guid.CreateVersion7() : run.Id.Value;
            if (run.Id is { } recorded && !idsByRecorded.TryAdd(recorded, id))
            {
                throw new RecordingException(line, $"Crawl {recorded} stands in the recording twice.");
            }

            await runs.CreateAsync(run with { Id = id }, transaction, cancellationToken).ConfigureAwait(false);
            crawlIds.Add(id);
            total = total with { Runs = total.Runs + 1 };
        }

        private void AddEvent(RecordingFormat.EventRow row)
        {
            var crawlEvent = new NewCrawlEvent { EventType = row.EventType, Payload = row.Payload, CreatedAt = row.CreatedAt };
            batch.Add(idsByRecorded.TryGetValue(row.CrawlId, out var crawlId)
                ? (crawlId, crawlEvent)
                : throw new RecordingException(line, $"There is no crawl {row.CrawlId} in the recording before this line."));
        }

        private async Task FlushAsync(CancellationToken cancellationToken)
        {
            await events.AppendAsync(batch, transaction, cancellationToken).ConfigureAwait(false);
            total = total with { Events = total.Events + batch.Count };
            batch.Clear();
            batchBytes = 0;
            progress?.Report(total);
        }
    }
}
