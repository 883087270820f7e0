using System.Buffers.Binary;
using CrawlData.Tests.Faults;
using CrawlData.Workers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CrawlData.Tests.Queues;

public sealed class IdleWorkerTests : EmptiedDatabaseTest
{
    private const int Polls = 40;

    [Test]
    public async Task Idle_workers_send_less_than_one_statement_a_second_each()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var statements = 0;
        proxy.OnSent = (_, piece) =>
        {
            Interlocked.Add(ref statements, CountStatements(piece));
            return Fault.None;
        };
        var time = new FastTime();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddCrawlData(options => (options.DataSource, options.MigrateAtStartup, options.Notify) = (_ => dataSource, false, true));
        builder.Services.AddAuditWorker<NoHandler>();
        using var host = builder.Build();
        await host.StartAsync();
        await time.Polls.UntilCountAsync(1);
        var (before, started) = (statements, time.GetTimestamp());

        await time.Polls.UntilCountAsync(1 + Polls);

        var (sent, seconds) = (statements - before, time.GetElapsedTime(started).TotalSeconds);
        await host.StopAsync();
        TestContext.Out.WriteLine($"{sent} statements in {seconds:N0} s of the worker's clock");
        Assert.That(seconds, Is.GreaterThan(Polls * 4));
        Assert.That(sent, Is.InRange(Polls, seconds));
    }

    /// <summary>Counts the messages of the protocol that execute a statement.</summary>
    private static int CountStatements(ReadOnlySpan<byte> piece)
    {
        var count = 0;
        while (piece.Length > 4)
        {
            count += piece[0] is (byte)'E' or (byte)'Q' ? 1 : 0;
            var length = 1 + BinaryPrimitives.ReadInt32BigEndian(piece[1..]);
            piece = piece[Math.Min(length, piece.Length)..];
        }

        return count;
    }

    private sealed class NoHandler : IAuditHandler
    {
        public Task HandleAsync(AuditContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>A clock that runs 250 times as fast as the system's, and that counts the worker's pauses.</summary>
    private sealed class FastTime : TimeProvider
    {
        private const int Speed = 250;

        public ReceivedItems<TimeSpan> Polls { get; } = new();

        public override long TimestampFrequency => System.TimestampFrequency / Speed;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime == new WorkerOptions().PollInterval)
            {
                Polls.Add(dueTime);
            }

            return base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime / Speed : dueTime, period);
        }
    }
}
