using CrawlData.Recordings;

namespace CrawlData.Cli;

/// <summary>Writes rows to standard output as NDJSON: objects of columns in snake_case.</summary>
internal sealed class RowWriter : IAsyncDisposable
{
    private readonly NdjsonWriter writer = new(StandardOutput.Open());

    public ValueTask WriteAsync<T>(T row, CancellationToken cancellationToken) => writer.WriteAsync(row, cancellationToken);

    public Task FlushAsync(CancellationToken cancellationToken) => writer.FlushAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await writer.FlushAsync(CancellationToken.None);
        writer.Dispose();
    }
}
