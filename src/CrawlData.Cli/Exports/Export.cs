using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Cli.Exports;

/// <summary>Exports rows of crawls and audit sessions in a format.</summary>
internal sealed class Export(NpgsqlDataSource dataSource, IReadOnlyList<ExportSource> sources, ExportSelection selection)
{
    private readonly List<ExportedRows> exported = [];

    /// <summary>Gets the rows and bytes that were written.</summary>
    public RecordingProgress Total { get; private set; } = new();

    public bool IsIncremental => selection.AfterId is not null;

    /// <summary>Gets whether a file or folder is written. An increment without events writes none.</summary>
    public bool IsWritten => !IsIncremental || Total.Rows > 0;

    /// <summary>Gets the crawls and sessions in the order of the export.</summary>
    public IEnumerable<ExportManifest.Source> Sources => sources.Zip(exported, (source, rows) => new ExportManifest.Source
    {
        CrawlId = source.IsCrawl ? source.Id : null,
        SessionId = source.IsCrawl ? null : source.Id,
        Status = rows.Status,
        Rows = rows.Total.Rows,
        NextAfter = source.IsCrawl ? rows.LastEventId ?? selection.AfterId ?? 0 : null,
    });

    /// <summary>Writes the rows.</summary>
    public Task WriteAsync(RowFormat format, bool showProgress, CancellationToken cancellationToken) => showProgress
        ? Terminal.WithProgressAsync("Exporting", null, progress => WriteAsync(format, progress, cancellationToken))
        : WriteAsync(format, null, cancellationToken);

    /// <summary>Describes the files that the rows went to.</summary>
    public ExportManifest Describe(IReadOnlyList<ExportManifest.Table> files) => new()
    {
        Schema = Schema.SchemaScript.All[^1].Name,
        Tool = typeof(Export).Assembly.GetName().Version!.ToString(3),
        After = selection.AfterId,
        Sources = [.. Sources],
        Files = files,
    };

    private async Task<RecordingProgress> WriteAsync(RowFormat format, IProgress<RecordingProgress>? progress, CancellationToken cancellationToken)
    {
        var exporter = new RecordingExporter(dataSource);
        foreach (var source in sources)
        {
            var before = Total;
            var sum = progress is null ? null : Terminal.Report(one => progress.Report(Sum(before, one)));
            var rows = source.IsCrawl
                ? await exporter.ExportCrawlAsync(source.Id, format, selection, sum, cancellationToken)
                : await exporter.ExportSessionAsync(source.Id, format, selection, sum, cancellationToken);
            exported.Add(rows);
            Total = Sum(before, rows.Total);
        }

        return Total;
    }

    private static RecordingProgress Sum(RecordingProgress one, RecordingProgress other) => new()
    {
        Runs = one.Runs + other.Runs,
        Events = one.Events + other.Events,
        Sessions = one.Sessions + other.Sessions,
        Pages = one.Pages + other.Pages,
        Artifacts = one.Artifacts + other.Artifacts,
        Logs = one.Logs + other.Logs,

        // The format counts the bytes of all.
        Bytes = other.Bytes,
    };
}
