using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace CrawlData.Recordings;

/// <summary>Reads lines of UTF-8 as they arrive.</summary>
/// <param name="input">The stream. It is read to its end, and left open.</param>
/// <param name="largestLineBytes">The longest line, in bytes.</param>
internal sealed class NdjsonReader(Stream input, int largestLineBytes)
{
    private static ReadOnlySpan<byte> ByteOrderMark => "\ufeff"u8;

    /// <summary>The number of the last line that was read, counted from 1. Empty lines are counted.</summary>
    public long Line { get; private set; }

    /// <summary>The number of bytes up to the end of that line.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Yields each line that is not empty. The bytes are valid until the next line is read.</summary>
    /// <exception cref="RecordingException">A line is too long.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(input, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
        try
        {
            ReadResult read;
            do
            {
                read = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                var rest = read.Buffer;
                while (NextLine(ref rest, read.IsCompleted) is { } bytes)
                {
                    var line = bytes.IsSingleSegment ? bytes.First : bytes.ToArray();
                    if (Line == 1 && line.Span.StartsWith(ByteOrderMark))
                    {
                        line = line[ByteOrderMark.Length..];
                    }

                    if (!line.Span.Trim(" \t\r"u8).IsEmpty)
                    {
                        yield return line;
                    }
                }

                reader.AdvanceTo(rest.Start, rest.End);
            }
            while (!read.IsCompleted);
        }
        finally
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }

    private ReadOnlySequence<byte>? NextLine(ref ReadOnlySequence<byte> rest, bool completed)
    {
        var end = rest.PositionOf((byte)'\n');
        if (end is null && rest.Length > largestLineBytes)
        {
            throw new RecordingException(Line + 1, $"is longer than {largestLineBytes} bytes.");
        }

        if (end is null && (!completed || rest.IsEmpty))
        {
            return null;
        }

        var bytes = end is { } newline ? rest.Slice(0, newline) : rest;
        rest = end is { } at ? rest.Slice(rest.GetPosition(1, at)) : rest.Slice(rest.End);
        Line++;
        BytesRead += bytes.Length + (end is null ? 0 : 1);
        return bytes;
    }
}
