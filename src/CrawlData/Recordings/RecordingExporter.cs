using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>Writes crawls out of the database as recordings, which <see cref="RecordingImporter"/> reads.</summary>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
public sealed class RecordingExporter(NpgsqlDataSource dataSource)
{
    private readonly CrawlRunRepository runs = new(dataSource);
    private readonly CrawlEventRepository events = new(dataSource);

    /// <summary>Writes a crawl's run and its events, in the order of their ids and without them, in bounded memory.</summary>
    /// <remarks>Run and events are read one after the other. A device_config of the JSON literal null becomes one that is missing, as a recording has one
    /// null.</remarks>
    /// <param name="crawlId">The crawl. While it runs, events that are appended after the export began are left out.</param>
    /// <param name="recording">Takes NDJSON in UTF-8; left open.</param>
    /// <param name="progress">Told every thousand events; may be null.</param>
    /// <param name="cancellationToken">Cancels; what was written stays.</param>
    /// <returns>How much it was.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing was written.</exception>
    public async Task<RecordingProgress> ExportAsync(
        Guid crawlId, Stream recording, IProgress<RecordingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        var run = await runs.GetAsync(crawlId, null, cancellationToken).ConfigureAwait(false) ?? throw new RowNotFoundException(RecordingFormat.CrawlRuns, [crawlId]);
        using var writer = new NdjsonWriter(recording);
        var total = new RecordingProgress { Runs = 1 };

        await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.CrawlRuns, run), cancellationToken).ConfigureAwait(false);
        await foreach (var crawlEvent in events.StreamAsync(crawlId, null, cancellationToken).ConfigureAwait(false))
        {
            await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.CrawlEvents, new RecordingFormat.EventRow
            {
                CrawlId = crawlEvent.CrawlId,
                EventType = crawlEvent.EventType,
                Payload = crawlEvent.Payload,
                CreatedAt = crawlEvent.CreatedAt,
            }), cancellationToken).ConfigureAwait(false);
            total = total with { Events = total.Events + 1, Bytes = writer.BytesWritten };
            if (total.Events % 1_000 == 0)
            {
                progress?.Report(total);
            }
        }

        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        total = total with { Bytes = writer.BytesWritten };
        progress?.Report(total);
        return total;
    }
}
