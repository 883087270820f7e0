using System.Buffers;
using System.Data.Common;
using CrawlData.Recordings;

namespace CrawlData.Tests.Recordings;

/// <summary>No case needs a server.</summary>
[Parallelizable(ParallelScope.All)]
public sealed class TextFormatTests
{
    [Test]
    public async Task A_chunk_is_written_while_the_next_one_is_filled()
    {
        await using var output = new HeldStream();
        await using var format = new Filled(output);

        await format.AddChunkAsync(1);
        await output.Began;
        var second = format.AddChunkAsync(2);

        Assert.That(second.IsCompleted, Is.False, "a third chunk would need a third buffer");
        output.Go();
        await second;
        await format.FlushAsync(CancellationToken.None);
        Assert.That(output.ToArray(), Is.EqualTo(Filled.Chunk(1).Concat(Filled.Chunk(2))));
        Assert.That(format.BytesWritten, Is.EqualTo(output.Length));
    }

    [Test]
    public async Task An_error_of_the_stream_is_thrown_by_the_next_write_and_its_disposal_ignores_it()
    {
        await using var closed = new MemoryStream([], writable: false);
        await using var format = new Filled(closed);

        await format.AddChunkAsync(1);

        await Assert.ThrowsAsync<NotSupportedException>(() => format.AddChunkAsync(2));
    }

    [Test]
    public async Task A_disposal_waits_until_the_stream_is_no_longer_used()
    {
        await using var output = new HeldStream();
        var format = new Filled(output);
        await format.AddChunkAsync(1);
        await output.Began;

        var disposal = format.DisposeAsync().AsTask();

        Assert.That(disposal.IsCompleted, Is.False);
        output.Go();
        await disposal;
        Assert.That(output.Length, Is.EqualTo(TextFormat.ChunkBytes));
    }

    private sealed class Filled(Stream output) : TextFormat(output)
    {
        public static byte[] Chunk(byte value) => [.. Enumerable.Repeat(value, ChunkBytes)];

        public Task AddChunkAsync(byte value)
        {
            Buffer.Write(Chunk(value));
            return FlushIfFullAsync(CancellationToken.None);
        }

        public override Action<DbDataReader> Map(string table) => throw new NotSupportedException();
    }

    /// <summary>Holds its first write up, in the call itself, as a compression does.</summary>
    private sealed class HeldStream : MemoryStream
    {
        private readonly TaskCompletionSource began = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim go = new();

        public Task Began => began.Task;

        public void Go() => go.Set();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            began.TrySetResult();
            return go.Wait(Wait.Longest, CancellationToken.None)
                ? base.WriteAsync(buffer, cancellationToken)
                : throw new TimeoutException("The export waited for its first chunk.");
        }

        protected override void Dispose(bool disposing)
        {
            go.Dispose();
            base.Dispose(disposing);
        }
    }
}
