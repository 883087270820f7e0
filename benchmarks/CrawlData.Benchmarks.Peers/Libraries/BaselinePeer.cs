extern alias baseline;

using System.Runtime.CompilerServices;
using baseline::CrawlData.Crawls;
using CrawlData.Benchmarks.Crawls;
using CrawlData.Benchmarks.Tool;
using Npgsql;
using BaselineJsonb = baseline::CrawlData.Jsonb;

namespace CrawlData.Benchmarks.Peers.Libraries;

/// <summary>CrawlData as it was at an earlier commit, which the goals of speed are measured against.</summary>
internal sealed class BaselinePeer(NpgsqlDataSource dataSource) : Peer, IOtherWriter
{
    private const string Commit = "8d92cd3";

    private readonly CrawlEventRepository repository = new(dataSource);
    private readonly CrawlEventWriter writer = new(new CrawlEventRepository(dataSource));
    private readonly ConditionalWeakTable<CrawlData.Crawls.NewCrawlEvent[], NewCrawlEvent[]> converted = [];

    /// <summary>Gets that commit's tool.</summary>
    public static ClientProgram Tool => ClientProgram.CrawlData($"crawldata {Commit}", Path.Combine(AppContext.BaseDirectory, "baseline"));

    public override string Name => $"CrawlData {Commit}";

    public override string Difference => "An earlier commit of CrawlData.";

    public override IReadOnlyList<Type> Packages => [];

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) =>
    [
        ($"{Name} ListAsync", async () => (await repository.ListAsync(crawl, pageSize: CrawlEventRepository.MaxPageSize)).Items.Count),
        ($"{Name} StreamAsync", async () => await repository.StreamAsync(crawl).CountAsync()),
    ];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, CrawlData.Crawls.NewCrawlEvent[] events)
    {
        var own = Convert(events);
        return [($"{Name} AppendAsync", own is [var one] ? () => repository.AppendAsync(crawl, one) : () => repository.AppendAsync(crawl, own))];
    }

    public Task AppendAsync(IReadOnlyList<Guid> crawls, CrawlData.Crawls.NewCrawlEvent[] events, int producers)
    {
        var own = Convert(events);
        return ConcurrentProducers.RunAsync(producers, own.Length, number => writer.AppendAsync(crawls[number % crawls.Count], own[number]));
    }

    public async Task WriteAsync(IReadOnlyList<Guid> crawls, CrawlData.Crawls.NewCrawlEvent[] events, int producers)
    {
        var own = Convert(events);
        await ConcurrentProducers.RunAsync(producers, own.Length, number => writer.WriteAsync(crawls[number % crawls.Count], own[number]));
        await writer.FlushAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await writer.DisposeAsync();
        await base.DisposeAsync();
    }

    // Once for each array, in an unmeasured round.
    private NewCrawlEvent[] Convert(CrawlData.Crawls.NewCrawlEvent[] events) => converted.GetValue(events, all =>
        [.. all.Select(one => new NewCrawlEvent { EventType = one.EventType, Payload = BaselineJsonb.Parse(one.Payload.ToString()) })]);
}
