using CrawlData.Audits;
using static CrawlData.Tests.Security.ApiInput;

namespace CrawlData.Tests.Security;

internal static partial class ApiInputs
{
    private static IEnumerable<ApiInput> Audits => [.. Sessions, .. Queue, .. Pages, .. Artifacts, .. Logs];

    private static IEnumerable<ApiInput> Sessions =>
    [
        NewId("NewAuditSession.Id", (api, id) => api.StoreAsync(api.Session with { Id = id }, session => id is null ? null : session.Id)),
        Of<string>("NewAuditSession.Url", StoreUrlAsync, [
            (null!, new ExpectedError(typeof(ArgumentNullException), "url")),
            .. Cases(MalformedUrl.Accepted, null),
            .. Cases(MalformedUrl.Refused, ExpectedError.OfValue("url")),
        ]),
        Enum<AuditMode>("NewAuditSession.Mode", (api, mode) => api.StoreAsync(api.Session with { Mode = mode }, session => session.Mode)),
        Enum<RetentionPolicy>("NewAuditSession.RetentionPolicy",
            (api, policy) => api.StoreAsync(api.Session with { RetentionPolicy = policy }, session => session.RetentionPolicy)),
        Text("NewAuditSession.CrawlPolicyVersion",
            (api, text) => api.StoreAsync(api.Session with { CrawlPolicyVersion = text! }, session => session.CrawlPolicyVersion),
            longest: 500, empty: false),
        Json("NewAuditSession.ConfigSnapshot", (api, json) => api.StoreAsync(api.Session with { ConfigSnapshot = json }, session => session.ConfigSnapshot)),
        Time("NewAuditSession.CreatedAt",
            (api, time) => api.StoreAsync(api.Session with { CreatedAt = time }, session => time is null ? null : session.CreatedAt)),
        Enums<AuditSessionStatus>("AuditSessionFilter.Statuses", (api, statuses) => api.FilterAsync(new AuditSessionFilter { Statuses = statuses })),
        Text("AuditSessionFilter.CrawlPolicyVersion", (api, text) => api.FilterAsync(new AuditSessionFilter { CrawlPolicyVersion = text }), optional: true),
        Enums<AuditMode>("AuditSessionFilter.Modes", (api, modes) => api.FilterAsync(new AuditSessionFilter { Modes = modes })),
        Time("AuditSessionFilter.CreatedFrom", (api, time) => api.FilterAsync(new AuditSessionFilter { CreatedFrom = time })),
        Time("AuditSessionFilter.CreatedBefore", (api, time) => api.FilterAsync(new AuditSessionFilter { CreatedBefore = time })),
        Required<NewAuditSession>("AuditSessionRepository.InsertAsync(session)", (api, session) => api.Sessions.InsertAsync(session)),
        Rows<NewAuditSession>("AuditSessionRepository.InsertAsync(sessions)", (api, sessions) => api.Sessions.InsertAsync(sessions)),
        Id("AuditSessionRepository.GetAsync(id)", (api, id) => api.Sessions.GetAsync(id)),
        Number("AuditSessionRepository.ListAsync(pageSize)", 1, AuditSessionRepository.MaxPageSize, (api, size) => api.Sessions.ListAsync(pageSize: size)),
        Cursor("AuditSessionRepository.ListAsync(cursor)", CursorKind.SessionsNewestFirst, (api, cursor) => api.Sessions.ListAsync(cursor: cursor)),
        Enum<ListOrder>("AuditSessionRepository.ListAsync(order)", (api, order) => api.Sessions.ListAsync(order: order)),
        Id("AuditSessionRepository.DeleteAsync(id)", (api, id) => api.Sessions.DeleteAsync(id)),
        Prefix("AuditSessionRepository.FindIdsAsync(idPrefix)", (api, prefix) => api.Sessions.FindIdsAsync(prefix)),
        Number("AuditSessionRepository.FindIdsAsync(limit)", 1, int.MaxValue, (api, limit) => api.Sessions.FindIdsAsync("0", limit)),
        Of<Guid[]>("AuditSessionRepository.ShortenIdsAsync(ids)", (api, ids) => api.Sessions.ShortenIdsAsync(ids), Ids("ids")),
    ];

