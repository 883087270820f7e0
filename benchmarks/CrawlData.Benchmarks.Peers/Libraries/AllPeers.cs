using Npgsql;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal static class AllPeers
{
#if WITH_MARTEN
    public const bool WithMarten = true;
#else
    public const bool WithMarten = false;
#endif

    public static IReadOnlyList<Peer> Of(NpgsqlDataSource dataSource) =>
    [
        new CrawlDataPeer(dataSource),
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
