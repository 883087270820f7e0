using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

/// <summary>The artifacts of all sessions that have expired, or expire soon.</summary>
public sealed partial class ArtifactRepository
{
    /// <summary>The largest page: 10,000 artifacts.</summary>
    public const int MaxPageSize = 10_000;

    // One lower bound: with the present as a second one, a later page might begin at the present, and filter all artifacts up to its cursor.
    internal const string ListExpiringSql =
        $"""
        select {Columns}
        from artifacts
        where deleted_at is null
          and (retention_until, id) > (coalesce(@after_time, pg_catalog.now()), @after_key)
          and retention_until <= pg_catalog.now() + @within
        order by retention_until, id
        limit @limit
        """;

    internal const string TotalExpiringSql =
        """
        select pg_catalog.count(*), least(coalesce(pg_catalog.sum(size_bytes), 0), 9223372036854775807)::bigint
        from artifacts
        where deleted_at is null and retention_until > pg_catalog.now() and retention_until <= pg_catalog.now() + @within
        """;

    /// <summary>Lists the artifacts that have expired and are not marked as deleted, by the server's clock. The longest expired artifact is first.</summary>
    /// <param name="pageSize">The most artifacts on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The last page's <see cref="Page{T}.NextCursor"/>; null for the first page.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The artifacts, by <see cref="Artifact.RetentionUntil"/> and id.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The page size is out of range.</exception>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned.</exception>
    public Task<Page<Artifact>> ListExpiredAsync(
        int pageSize = 1_000, string? cursor = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        ListAsync(CursorKind.ExpiredArtifacts, Instant.NegativeInfinity, TimeSpan.Zero, pageSize, cursor, transaction, cancellationToken);

    /// <summary>Lists the artifacts that expire within a time from now, by the server's clock, and are not marked as deleted. The next to expire is
    /// first.</summary>
    /// <param name="within">The time from now, from 1 µs to 36,500 days. Pass the same with every page of a listing.</param>
    /// <param name="pageSize">The most artifacts on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The last page's <see cref="Page{T}.NextCursor"/>; null for the first page.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The artifacts, by <see cref="Artifact.RetentionUntil"/> and id. Those that have expired are not among them.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or the page size is out of range.</exception>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned.</exception>
    public Task<Page<Artifact>> ListExpiringAsync(
        TimeSpan within,
        int pageSize = 1_000,
        string? cursor = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default) =>
        ListAsync(CursorKind.ExpiringArtifacts, null, RequireDuration(within), pageSize, cursor, transaction, cancellationToken);

    /// <summary>Counts the artifacts that expire within a time from now, by the server's clock, and sums up their sizes. It reads these artifacts by an
    /// index.</summary>
    /// <param name="within">The time from now, from 1 µs to 36,500 days.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The total. Artifacts that have expired, and those that are marked as deleted, are not counted.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is out of range.</exception>
    public Task<ArtifactTotal> TotalExpiringAsync(TimeSpan within, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.QuerySingleAsync(
            TotalExpiringSql,
            new Parameters { { "within", NpgsqlDbType.Interval, RequireDuration(within) } },
            row => new ArtifactTotal { Count = row.GetInt64(0), SizeBytes = row.GetInt64(1) },
            transaction,
            cancellationToken);

    private static TimeSpan RequireDuration(TimeSpan within) =>
        ArgumentRange.Require(within, ArgumentRange.ShortestDuration, ArgumentRange.LongestDuration);

    /// <summary>Lists artifacts from a time on; from now on when it is null.</summary>
    private Task<Page<Artifact>> ListAsync(
        CursorKind kind,
        Instant? start,
        TimeSpan within,
        int pageSize,
        string? cursor,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        ArgumentRange.Require(pageSize, 1, MaxPageSize);
        var after = cursor is null ? (KeysetCursor<Guid>?)null : KeysetCursor<Guid>.Decode(cursor, kind);
        var parameters = new Parameters
        {
            { "after_time", NpgsqlDbType.TimestampTz, after?.Time ?? start },
            { "after_key", NpgsqlDbType.Uuid, after?.Id ?? (start is null ? Guid.AllBitsSet : Guid.Empty) },
            { "within", NpgsqlDbType.Interval, within },
        };
        return reads.QueryPageAsync(
            ListExpiringSql,
            parameters,
            pageSize,
            Map,
            row => new KeysetCursor<Guid>(row.GetInstant(7), row.GetGuid(0)),
            artifact => artifact.StorageUri.Length + (artifact.Checksum?.Length ?? 0),
            last => last.Encode(kind),
            new PassedOverRows(telemetry, log),
            transaction,
            cancellationToken);
    }
}