    private static IEnumerable<ApiInput> Queue =>
    [
        Id("AuditSessionQueue.StartAsync(id)", (api, id) => api.Queue.StartAsync(id)),
        Id("AuditSessionQueue.CompleteAsync(id)", (api, id) => api.Queue.CompleteAsync(id, 1)),
        Number("AuditSessionQueue.CompleteAsync(attempt)", int.MinValue, int.MaxValue,
            (api, attempt) => api.Queue.CompleteAsync(api.TakeSession(), attempt)),
        Id("AuditSessionQueue.CompletePartiallyAsync(id)", (api, id) => api.Queue.CompletePartiallyAsync(id, 1, "an error")),
        Number("AuditSessionQueue.CompletePartiallyAsync(attempt)", int.MinValue, int.MaxValue,
            (api, attempt) => api.Queue.CompletePartiallyAsync(api.TakeSession(), attempt, "an error")),
        Text("AuditSessionQueue.CompletePartiallyAsync(errorSummary)",
            async (api, text) => [(await api.Queue.CompletePartiallyAsync(api.TakeSession(), 1, text!)).EnsureApplied().ErrorSummary]),
        Id("AuditSessionQueue.FailAsync(id)", (api, id) => api.Queue.FailAsync(id, 1, "an error")),
        Number("AuditSessionQueue.FailAsync(attempt)", int.MinValue, int.MaxValue,
            (api, attempt) => api.Queue.FailAsync(api.TakeSession(), attempt, "an error")),
        Text("AuditSessionQueue.FailAsync(errorSummary)",
            async (api, text) => [(await api.Queue.FailAsync(api.TakeSession(), 1, text!)).EnsureApplied().ErrorSummary]),
        Id("AuditSessionQueue.ReleaseAsync(id)", (api, id) => api.Queue.ReleaseAsync(id, 1)),
        Number("AuditSessionQueue.ReleaseAsync(attempt)", int.MinValue, int.MaxValue, (api, attempt) => api.Queue.ReleaseAsync(api.TakeSession(), attempt)),
        Id("AuditSessionQueue.RetryAsync(id)", (api, id) => api.Queue.RetryAsync(id, 1, "", TimeSpan.Zero, 3)),
        Number("AuditSessionQueue.RetryAsync(attempt)", int.MinValue, int.MaxValue,
            (api, attempt) => api.Queue.RetryAsync(api.TakeSession(), attempt, "", TimeSpan.Zero, 3)),
        Text("AuditSessionQueue.RetryAsync(errorSummary)",
            async (api, text) => [(await api.Queue.RetryAsync(api.TakeSession(), 1, text!, TimeSpan.Zero, 3)).EnsureApplied().ErrorSummary]),
        Duration("AuditSessionQueue.RetryAsync(delay)", TimeSpan.Zero, ValidArguments.Century,
            (api, delay) => api.Queue.RetryAsync(api.TakeSession(), 1, "", delay, 3)),
        Number("AuditSessionQueue.RetryAsync(maxAttempts)", 1, int.MaxValue,
            (api, attempts) => api.Queue.RetryAsync(api.TakeSession(), 1, "", TimeSpan.Zero, attempts)),
        Of<IEnumerable<(Guid, int)>>("AuditSessionQueue.HeartbeatAsync(claims)", (api, claims) => api.Queue.HeartbeatAsync(claims), [
            (null!, new ExpectedError(typeof(ArgumentNullException), "claims")),
            ([], null),
            ([(Guid.Empty, int.MinValue), (Guid.AllBitsSet, int.MaxValue), (Guid.Empty, 0)], null),
        ]),
        Id("AuditSessionQueue.RequeueAsync(id)", (api, id) => api.Queue.RequeueAsync(id)),
        Id("AuditSessionQueue.RecordFindingsAsync(id)", (api, id) => api.Queue.RecordFindingsAsync(id, 1, new AuditFindings())),
        Number("AuditSessionQueue.RecordFindingsAsync(attempt)", int.MinValue, int.MaxValue,
            (api, attempt) => api.Queue.RecordFindingsAsync(api.TakeSession(), attempt, new AuditFindings())),
        Required<AuditFindings>("AuditSessionQueue.RecordFindingsAsync(findings)",
            (api, findings) => api.Queue.RecordFindingsAsync(api.SessionId, 1, findings)),
        Text("AuditFindings.FinalUrl", (api, text) => api.StoreAsync(new AuditFindings { FinalUrl = text }, session => session.FinalUrl), optional: true),
        Text("AuditFindings.PdpUrl", (api, text) => api.StoreAsync(new AuditFindings { PdpUrl = text }, session => session.PdpUrl), optional: true),
        Duration("AuditSessionQueue.ListSilentAsync(silentFor)", Microsecond, ValidArguments.Century, (api, silentFor) => api.Queue.ListSilentAsync(silentFor)),
        Number("AuditSessionQueue.ListSilentAsync(limit)", 1, int.MaxValue, (api, limit) => api.Queue.ListSilentAsync(ValidArguments.Century, limit)),
        Duration("AuditSessionQueue.ListStaleAsync(silentFor)", Microsecond, ValidArguments.Century, (api, silentFor) => api.Queue.ListStaleAsync(silentFor)),
        Number("AuditSessionQueue.ListStaleAsync(limit)", 1, int.MaxValue, (api, limit) => api.Queue.ListStaleAsync(ValidArguments.Century, limit)),
        Duration("AuditSessionQueue.RescueStaleAsync(silentFor)", Microsecond, ValidArguments.Century,
            (api, silentFor) => api.Queue.RescueStaleAsync(silentFor, 3)),
        Number("AuditSessionQueue.RescueStaleAsync(maxAttempts)", 1, int.MaxValue,
            (api, attempts) => api.Queue.RescueStaleAsync(ValidArguments.Century, attempts)),
        Number("AuditSessionQueue.RescueStaleAsync(limit)", 1, int.MaxValue, (api, limit) => api.Queue.RescueStaleAsync(ValidArguments.Century, 3, limit)),
    ];

