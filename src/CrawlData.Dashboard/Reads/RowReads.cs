using System.Text.Json;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Dashboard.Artifacts;
using Npgsql;

namespace CrawlData.Dashboard.Reads;

/// <summary>Reads rows for screens, in one transaction, and redacts them. Screens have no other way to rows.</summary>
internal sealed class RowReads(
    Repositories repositories,
    NpgsqlTransaction transaction,
    Redaction redaction,
    RunCache<CrawlEventSummary> summaries,
    EventSampler sampler,
    TimeSpan staleAfter,
    CancellationToken cancellationToken)
{
    // The next view goes on from there.
    private const int MostCounted = 100_000;

    public async Task<Page<CrawlRun>> ListRunsAsync(CrawlRunFilter filter, int pageSize, string? cursor = null)
    {
        var page = await repositories.Runs.ListAsync(filter, pageSize, cursor, ListOrder.NewestFirst, transaction, cancellationToken).ConfigureAwait(false);
        return Redact(page, redaction.Of);
    }

    public async Task<CrawlRun?> GetRunAsync(Guid id) =>
        await repositories.Runs.GetAsync(id, transaction, cancellationToken).ConfigureAwait(false) is { } run ? redaction.Of(run) : null;

    public Task<CrawlRunAttempt?> GetAttemptAsync(Guid runId) => repositories.RunQueue.GetAttemptAsync(runId, transaction, cancellationToken);

    public Task<IReadOnlyDictionary<Guid, LastCrawlEvent>> GetLastEventsAsync(IEnumerable<Guid> crawlIds) =>
        repositories.Events.GetLastOfEachAsync(crawlIds, transaction, cancellationToken);

    /// <summary>Returns which of these running runs have had no heartbeat for a while. Their events are the caller's to look at.</summary>
    public Task<IReadOnlySet<Guid>> FindSilentRunsAsync(IEnumerable<Guid> ids) =>
        SignsOfLife.FindSilentAsync(SignsOfLife.SilentRunsSql, [.. ids], staleAfter, transaction, cancellationToken);

    public async Task<Page<CrawlEvent>> ListEventsAsync(Guid crawlId, CrawlEventFilter filter, int pageSize) =>
        Redact(
            await repositories.Events.ListAsync(crawlId, filter, pageSize, null, transaction, cancellationToken).ConfigureAwait(false), redaction.Of);

    public async Task<Page<CrawlEvent>> ListNewestEventsAsync(Guid crawlId, CrawlEventFilter filter, int pageSize) =>
        Redact(
            await repositories.Events.ListNewestAsync(crawlId, filter, pageSize, null, transaction, cancellationToken).ConfigureAwait(false), redaction.Of);

    public async Task<CrawlEvent?> GetEventAsync(Guid crawlId, long id) =>
        await repositories.Events.GetAsync(crawlId, id, transaction, cancellationToken).ConfigureAwait(false) is { } found ? redaction.Of(found) : null;

    /// <summary>Returns the ids of the events before and after an event; null at an end of the crawl.</summary>
    public Task<(long? Previous, long? Next)> FindNeighboursAsync(Guid crawlId, long eventId) =>
        Neighbours.FindAsync(crawlId, eventId, transaction, cancellationToken);

    /// <summary>Gets the last event of one of the types, up to an event; null when none is near.</summary>
    public async Task<CrawlEvent?> FindScreenAsync(Guid crawlId, long eventId, IReadOnlyCollection<string> types) =>
        await ScreenSearch.FindAsync(crawlId, eventId, types, transaction, cancellationToken).ConfigureAwait(false) is { } id
            ? (await ListNewestEventsAsync(crawlId, new CrawlEventFilter { UpToId = id }, 1).ConfigureAwait(false)).Items.SingleOrDefault()
            : null;

    /// <summary>Gets the storage URI in an event's payload as it is stored, for the resolver alone; null when there is none, or redaction removes it.</summary>
    public async Task<string?> GetStoredUriAsync(Guid crawlId, long id, IReadOnlyCollection<string> properties) =>
        await repositories.Events.GetAsync(crawlId, id, transaction, cancellationToken).ConfigureAwait(false) is { } stored
            && ArtifactReference.Find(redaction.Of(stored).Payload, properties) is not null
            ? ArtifactReference.Find(stored.Payload, properties)
            : null;

    /// <summary>Gets the id of the event at which the crawl reaches a time.</summary>
    public async Task<long?> FindEventAtAsync(Guid crawlId, DateTimeOffset time)
    {
        var place = await sampler.FindAsync(crawlId, time, transaction, cancellationToken).ConfigureAwait(false);
        return place.FoundId ?? await SearchAsync(place.AfterId, place.UpToId).ConfigureAwait(false)
            ?? (place.UpToId is null ? null : await SearchAsync(null, null).ConfigureAwait(false));

        async Task<long?> SearchAsync(long? afterId, long? upToId) =>
            (await repositories.Events.GetFirstAtAsync(crawlId, time, afterId, upToId, transaction, cancellationToken).ConfigureAwait(false))?.Id;
    }

    /// <summary>Returns the types of a crawl's first events.</summary>
    public Task<IReadOnlySet<string>> ReadFirstTypesAsync(Guid crawlId) => sampler.ReadFirstTypesAsync(crawlId, transaction, cancellationToken);

    public async Task<CrawlEventSummary> SummarizeAsync(Guid crawlId)
    {
        var summary = await repositories.Events.SummarizeAsync(crawlId, summaries.Find(crawlId), MostCounted, transaction, cancellationToken)
            .ConfigureAwait(false);
        summaries.Keep(crawlId, summary);
        return summary;
    }

    /// <summary>Reads some of a crawl's events, without payloads; null when it has none.</summary>
    public Task<EventSamples?> SampleEventsAsync(Guid crawlId) => sampler.ReadAsync(crawlId, transaction, cancellationToken);

    /// <summary>Compares two crawls, and counts all differences.</summary>
    /// <param name="olderId">The older crawl.</param>
    /// <param name="newerId">The newer crawl.</param>
    /// <param name="comparison">What is compared.</param>
    /// <param name="most">The most differences to return.</param>
    public async Task<(IReadOnlyList<CrawlDifference> First, IReadOnlyDictionary<CrawlDifferenceKind, long> Counts)> CompareAsync(
        Guid olderId, Guid newerId, CrawlComparisonOptions comparison, int most)
    {
        var first = new List<CrawlDifference>();
        var counts = Enum.GetValues<CrawlDifferenceKind>().ToDictionary(kind => kind, _ => 0L);
        var differences = repositories.Events.CompareAsync(olderId, newerId, comparison, transaction, cancellationToken);
        await foreach (var difference in differences.ConfigureAwait(false))
        {
            counts[difference.Kind]++;
            if (first.Count < most)
            {
                first.Add(difference);
            }
        }

        if (redaction.ChangesJson)
        {
            for (var index = 0; index < first.Count; index++)
            {
                first[index] = await RedactKeyAsync(first[index]).ConfigureAwait(false);
            }
        }

        return (first, counts);

        // The key is a part of a payload. So it is taken from the payload as it is shown.
        async Task<CrawlDifference> RedactKeyAsync(CrawlDifference difference)
        {
            var (crawlId, id) = difference.NewerEventId is { } newer ? (newerId, newer) : (olderId, difference.OlderEventId!.Value);
            var shown = (await GetEventAsync(crawlId, id).ConfigureAwait(false))?.Payload.ToElement();
            var key = shown is { ValueKind: JsonValueKind.Object } payload && payload.TryGetProperty(comparison.Key, out var value)
                ? value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText()
                : "(redacted)";
            return difference with { Key = key };
        }
    }

    public async Task<Page<AuditSession>> ListSessionsAsync(AuditSessionFilter filter, int pageSize, string? cursor = null)
    {
        var page = await repositories.Sessions.ListAsync(filter, pageSize, cursor, ListOrder.NewestFirst, transaction, cancellationToken)
            .ConfigureAwait(false);
        return Redact(page, redaction.Of);
    }

    public async Task<AuditSession?> GetSessionAsync(Guid id) =>
        await repositories.Sessions.GetAsync(id, transaction, cancellationToken).ConfigureAwait(false) is { } session ? redaction.Of(session) : null;

    /// <summary>Returns which of these running sessions have had no line in their log and no heartbeat for a while.</summary>
    public Task<IReadOnlySet<Guid>> FindSilentSessionsAsync(IEnumerable<Guid> ids) =>
        SignsOfLife.FindSilentAsync(SignsOfLife.SilentSessionsSql, [.. ids], staleAfter, transaction, cancellationToken);

    /// <summary>Returns until when sessions are delayed. Those that are not are not in it.</summary>
    public Task<IReadOnlyDictionary<Guid, DateTimeOffset>> FindDelaysAsync(Guid[] sessionIds) =>
        SessionDelays.FindAsync(sessionIds, transaction, cancellationToken);

    /// <summary>Lists the oldest sessions that look stale.</summary>
    public async Task<IReadOnlyList<AuditSession>> ListSilentSessionsAsync(int most) =>
        [.. (await repositories.SessionQueue.ListSilentAsync(staleAfter, most, transaction, cancellationToken).ConfigureAwait(false)).Select(redaction.Of)];

    public async Task<IReadOnlyList<AuditPage>> ListPagesAsync(Guid sessionId) =>
        [.. (await repositories.Pages.ListAsync(sessionId, null, transaction, cancellationToken).ConfigureAwait(false)).Select(redaction.Of)];

    public async Task<IReadOnlyList<Artifact>> ListArtifactsAsync(Guid sessionId) =>
        [.. (await repositories.Artifacts.ListAsync(sessionId, new ArtifactFilter { IncludeDeleted = true }, transaction, cancellationToken)
            .ConfigureAwait(false)).Select(redaction.Of)];

    /// <summary>Gets an artifact with its storage URI as it is stored, for the resolver alone; null when there is none, or it is deleted.</summary>
    public async Task<Artifact?> GetStoredArtifactAsync(Guid sessionId, Guid id) =>
        await repositories.Artifacts.GetAsync(sessionId, id, transaction, cancellationToken).ConfigureAwait(false) is { DeletedAt: null } stored
            ? stored
            : null;

    public Task<IReadOnlyDictionary<ArtifactType, ArtifactTotal>> TotalArtifactsAsync() =>
        repositories.Artifacts.TotalAllByTypeAsync(false, transaction, cancellationToken);

    public Task<ArtifactTotal> TotalExpiringArtifactsAsync(TimeSpan within) =>
        repositories.Artifacts.TotalExpiringAsync(within, transaction, cancellationToken);

    public async Task<Page<Artifact>> ListExpiredArtifactsAsync(int pageSize, string? cursor) =>
        Redact(await repositories.Artifacts.ListExpiredAsync(pageSize, cursor, transaction, cancellationToken).ConfigureAwait(false), redaction.Of);

    public async Task<Page<Artifact>> ListExpiringArtifactsAsync(TimeSpan within, int pageSize, string? cursor) =>
        Redact(await repositories.Artifacts.ListExpiringAsync(within, pageSize, cursor, transaction, cancellationToken).ConfigureAwait(false), redaction.Of);

    public async Task<Page<CrawlLog>> ListNewestLogAsync(Guid sessionId, CrawlLogFilter filter, int pageSize, string? cursor) =>
        Redact(
            await repositories.Logs.ListNewestAsync(sessionId, filter, pageSize, cursor, transaction, cancellationToken).ConfigureAwait(false),
            redaction.Of);

    /// <summary>Gets the id before the newest lines of a long log, where a follower begins; null for the first line.</summary>
    public Task<long?> FindLogStartAsync(Guid sessionId) => LogStart.FindAsync(sessionId, transaction, cancellationToken);

    private static Page<T> Redact<T>(Page<T> page, Func<T, T> redact) => new() { Items = [.. page.Items.Select(redact)], NextCursor = page.NextCursor };
}
