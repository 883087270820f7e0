using System.Text.Json;
using CrawlData.Crawls;
using JasperFx.Events;
using Marten;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Libraries;

/// <summary>Events in Marten's own tables, each crawl a stream, in one of the modes of appending.</summary>
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
        "SaveChanges is one transaction and puts sequence numbers and versions into the events; versions rise in the order of commits within a stream, "
        + "since of those who append to it at once all but one fail and try again themselves, which with an expected version cannot store twice. "
        + (mode == EventAppendMode.Rich ? "Projections know versions before the commit, for more round trips. " : "The server gives versions out. ")
        + "Its tables are its own, with more columns, and it makes JSON of events, and events of JSON, within the time.";

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

    // Marten makes and reads it.
    public sealed record ElementFound(int Step, int Index, string Kind, string Href, string Text, bool Fresh);
}