    private static IEnumerable<ApiInput> Pages =>
    [
        NewId("NewAuditPage.Id", (api, id) => api.StoreAsync(api.Page with { Id = id }, page => id is null ? null : page.Id)),
        Enum<PageType>("NewAuditPage.PageType", (api, type) => api.StoreAsync(api.Page with { PageType = type }, page => page.PageType)),
        Enum<Viewport>("NewAuditPage.Viewport", (api, viewport) => api.StoreAsync(api.Page with { Viewport = viewport }, page => page.Viewport)),
        Enum<PageStatus>("NewAuditPage.Status", (api, status) => api.StoreAsync(api.Page with { Status = status }, page => page.Status)),
        Json("NewAuditPage.LoadTimings", (api, json) => api.StoreAsync(api.Page with { LoadTimings = json }, page => page.LoadTimings)),
        Json("NewAuditPage.LowConfidenceReasons",
            (api, json) => api.StoreAsync(api.Page with { LowConfidenceReasons = json }, page => page.LowConfidenceReasons)),
        Enums<PageType>("AuditPageFilter.PageTypes", (api, types) => api.Pages.ListAsync(api.SessionId, new AuditPageFilter { PageTypes = types })),
        Enums<Viewport>("AuditPageFilter.Viewports", (api, viewports) => api.Pages.ListAsync(api.SessionId, new AuditPageFilter { Viewports = viewports })),
        Id("AuditPageRepository.InsertAsync(sessionId)", (api, id) => api.Pages.InsertAsync(id, api.Page), ExpectedError.NotFound),
        Id("AuditPageRepository.InsertAsync(sessionId)", (api, id) => api.Pages.InsertAsync(id, [api.Page]), ExpectedError.NotFound),
        Required<NewAuditPage>("AuditPageRepository.InsertAsync(page)", (api, page) => api.Pages.InsertAsync(api.SessionId, page)),
        Rows<NewAuditPage>("AuditPageRepository.InsertAsync(pages)", (api, pages) => api.Pages.InsertAsync(api.SessionId, pages)),
        Id("AuditPageRepository.SetStatusAsync(sessionId)", (api, id) => api.Pages.SetStatusAsync(id, api.PageId, PageStatus.Ok)),
        Id("AuditPageRepository.SetStatusAsync(id)", (api, id) => api.Pages.SetStatusAsync(api.SessionId, id, PageStatus.Ok)),
        Enum<PageStatus>("AuditPageRepository.SetStatusAsync(status)",
            async (api, status) => [(await api.Pages.SetStatusAsync(api.SessionId, api.PageId, status)).EnsureApplied().Status]),
        Json("AuditPageRepository.SetStatusAsync(loadTimings)",
            async (api, json) => [(await api.Pages.SetStatusAsync(api.SessionId, api.PageId, PageStatus.Ok, json)).EnsureApplied().LoadTimings]),
        Json("AuditPageRepository.SetStatusAsync(lowConfidenceReasons)",
            async (api, json) => [(await api.Pages.SetStatusAsync(api.SessionId, api.PageId, PageStatus.Ok, null, json)).EnsureApplied().LowConfidenceReasons]),
        Id("AuditPageRepository.GetAsync(sessionId)", (api, id) => api.Pages.GetAsync(id, api.PageId)),
        Id("AuditPageRepository.GetAsync(id)", (api, id) => api.Pages.GetAsync(api.SessionId, id)),
        Id("AuditPageRepository.ListAsync(sessionId)", (api, id) => api.Pages.ListAsync(id)),
    ];

