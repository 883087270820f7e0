using System.IO.Compression;

namespace CrawlData.Cli;

/// <summary>Decompresses a recording, up to a ratio that recordings do not reach. So a small file cannot keep the import busy for long.</summary>
/// <param name="stored">The compressed bytes. It is disposed with this stream.</param>
internal sealed class UnpackedRecording(StoredRecording stored) : ReadStream
{
    // Recordings unpack to ten or twenty times their size. The most that gzip allows is 1,032.
    private const int LargestRatio = 200;

    // So much may be unpacked from any file.
    private const long AlwaysAllowed = 16 * 1024 * 1024;

    private readonly GZipStream unpacked = new(stored, CompressionMode.Decompress);
    private long bytesRead;

    public override int Read(Span<byte> buffer) => Check(unpacked.Read(buffer));

    /// <exception cref="InvalidDataException">The recording is malformed or truncated, or unpacks to more than is allowed.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Check(await unpacked.ReadAsync(buffer, cancellationToken));

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            unpacked.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Check(int count)
    {
        bytesRead += count;
        return bytesRead <= AlwaysAllowed + (LargestRatio * stored.BytesRead)
            ? count
            : throw new InvalidDataException(
                $"The recording unpacks to more than {LargestRatio} times its size. If you trust it, unpack it with gunzip, and import that.");
    }
}
