using System.Data.Common;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

/// <summary>The table <c>artifacts</c>: the metadata of the files that audits made of pages. Instances are thread-safe.</summary>
/// <remarks>
/// <para><b>Transactions.</b> Methods take the caller's transaction. Without one, each call is a transaction of its own.</para>
/// <para><b>Errors.</b> Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>. An insert gets SQLSTATE 23503 when its page is
/// deleted at the same time. Nothing is retried.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="readDataSource">Serves <see cref="GetAsync"/>, the listings and the totals outside a transaction, for example from a hot standby,
/// which lags behind. Writes never use it. Null for <paramref name="dataSource"/>.</param>
/// <param name="retention">How long artifacts are kept, by their session's retention policy; the defaults when null.</param>
/// <param name="logger">Logs rows that listings and totals pass over, because this version cannot read them; may be null.</param>
public sealed partial class ArtifactRepository(
    NpgsqlDataSource dataSource,
    NpgsqlDataSource? readDataSource = null,
    RetentionDurations? retention = null,
    ILogger<ArtifactRepository>? logger = null)
{
    internal const string Table = "artifacts";

    // In the order in which Map reads them.
    internal const string Columns = "id, session_id, page_id, type::text, storage_uri, size_bytes, created_at, retention_until, deleted_at, checksum";

    internal const string InsertSql =
        $"""
        with given as materialized (
            select artifacts.*, coalesce(given_at, pg_catalog.now()) as stored_at, audit_sessions.retention_policy
            from unnest(@ids, @session_ids, @page_ids, @types, @storage_uris, @sizes_bytes, @created_times, @retention_untils, @keep_forevers, @deleted_ats,
                        @checksums)
                as artifacts (id, session_id, page_id, type, storage_uri, size_bytes, given_at, retention_until, keep_forever, deleted_at, checksum)
            join audit_pages on audit_pages.id = artifacts.page_id and audit_pages.session_id = artifacts.session_id
            join audit_sessions on audit_sessions.id = artifacts.session_id
        )
        insert into artifacts (id, session_id, page_id, type, storage_uri, size_bytes, created_at, retention_until, deleted_at, checksum)
        select id, session_id, page_id, type::artifact_type_enum, storage_uri, size_bytes, stored_at,
               case when not keep_forever
                   then coalesce(
                       retention_until,
                       stored_at + case retention_policy::text when 'standard' then @standard when 'short' then @short when 'long' then @long end)
               end,
               deleted_at, checksum
        from given
        where (select pg_catalog.count(*) from given) = pg_catalog.cardinality(@ids)
        returning {Columns}
        """;

    internal const string UnknownPagesSql =
        """
        select distinct page_id from unnest(@page_ids, @session_ids) as asked (page_id, session_id)
        where not exists (select from audit_pages where audit_pages.id = asked.page_id and audit_pages.session_id = asked.session_id)
        """;

    internal const string GetSql = $"select {Columns} from artifacts where id = @id and session_id = @session_id";

    private const string Condition =
        """
        where session_id = @session_id
          and (@page_id is null or page_id = @page_id)
          and (@types is null or type operator(pg_catalog.=) any (@types::artifact_type_enum[]))
          and (@include_deleted or deleted_at is null)
        """;

    internal const string ListSql = $"select {Columns} from artifacts {Condition} order by created_at, id";

    // A sum of bigint is numeric. It is capped at the largest bigint.
    private const string Totals = "select type::text, pg_catalog.count(*), least(pg_catalog.sum(size_bytes), 9223372036854775807)::bigint from artifacts";

    internal const string TotalsByTypeSql = $"{Totals} {Condition} group by type";

    internal const string AllTotalsByTypeSql = $"{Totals} where @include_deleted or deleted_at is null group by type";

    internal const string MarkDeletedSql =
        "update artifacts set deleted_at = pg_catalog.clock_timestamp() where id = any (@ids) and session_id = @session_id and deleted_at is null";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly NpgsqlDataSource reads = readDataSource ?? dataSource;
    private readonly RetentionDurations retention = retention ?? new RetentionDurations();
    private readonly Telemetry telemetry = new(dataSource, Table);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Inserts an artifact.</summary>
    /// <param name="sessionId">The artifact's session.</param>
    /// <param name="artifact">The artifact.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The artifact as it was stored, with its <see cref="Artifact.RetentionUntil"/>.</returns>
    /// <exception cref="RowNotFoundException">The session has no such page.</exception>
    /// <exception cref="RowAlreadyExistsException">An artifact with that id exists. The caller's transaction is aborted, as after any error of the
    /// server.</exception>
    /// <exception cref="InvalidValueException">Both <see cref="NewArtifact.RetentionUntil"/> and <see cref="NewArtifact.KeepForever"/> are set.</exception>
    /// <example>
    /// <code>
    /// var artifact = await artifacts.InsertAsync(session.Id, new NewArtifact
    /// {
    ///     PageId = page.Id,
    ///     Type = ArtifactType.Screenshot,
    ///     StorageUri = "file:///var/audits/home.png",
    ///     SizeBytes = 95_881,
    /// });
    /// Console.WriteLine($"It expires at {artifact.RetentionUntil:u}.");
    /// </code>
    /// </example>
    public async Task<Artifact> InsertAsync(
        Guid sessionId, NewArtifact artifact, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        return (await InsertAsync(sessionId, [artifact], transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Inserts artifacts into a session: all or none. Without artifacts it does nothing, and does not look for the session.</summary>
    /// <param name="sessionId">The artifacts' session.</param>
    /// <param name="artifacts">The artifacts.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The artifacts as they were stored, in the same order.</returns>
    /// <exception cref="RowNotFoundException">The session does not have one or more of the pages. Nothing is stored.</exception>
    /// <exception cref="RowAlreadyExistsException">An artifact with one of the ids exists. The caller's transaction is aborted, as after any error of the
    /// server.</exception>
    /// <exception cref="InvalidValueException">One of the artifacts is null, or has both <see cref="NewArtifact.RetentionUntil"/> and
    /// <see cref="NewArtifact.KeepForever"/> set. Nothing is stored.</exception>
    public Task<IReadOnlyList<Artifact>> InsertAsync(
        Guid sessionId, IEnumerable<NewArtifact> artifacts, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(artifacts);
        return InsertAsync(
            [.. artifacts.NamingIndex("artifacts").Select(artifact => (sessionId, artifact, (Instant?)null))],
            Map,
            artifact => artifact.Id,
            transaction,
            cancellationToken);
    }

    /// <summary>Gets an artifact.</summary>
    /// <param name="sessionId">The artifact's session.</param>
    /// <param name="id">The artifact.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The artifact; null when the session has no artifact with that id.</returns>
    /// <exception cref="UnreadableRowException">This version, or .NET, cannot hold a value of the row.</exception>
    public Task<Artifact?> GetAsync(Guid sessionId, Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "session_id", NpgsqlDbType.Uuid, sessionId }, { "id", NpgsqlDbType.Uuid, id } };
        return reads.QuerySingleOrDefaultAsync(GetSql, parameters, Map, transaction, cancellationToken);
    }

    /// <summary>Lists a session's artifacts, ordered by time of creation and id.</summary>
    /// <remarks>Artifacts of one call are in the order of the call, unless the caller gave them ids or times of creation.</remarks>
    /// <param name="sessionId">The session. An unknown session has no artifacts.</param>
    /// <param name="filter">Which artifacts; all that are not marked as deleted when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The artifacts.</returns>
    public async Task<IReadOnlyList<Artifact>> ListAsync(
        Guid sessionId, ArtifactFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        await reads.QueryReadableAsync(
            ListSql, ToParameters(sessionId, filter), Map, new PassedOverRows(telemetry, log), transaction, cancellationToken).ConfigureAwait(false);

    /// <summary>Counts a session's artifacts by type, and sums up their sizes.</summary>
    /// <param name="sessionId">The session. An unknown session has no artifacts.</param>
    /// <param name="filter">Which artifacts; all that are not marked as deleted when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A total for each type; zero for a type without artifacts.</returns>
    public Task<IReadOnlyDictionary<ArtifactType, ArtifactTotal>> TotalByTypeAsync(
        Guid sessionId, ArtifactFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        ReadTotalsAsync(TotalsByTypeSql, ToParameters(sessionId, filter), transaction, cancellationToken);

    /// <summary>Counts the artifacts of all sessions by type, and sums up their sizes. It reads the whole table.</summary>
    /// <param name="includeDeleted">Whether to include artifacts that are marked as deleted.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A total for each type; zero for a type without artifacts.</returns>
    public Task<IReadOnlyDictionary<ArtifactType, ArtifactTotal>> TotalAllByTypeAsync(
        bool includeDeleted = false, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        ReadTotalsAsync(
            AllTotalsByTypeSql, new Parameters { { "include_deleted", NpgsqlDbType.Boolean, includeDeleted } }, transaction, cancellationToken);

    /// <summary>Marks artifacts as deleted. Call it after their files were deleted from the storage.</summary>
    /// <remarks>Artifacts that are already marked keep their time. An id that the session does not have is ignored.</remarks>
    /// <param name="sessionId">The artifacts' session.</param>
    /// <param name="ids">The artifacts.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The number of artifacts that this call marked.</returns>
    public async Task<long> MarkDeletedAsync(
        Guid sessionId, IEnumerable<Guid> ids, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var parameters = new Parameters
        {
            { "session_id", NpgsqlDbType.Uuid, sessionId },
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids.ToArray() },
        };
        return await dataSource.ExecuteAsync(MarkDeletedSql, parameters, transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Inserts artifacts of several sessions: all or none. Each may be marked as deleted. An import maps only the ids of the stored rows, because it
    /// may store times that <see cref="Map"/> cannot read.</summary>
    internal async Task<IReadOnlyList<T>> InsertAsync<T>(
        IReadOnlyList<(Guid SessionId, NewArtifact Artifact, Instant? DeletedAt)> artifacts,
        Func<DbDataReader, T> map,
        Func<T, Guid> id,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        if (artifacts.Count == 0)
        {
            return [];
        }

        Guid[] ids = [.. artifacts.Select((item, index) => Require(item.Artifact, index).Id ?? Uuid7.New())];
        var sessionIds = artifacts.Select(item => item.SessionId).ToArray();
        var pageIds = artifacts.Select(item => item.Artifact.PageId).ToArray();
        var parameters = new Parameters
        {
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids },
            { "session_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, sessionIds },
            { "page_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, pageIds },
            { "types", NpgsqlDbType.Array | NpgsqlDbType.Text, artifacts.Select(item => item.Artifact.Type).ToLabels() },
            { "storage_uris", NpgsqlDbType.Array | NpgsqlDbType.Text, artifacts.Select(item => item.Artifact.StorageUri).ToArray() },
            { "sizes_bytes", NpgsqlDbType.Array | NpgsqlDbType.Bigint, artifacts.Select(item => item.Artifact.SizeBytes).ToArray() },
            { "created_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, artifacts.Select(item => item.Artifact.CreatedInstant).ToArray() },
            { "retention_untils", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, artifacts.Select(item => item.Artifact.RetentionInstant).ToArray() },
            { "keep_forevers", NpgsqlDbType.Array | NpgsqlDbType.Boolean, artifacts.Select(item => item.Artifact.KeepForever).ToArray() },
            { "deleted_ats", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, artifacts.Select(item => item.DeletedAt).ToArray() },
            { "checksums", NpgsqlDbType.Array | NpgsqlDbType.Text, artifacts.Select(item => item.Artifact.Checksum).ToArray() },
            { "standard", NpgsqlDbType.Interval, retention.Standard },
            { "short", NpgsqlDbType.Interval, retention.Short },
            { "long", NpgsqlDbType.Interval, retention.Long },
        };
        var rows = await dataSource.InsertAsync(Table, InsertSql, parameters, ids, map, id, transaction, cancellationToken).ConfigureAwait(false);
        if (rows.Count > 0)
        {
            return rows;
        }

        var references = new Parameters
        {
            { "page_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, pageIds },
            { "session_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, sessionIds },
        };
        var unknown = await dataSource.QueryAsync(UnknownPagesSql, references, row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false);
        throw new RowNotFoundException(AuditPageRepository.Table, unknown.Count > 0 ? unknown : pageIds);
    }

    private Task<IReadOnlyDictionary<ArtifactType, ArtifactTotal>> ReadTotalsAsync(
        string sql, Parameters parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        reads.QueryByLabelAsync<ArtifactType, ArtifactTotal>(
            Table,
            sql,
            parameters,
            row => new ArtifactTotal { Count = row.GetInt64(1), SizeBytes = row.GetInt64(2) },
            total => total.Count,
            new PassedOverRows(telemetry, log),
            transaction,
            cancellationToken);

    private static NewArtifact Require(NewArtifact? artifact, int index) => artifact switch
    {
        null => throw new InvalidValueException("artifacts", $"has null at index {index}"),
        { KeepForever: true, RetentionInstant: not null } =>
            throw new InvalidValueException("retention_until", $"is set together with {nameof(NewArtifact.KeepForever)}"),
        _ => artifact,
    };

    private static Artifact Map(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        SessionId = row.GetGuid(1),
        PageId = row.GetGuid(2),
        Type = row.GetLabel<ArtifactType>(Table, 3),
        StorageUri = row.GetString(4),
        SizeBytes = row.GetInt64(5),
        CreatedAt = row.GetTime(Table, 6),
        RetentionUntil = row.GetNullableTime(Table, 7),
        DeletedAt = row.GetNullableTime(Table, 8),
        Checksum = row.GetNullable<string>(9),
    };

    /// <summary>Makes the parameters of <see cref="ListSql"/>.</summary>
    internal static Parameters ToParameters(Guid sessionId, ArtifactFilter? filter)
    {
        filter ??= ArtifactFilter.All;
        return new Parameters
        {
            { "session_id", NpgsqlDbType.Uuid, sessionId },
            { "page_id", NpgsqlDbType.Uuid, filter.PageId },
            { "types", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Types.ToLabels() },
            { "include_deleted", NpgsqlDbType.Boolean, filter.IncludeDeleted },
        };
    }
}