    private static IEnumerable<ApiInput> Artifacts =>
    [
        NewId("NewArtifact.Id", (api, id) => api.StoreAsync(api.Artifact with { Id = id }, artifact => id is null ? null : artifact.Id)),
        Id("NewArtifact.PageId", (api, id) => api.StoreAsync(api.Artifact with { PageId = id }, artifact => artifact.PageId), ExpectedError.NotFound),
        Enum<ArtifactType>("NewArtifact.Type", (api, type) => api.StoreAsync(api.Artifact with { Type = type }, artifact => artifact.Type)),
        Text("NewArtifact.StorageUri",
            (api, text) => api.StoreAsync(api.Artifact with { StorageUri = text! }, artifact => artifact.StorageUri), empty: false),
        Long("NewArtifact.SizeBytes", (api, size) => api.StoreAsync(api.Artifact with { SizeBytes = size }, artifact => artifact.SizeBytes), least: 0),
        Text("NewArtifact.Checksum", (api, text) => api.StoreAsync(api.Artifact with { Checksum = text }, artifact => artifact.Checksum), optional: true),
        Time("NewArtifact.CreatedAt",
            (api, time) => api.StoreAsync(api.Artifact with { CreatedAt = time }, artifact => time is null ? null : artifact.CreatedAt),
            latest: new DateTimeOffset(9899, 12, 31, 23, 59, 59, TimeSpan.Zero)),
        Time("NewArtifact.RetentionUntil",
            (api, time) => api.StoreAsync(api.Artifact with { RetentionUntil = time }, artifact => time is null ? null : artifact.RetentionUntil)),
        Of<Guid?>("ArtifactFilter.PageId", (api, id) => api.FilterAsync(new ArtifactFilter { PageId = id }),
            [(null, null), .. Cases(MalformedInput.Ids.Cast<Guid?>(), null)]),
        Enums<ArtifactType>("ArtifactFilter.Types", (api, types) => api.FilterAsync(new ArtifactFilter { Types = types })),
        Id("ArtifactRepository.InsertAsync(sessionId)", (api, id) => api.Artifacts.InsertAsync(id, api.Artifact), ExpectedError.NotFound),
        Id("ArtifactRepository.InsertAsync(sessionId)", (api, id) => api.Artifacts.InsertAsync(id, [api.Artifact]), ExpectedError.NotFound),
        Required<NewArtifact>("ArtifactRepository.InsertAsync(artifact)", (api, artifact) => api.Artifacts.InsertAsync(api.SessionId, artifact)),
        Rows<NewArtifact>("ArtifactRepository.InsertAsync(artifacts)", (api, artifacts) => api.Artifacts.InsertAsync(api.SessionId, artifacts)),
        Id("ArtifactRepository.GetAsync(sessionId)", (api, id) => api.Artifacts.GetAsync(id, api.ArtifactId)),
        Id("ArtifactRepository.GetAsync(id)", (api, id) => api.Artifacts.GetAsync(api.SessionId, id)),
        Id("ArtifactRepository.ListAsync(sessionId)", (api, id) => api.Artifacts.ListAsync(id)),
        Id("ArtifactRepository.TotalByTypeAsync(sessionId)", (api, id) => api.Artifacts.TotalByTypeAsync(id)),
        Id("ArtifactRepository.MarkDeletedAsync(sessionId)", (api, id) => api.Artifacts.MarkDeletedAsync(id, [])),
        Required<Guid[]>("ArtifactRepository.MarkDeletedAsync(ids)", (api, ids) => api.Artifacts.MarkDeletedAsync(api.SessionId, ids)),
        Id("ArtifactRepository.MarkDeletedAsync(ids)", (api, id) => api.Artifacts.MarkDeletedAsync(api.SessionId, [id])),
    ];

