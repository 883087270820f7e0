namespace CrawlData.Cli;

/// <summary>Standard input as a stream of bytes.</summary>
internal static class StandardInput
{
    /// <summary>The name of standard input in errors.</summary>
    public const string Name = "<stdin>";

    /// <summary>Opens standard input with reads that can be cancelled. A read of the console's own stream blocks until input arrives.</summary>
    public static Stream Open() => new Cancellable(Console.OpenStandardInput());

    private sealed class Cancellable(Stream input) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => input.Read(buffer, offset, count);

        // A cancelled read goes on in its thread until the process ends.
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await Task.Run(() => input.Read(buffer.Span), CancellationToken.None).WaitAsync(cancellationToken);

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
