using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace CrawlData.Recordings;

/// <summary>Reads lines of UTF-8 as they arrive.</summary>
/// <param name="input">The stream. It is read to its end, and left open.</param>
/// <param name="largestLineBytes">The longest line, in bytes.</param>
internal sealed class NdjsonReader(Stream input, int largestLineBytes)
{
    private long scanned;
    private bool isSkipping;

    private static ReadOnlySpan<byte> ByteOrderMark => "\ufeff"u8;

    /// <summary>The number of the last line that was read, counted from 1. Empty lines are counted.</summary>
    public long Line { get; private set; }

    /// <summary>The number of bytes up to the end of that line.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Yields each line that is not empty. The bytes are valid until the next line is read. A line that is too long has the error instead.</summary>
    /// <exception cref="RecordingException">The input is not UTF-8 text, or the stream's own format is malformed. No further line can be read.</exception>
    public async IAsyncEnumerable<(ReadOnlyMemory<byte> Bytes, RecordingException? Error)> ReadAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(input, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
        try
        {
            ReadResult read;
            do
            {
                read = await ReadAsync(reader, cancellationToken).ConfigureAwait(false);
                var rest = read.Buffer;
                ThrowIfNotText(rest);
                while (NextLine(ref rest, read.IsCompleted) is { } bytes)
                {
                    var isTooLong = isSkipping || bytes.Length > largestLineBytes;
                    isSkipping = false;
                    if (isTooLong)
                    {
                        yield return (default, new RecordingException(Line, $"is longer than {largestLineBytes} bytes."));
                        continue;
                    }

                    var line = bytes.IsSingleSegment ? bytes.First : bytes.ToArray();
                    if (Line == 1 && line.Span.StartsWith(ByteOrderMark))
                    {
                        line = line[ByteOrderMark.Length..];
                    }

                    if (!line.Span.Trim(" \t\r"u8).IsEmpty)
                    {
                        yield return (line, null);
                    }
                }

                if (rest.Length > largestLineBytes)
                {
                    // What is buffered of a line that is too long is dropped, and so is all up to its end.
                    isSkipping = true;
                    BytesRead += rest.Length;
                    (rest, scanned) = (rest.Slice(rest.End), 0);
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

    private static string? FormatOf(ReadOnlySpan<byte> start) => start switch
    {
        [0x1f, 0x8b, ..] => "is compressed with gzip",
        [0xff, 0xfe, ..] or [0xfe, 0xff, ..] or [0, (byte)'{', ..] or [(byte)'{', 0, ..] => "is in UTF-16",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "is compressed with Zstandard",
        [(byte)'P', (byte)'K', 3, 4, ..] => "is a ZIP archive",
        _ => null,
    };

    private void ThrowIfNotText(ReadOnlySequence<byte> input)
    {
        if (Line == 0 && !isSkipping && FormatOf(input.Slice(0, Math.Min(input.Length, 4)).ToArray()) is { } format)
        {
            throw new RecordingException(1, $"{format}; the input has to be NDJSON in UTF-8.");
        }
    }

    private async ValueTask<ReadResult> ReadAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException exception)
        {
            // For example, a GZipStream over a truncated file.
            throw new RecordingException(Line + 1, exception.Message, exception);
        }
    }

    private ReadOnlySequence<byte>? NextLine(ref ReadOnlySequence<byte> rest, bool completed)
    {
        var end = rest.Slice(scanned).PositionOf((byte)'\n');
        if (end is null && (!completed || (rest.IsEmpty && !isSkipping)))
        {
            scanned = rest.Length;
            return null;
        }

        scanned = 0;
        var bytes = end is { } newline ? rest.Slice(0, newline) : rest;
        rest = end is { } at ? rest.Slice(rest.GetPosition(1, at)) : rest.Slice(rest.End);
        Line++;
        BytesRead += bytes.Length + (end is null ? 0 : 1);
        return bytes;
    }
}
