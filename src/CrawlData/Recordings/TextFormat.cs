using System.Buffers;

namespace CrawlData.Recordings;

/// <summary>A format of lines of text. It writes them to a stream in chunks, each while the next one is filled.</summary>
/// <param name="output">Receives UTF-8. It is left open.</param>
internal abstract class TextFormat(Stream output) : RowFormat
{
    /// <summary>The bytes at which a chunk is full.</summary>
    internal const int ChunkBytes = 64 * 1024;

    private ArrayBufferWriter<byte> written = new(ChunkBytes);
    private Task writing = Task.CompletedTask;

    /// <summary>Gets the chunk that is filled.</summary>
    protected ArrayBufferWriter<byte> Buffer { get; private set; } = new(ChunkBytes);

    public override Task FlushIfFullAsync(CancellationToken cancellationToken) =>
        Buffer.WrittenCount >= ChunkBytes ? WriteAsync(cancellationToken) : Task.CompletedTask;

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        await WriteAsync(cancellationToken).ConfigureAwait(false);
        await writing.ConfigureAwait(false);
    }

    public override async ValueTask DisposeAsync() => await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>Begins to write the chunk, once the one before is written.</summary>
    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        await writing.ConfigureAwait(false);
        (Buffer, written) = (written, Buffer);
        Buffer.ResetWrittenCount();
        BytesWritten += written.WrittenCount;

        // A stream may compress, or wait for a reader, before it returns its task.
        writing = Task.Run(() => output.WriteAsync(written.WrittenMemory, cancellationToken).AsTask(), cancellationToken);
    }
}
