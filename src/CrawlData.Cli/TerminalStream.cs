using System.Text;

namespace CrawlData.Cli;

/// <summary>Writes JSON in UTF-8 to a terminal, without characters that a terminal obeys or does not show.</summary>
internal sealed class TerminalStream(Stream output) : Stream
{
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        // The decoder keeps a character that a write splits.
        var text = new char[decoder.GetCharCount(buffer, flush: false)];
        decoder.GetChars(buffer, text, flush: false);
        output.Write(Encoding.UTF8.GetBytes(PrintableText.PrintableJson(new string(text))));
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override void Flush() => output.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
