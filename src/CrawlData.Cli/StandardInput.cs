namespace CrawlData.Cli;

/// <summary>Standard input as a stream of bytes.</summary>
internal static class StandardInput
{
    /// <summary>The name of standard input in errors.</summary>
    public const string Name = "<stdin>";

    /// <summary>Opens standard input with reads that can be cancelled. A read of the console's own stream blocks until input arrives.</summary>
    public static Stream Open() => new Cancellable(Console.OpenStandardInput());

    private sealed class Cancellable(Stream input) : ReadStream
    {
        public override int Read(Span<byte> buffer) => input.Read(buffer);

        // A cancelled read goes on in its thread until the process ends.
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await Task.Run(() => input.Read(buffer.Span), CancellationToken.None).WaitAsync(cancellationToken);
    }
}
