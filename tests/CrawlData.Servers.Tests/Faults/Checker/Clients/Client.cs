using CrawlData.Audits;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>A task that invokes random operations, one at a time, until the end.</summary>
internal abstract class Client(Workload workload, int number)
{
    private static readonly DateTimeOffset SharedTime = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    private int used;

    protected Workload Workload => workload;

    protected History History => workload.History;

    protected int Number => number;

    protected Random Random { get; } = new((workload.Seed * 397) ^ number);

    public async Task RunAsync(CancellationToken ended)
    {
        while (!ended.IsCancellationRequested && workload.HasRoom && !History.HasHung)
        {
            await StepAsync();
        }

        if (!History.HasHung)
        {
            await FinishAsync();
        }
    }

    /// <summary>Invokes one operation or a few.</summary>
    protected abstract Task StepAsync();

    /// <summary>Runs after the last step, without faults.</summary>
    protected virtual Task FinishAsync() => Task.CompletedTask;

    protected bool OneIn(int count) => Random.Next(count) == 0;

    protected T Any<T>(IReadOnlyList<T> items) => items[Random.Next(items.Count)];

    protected EventKey NextKey() => new(number, Interlocked.Increment(ref used));

    /// <summary>Makes an event. Half of the events have one time of creation. Some get theirs from a trigger.</summary>
    protected NewCrawlEvent Event(EventKey key, bool refused = false) => new()
    {
        EventType = refused ? Workload.Refused : OneIn(4) ? Workload.Stamped : "step",
        Payload = Jsonb.From(new { client = key.Client, number = key.Number }),
        CreatedAt = OneIn(2) ? SharedTime : null,
    };

    protected static NewCrawlLog Line(EventKey key) =>
        new() { EventType = CrawlLogEventType.Navigation, Message = "line", Details = Jsonb.From(new { client = key.Client, number = key.Number }) };

    protected static NewArtifact Artifact(Guid id, Guid page, bool expired) => new()
    {
        Id = id,
        PageId = page,
        Type = ArtifactType.Screenshot,
        StorageUri = $"s3://audits/{id}.png",
        SizeBytes = 1,
        RetentionUntil = expired ? SharedTime.AddYears(-1) : null,
        KeepForever = !expired,
    };

    public static EventKey KeyOf(Jsonb payload)
    {
        var element = payload.ToElement();
        return new EventKey(element.GetProperty("client").GetInt32(), element.GetProperty("number").GetInt32());
    }

    /// <summary>A pause of the client's own work.</summary>
    protected Task ThinkAsync(int milliseconds) => Task.Delay(Random.Next(milliseconds + 1));

    /// <summary>Keeps a transaction open for as long as the application works in it.</summary>
    protected async Task WorkAsync(NpgsqlTransaction transaction) =>
        await DatabaseTest.RunSlowStatementAsync(transaction, milliseconds: 1 + Random.Next(8));
}
