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

#if WITH_MARTEN
    public const bool WithMarten = true;
#else
    public const bool WithMarten = false;
#endif

#if WITH_BASELINE
    /// <summary>Gets what makes the writer of the earlier commit; null without it.</summary>
    public static Func<NpgsqlDataSource, IOtherWriter>? OtherWriter { get; } = dataSource => new BaselinePeer(dataSource);

    /// <summary>Gets the tool of the earlier commit; none without it.</summary>
    public static ClientProgram[] OtherTools { get; } = [BaselinePeer.Tool];
#else
    public static Func<NpgsqlDataSource, IOtherWriter>? OtherWriter => null;

    public static ClientProgram[] OtherTools => [];
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
