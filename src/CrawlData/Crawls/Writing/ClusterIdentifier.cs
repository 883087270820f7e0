using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Identifies the cluster of a transaction. The id of a transaction means nothing in another cluster, such as one that a dump was restored
/// to.</summary>
internal sealed class ClusterIdentifier
{
    // Two tasks may append. Both would read the same.
    private volatile Known? known;

    /// <summary>Gets the identifier. It is read once after each start of the server.</summary>
    public async Task<long> GetAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, TransactionIdentity identity)
    {
        if (known is { } last && last.ServerStart == identity.ServerStart)
        {
            return last.Identifier;
        }

        var identifier = await CommitVerifier.ReadClusterAsync(connection, transaction).ConfigureAwait(false);
        known = new Known(identity.ServerStart, identifier);
        return identifier;
    }

    private sealed record Known(Instant ServerStart, long Identifier);
}
