using System.Text.Json;
using CrawlData.Crawls;
using JasperFx.Events;
using Marten;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Libraries;

/// <summary>Stores events in Marten's own tables, a stream for each crawl, in one of Marten's append modes.</summary>
internal sealed class MartenPeer(NpgsqlDataSource dataSource, EventAppendMode mode) : Peer
{
    private readonly DocumentStore store = DocumentStore.For(options =>
    {
        options.Connection(dataSource);
        options.DatabaseSchemaName = $"marten_{mode.ToString().ToLowerInvariant()}";
        options.Events.AppendMode = mode;
        options.Events.AddEventType<ElementFound>();
    });

    public override string Name => $"Marten, {mode}";

    public override string Difference =>
        "SaveChanges is one transaction and sets the events' sequence numbers and versions. Versions rise in commit order within a stream: "
        + "of concurrent appends to a stream one succeeds, and the callers must retry the others. "
        + "With an expected version, a retry cannot store events twice. "
        + (mode == EventAppendMode.Rich
            ? "Projections have the versions before the commit, which takes more round trips. "
            : "The server assigns the versions. ")
        + "Marten's own tables have more columns, and its figures include serializing and deserializing the events.";

    public override IReadOnlyList<Type> Packages => [typeof(DocumentStore)];

    public override Task SeedAsync(IReadOnlyList<Guid> crawls, NewCrawlEvent[] events)
    {
        var objects = ToObjects(events);
        return store.BulkInsertEventsAsync([.. crawls.Select(crawl => StreamAction.Start(store.Events, crawl, objects))]);
    }

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) => [($"Marten {mode} FetchStreamAsync", () => ReadAsync(crawl))];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events)
    {
        var objects = ToObjects(events);
        return [($"Marten {mode} Append, SaveChanges", () => AppendAsync(crawl, objects))];
    }

    public override async ValueTask DisposeAsync()
    {
        await store.DisposeAsync();
        await base.DisposeAsync();
    }

    private static object[] ToObjects(NewCrawlEvent[] events) =>
        [.. events.Select(one => JsonSerializer.Deserialize<ElementFound>(one.Payload.Utf8.Span, JsonSerializerOptions.Web)!)];

    private async Task<int> ReadAsync(Guid crawl)
    {
        await using var session = store.QuerySession();
        return (await session.Events.FetchStreamAsync(crawl)).Count;
    }

    private async Task AppendAsync(Guid crawl, object[] events)
    {
        await using var session = store.LightweightSession();
        session.Events.Append(crawl, events);
        await session.SaveChangesAsync();
    }

    // Public, because Marten serializes and deserializes it.
    public sealed record ElementFound(int Step, int Index, string Kind, string Href, string Text, bool Fresh);
}
