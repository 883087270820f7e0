using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

/// <summary>A file whose writes reach the disk only when they are flushed, as far as a crash of the machine is concerned. It also can be full.</summary>
/// <param name="path">The file.</param>
/// <param name="isFull">Whether the disk is full now.</param>
internal sealed class FaultySpoolFile(string path, Func<bool> isFull) : SpoolFile(path)
{
    private readonly List<(byte[] Bytes, long Offset)> unflushed = [];

    public override void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        if (isFull())
        {
            // It is on the disk although the write failed, as after a failed flush.
            base.Write(bytes, offset);
            base.Flush();
            throw new IOException("No space left on device");
        }

        unflushed.Add((bytes.ToArray(), offset));
    }

    public override void Flush()
    {
        foreach (var (bytes, offset) in unflushed)
        {
            base.Write(bytes, offset);
        }

        unflushed.Clear();
        base.Flush();
    }
}
