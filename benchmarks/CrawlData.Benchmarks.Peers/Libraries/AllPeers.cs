using CrawlData.Benchmarks.Crawls;
using CrawlData.Benchmarks.Tool;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal static class AllPeers
{
#if WITH_BASELINE
    public const bool WithBaseline = true;
#else
    public const bool WithBaseline = false;
#endif

#if WITH_READY_TO_RUN
    public const bool WithReadyToRun = true;
#else
    public const bool WithReadyToRun = false;
#endif

#if WITH_MARTEN
    public const bool WithMarten = true;
#else
    public const bool WithMarten = false;
#endif

#if WITH_BASELINE
    /// <summary>Gets what makes the writer of the earlier commit; null without it.</summary>
    public static Func<NpgsqlDataSource, IOtherWriter>? OtherWriter { get; } = dataSource => new BaselinePeer(dataSource);

#else
    public static Func<NpgsqlDataSource, IOtherWriter>? OtherWriter => null;
#endif

    /// <summary>Gets other builds of the tool: one that is compiled ahead of time, and the earlier commit's. None without them.</summary>
    public static ClientProgram[] OtherTools { get; } =
    [
#if WITH_READY_TO_RUN
        ClientProgram.CrawlData("crawldata, ReadyToRun", Path.Combine(AppContext.BaseDirectory, "ready-to-run")),
#endif
#if WITH_BASELINE
        BaselinePeer.Tool,
#endif
    ];

    /// <summary>Gets a program that says hello; null without it.</summary>
#if WITH_READY_TO_RUN
    public static ClientProgram? Hello { get; } = ClientProgram.DotNet("hello world", Path.Combine(AppContext.BaseDirectory, "hello", "hello.dll"));
#else
    public static ClientProgram? Hello => null;
#endif

    public static IReadOnlyList<Peer> Of(NpgsqlDataSource dataSource) =>
    [
        new CrawlDataPeer(dataSource),
#if WITH_BASELINE
        new BaselinePeer(dataSource),
#endif
        new NpgsqlPeer(dataSource),
        new CopyPeer(dataSource),
        new DapperPeer(dataSource),
        new EfCorePeer(dataSource),
#if WITH_MARTEN
        new MartenPeer(dataSource, JasperFx.Events.EventAppendMode.Rich),
        new MartenPeer(dataSource, JasperFx.Events.EventAppendMode.Quick),
#endif
    ];
}