    private static IEnumerable<ApiInput> Logs =>
    [
        Enum<CrawlLogLevel>("NewCrawlLog.Level", (api, level) => api.StoreAsync(api.Line with { Level = level }, line => line.Level)),
        Enum<CrawlLogEventType>("NewCrawlLog.EventType", (api, type) => api.StoreAsync(api.Line with { EventType = type }, line => line.EventType)),
        Text("NewCrawlLog.Message", (api, text) => api.StoreAsync(api.Line with { Message = text! }, line => line.Message)),
        Json("NewCrawlLog.Details", (api, json) => api.StoreAsync(api.Line with { Details = json }, line => line.Details)),
        Time("NewCrawlLog.Timestamp", (api, time) => api.StoreAsync(api.Line with { Timestamp = time }, line => time is null ? null : line.Timestamp)),
        Enums<CrawlLogLevel>("CrawlLogFilter.Levels", (api, levels) => api.FilterAsync(new CrawlLogFilter { Levels = levels })),
        Enums<CrawlLogEventType>("CrawlLogFilter.EventTypes", (api, types) => api.FilterAsync(new CrawlLogFilter { EventTypes = types })),
        Time("CrawlLogFilter.TimestampFrom", (api, time) => api.FilterAsync(new CrawlLogFilter { TimestampFrom = time })),
        Time("CrawlLogFilter.TimestampBefore", (api, time) => api.FilterAsync(new CrawlLogFilter { TimestampBefore = time })),
        Id("CrawlLogRepository.AppendAsync(sessionId)", (api, id) => api.Logs.AppendAsync(id, api.Line), ExpectedError.NotFound),
        Id("CrawlLogRepository.AppendAsync(sessionId)", (api, id) => api.Logs.AppendAsync(id, [api.Line]), ExpectedError.NotFound),
        Required<NewCrawlLog>("CrawlLogRepository.AppendAsync(line)", (api, line) => api.Logs.AppendAsync(api.SessionId, line)),
        Rows<NewCrawlLog>("CrawlLogRepository.AppendAsync(lines)", (api, lines) => api.Logs.AppendAsync(api.SessionId, lines)),
        Rows<(Guid, NewCrawlLog)>("CrawlLogRepository.AppendAsync(lines)", (api, lines) => api.Logs.AppendAsync(lines)),
        Id("CrawlLogRepository.AppendStreamAsync(sessionId)",
            (api, id) => api.Logs.AppendStreamAsync(id, new[] { api.Line }.ToAsyncEnumerable()), ExpectedError.NotFound),
        Rows<NewCrawlLog>("CrawlLogRepository.AppendStreamAsync(lines)",
            (api, lines) => api.Logs.AppendStreamAsync(api.SessionId, lines?.ToAsyncEnumerable()!)),
        Id("CrawlLogRepository.GetAsync(sessionId)", (api, id) => api.Logs.GetAsync(id, 1)),
        Long("CrawlLogRepository.GetAsync(id)", (api, id) => api.Logs.GetAsync(api.SessionId, id)),
        Id("CrawlLogRepository.ListAsync(sessionId)", (api, id) => api.Logs.ListAsync(id)),
        Number("CrawlLogRepository.ListAsync(pageSize)", 1, CrawlLogRepository.MaxPageSize, (api, size) => api.Logs.ListAsync(api.SessionId, pageSize: size)),
        Cursor("CrawlLogRepository.ListAsync(cursor)", CursorKind.Logs, (api, cursor) => api.Logs.ListAsync(api.SessionId, cursor: cursor)),
        Id("CrawlLogRepository.ListNewestAsync(sessionId)", (api, id) => api.Logs.ListNewestAsync(id)),
        Number("CrawlLogRepository.ListNewestAsync(pageSize)", 1, CrawlLogRepository.MaxPageSize,
            (api, size) => api.Logs.ListNewestAsync(api.SessionId, pageSize: size)),
        Cursor("CrawlLogRepository.ListNewestAsync(cursor)", CursorKind.LogsNewestFirst,
            (api, cursor) => api.Logs.ListNewestAsync(api.SessionId, cursor: cursor)),
        Id("CrawlLogRepository.StreamAsync(sessionId)", (api, id) => api.Logs.StreamAsync(id).FirstOrDefaultAsync().AsTask()),
    ];

    /// <summary>A URL is stored as the property normalizes it.</summary>
    private static async Task StoreUrlAsync(ValidArguments api, string url)
    {
        var session = api.Session with { Url = url };
        Assert.That(await api.StoreAsync(session, stored => stored.Url), Is.All.EqualTo(session.Url));
    }
}
