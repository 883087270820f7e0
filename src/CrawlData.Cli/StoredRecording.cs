namespace CrawlData.Cli;

/// <summary>The bytes of a recording as they are stored. It counts what was read, and can look at the first bytes.</summary>
/// <param name="input">The stream. It is disposed with this one.</param>
internal sealed class StoredRecording(Stream input) : ReadStream
{
    private ReadOnlyMemory<byte> start;

    /// <summary>Gets the number of bytes that were read.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Gets the fraction that was read; null for an input of unknown length.</summary>
    public double? Fraction => input.CanSeek ? (double)BytesRead / Math.Max(input.Length, 1) : null;

    /// <summary>Gets the first bytes without taking them. They are fewer at the end of the input.</summary>
    public async Task<ReadOnlyMemory<byte>> PeekAsync(int count, CancellationToken cancellationToken)
    {
        var buffer = new byte[count];
        start = buffer.AsMemory(0, await input.ReadAtLeastAsync(buffer, count, throwOnEndOfStream: false, cancellationToken));
        return start;
    }

    public override int Read(Span<byte> buffer) => TakeStart(buffer) is > 0 and var count ? count : Count(input.Read(buffer));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        TakeStart(buffer.Span) is > 0 and var count ? count : Count(await input.ReadAsync(buffer, cancellationToken));

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            input.Dispose();
        }

        base.Dispose(disposing);
    }

    private int TakeStart(Span<byte> buffer)
    {
        var count = Math.Min(buffer.Length, start.Length);
        start.Span[..count].CopyTo(buffer);
        start = start[count..];
        return Count(count);
    }

    private int Count(int count)
    {
        BytesRead += count;
        return count;
    }
}
