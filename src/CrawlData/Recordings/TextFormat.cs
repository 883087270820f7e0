using System.Buffers;

namespace CrawlData.Recordings;

/// <summary>A format of lines of text. It writes them to a stream, in chunks.</summary>
/// <param name="output">Receives UTF-8. It is left open.</param>
internal abstract class TextFormat(Stream output) : RowFormat
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Gets the buffer of the next chunk.</summary>
    protected ArrayBufferWriter<byte> Buffer { get; } = new(ChunkBytes);

    public override Task FlushIfFullAsync(CancellationToken cancellationToken) =>
        Buffer.WrittenCount >= ChunkBytes ? FlushAsync(cancellationToken) : Task.CompletedTask;

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        await output.WriteAsync(Buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
        BytesWritten += Buffer.WrittenCount;
        Buffer.ResetWrittenCount();
    }
}
