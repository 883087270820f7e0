using CrawlData.Crawls;
using static CrawlData.Tests.Security.ApiInput;

namespace CrawlData.Tests.Security;

internal static partial class ApiInputs
{
    private static IEnumerable<ApiInput> Crawls => [.. Runs, .. RunQueue, .. Events, .. Writer];

    private static IEnumerable<ApiInput> Runs =>
    [
        NewId("NewCrawlRun.Id", (api, id) => api.StoreAsync(api.Run with { Id = id }, run => id is null ? null : run.Id)),
        Text("NewCrawlRun.AppPackage", (api, text) => api.StoreAsync(api.Run with { AppPackage = text! }, run => run.AppPackage), longest: 255, empty: false),
        Of<Jsonb?>("NewCrawlRun.DeviceConfig", (api, json) => api.StoreAsync(api.Run with { DeviceConfig = json }, run => run.DeviceConfig),
            [(null, null), .. Cases(MalformedJson.Storable.Cast<Jsonb?>(), null)]),
        Number("NewCrawlRun.MaxSteps", 1, int.MaxValue, (api, steps) => api.StoreAsync(api.Run with { MaxSteps = steps }, run => run.MaxSteps),
            ExpectedError.OfValue("max_steps")),
        Text("NewCrawlRun.Goal", (api, text) => api.StoreAsync(api.Run with { Goal = text }, run => run.Goal), optional: true),
        Enum<CrawlStatus>("NewCrawlRun.Status", (api, status) => api.StoreAsync(api.Run with { Status = status }, run => run.Status)),
        Time("NewCrawlRun.CreatedAt", (api, time) => api.StoreAsync(api.Run with { CreatedAt = time }, run => time is null ? null : run.CreatedAt)),
        Time("NewCrawlRun.StartedAt", (api, time) => api.StoreAsync(api.Run with { StartedAt = time }, run => run.StartedAt)),
        Time("NewCrawlRun.CompletedAt", (api, time) => api.StoreAsync(api.Run with { CompletedAt = time }, run => run.CompletedAt)),
        Time("NewCrawlRun.CancelledAt", (api, time) => api.StoreAsync(api.Run with { CancelledAt = time }, run => run.CancelledAt)),
        Text("NewCrawlRun.ErrorMessage", (api, text) => api.StoreAsync(api.Run with { ErrorMessage = text }, run => run.ErrorMessage), optional: true),
        Enums<CrawlStatus>("CrawlRunFilter.Statuses", (api, statuses) => api.FilterAsync(new CrawlRunFilter { Statuses = statuses })),
        Text("CrawlRunFilter.AppPackage", (api, text) => api.FilterAsync(new CrawlRunFilter { AppPackage = text }), optional: true),
        Time("CrawlRunFilter.CreatedFrom", (api, time) => api.FilterAsync(new CrawlRunFilter { CreatedFrom = time })),
        Time("CrawlRunFilter.CreatedBefore", (api, time) => api.FilterAsync(new CrawlRunFilter { CreatedBefore = time })),
        Required<NewCrawlRun>("CrawlRunRepository.InsertAsync(run)", (api, run) => api.Runs.InsertAsync(run)),
        Rows<NewCrawlRun>("CrawlRunRepository.InsertAsync(runs)", (api, runs) => api.Runs.InsertAsync(runs)),
        Id("CrawlRunRepository.GetAsync(id)", (api, id) => api.Runs.GetAsync(id)),
        Number("CrawlRunRepository.ListAsync(pageSize)", 1, CrawlRunRepository.MaxPageSize, (api, size) => api.Runs.ListAsync(pageSize: size)),
        Cursor("CrawlRunRepository.ListAsync(cursor)", CursorKind.RunsNewestFirst, (api, cursor) => api.Runs.ListAsync(cursor: cursor)),
        Enum<ListOrder>("CrawlRunRepository.ListAsync(order)", (api, order) => api.Runs.ListAsync(order: order)),
        Id("CrawlRunRepository.StartAsync(id)", (api, id) => api.Runs.StartAsync(id)),
        Id("CrawlRunRepository.CompleteAsync(id)", (api, id) => api.Runs.CompleteAsync(id)),
        Id("CrawlRunRepository.FailAsync(id)", (api, id) => api.Runs.FailAsync(id, "an error")),
        Text("CrawlRunRepository.FailAsync(errorMessage)",
            async (api, text) => [(await api.Runs.FailAsync(api.TakeRun(), text!)).EnsureApplied().ErrorMessage]),
        Id("CrawlRunRepository.CancelAsync(id)", (api, id) => api.Runs.CancelAsync(id)),
        Id("CrawlRunRepository.DeleteAsync(id)", (api, id) => api.Runs.DeleteAsync(id)),
        Prefix("CrawlRunRepository.FindIdsAsync(idPrefix)", (api, prefix) => api.Runs.FindIdsAsync(prefix)),
        Number("CrawlRunRepository.FindIdsAsync(limit)", 1, int.MaxValue, (api, limit) => api.Runs.FindIdsAsync("0", limit)),
        Of<Guid[]>("CrawlRunRepository.ShortenIdsAsync(ids)", (api, ids) => api.Runs.ShortenIdsAsync(ids), Ids("ids")),
    ];

    private static IEnumerable<ApiInput> RunQueue =>
    [
        Rows<CrawlRunClaim>("CrawlRunQueue.HeartbeatAsync(claims)", (api, claims) => api.RunQueue.HeartbeatAsync(claims)),
        Required<CrawlRunClaim>("CrawlRunQueue.CompleteAsync(claim)", (api, claim) => api.RunQueue.CompleteAsync(claim)),
        Required<CrawlRunClaim>("CrawlRunQueue.FailAsync(claim)", (api, claim) => api.RunQueue.FailAsync(claim, "an error")),
        Text("CrawlRunQueue.FailAsync(errorMessage)",
            async (api, text) => [(await api.RunQueue.FailAsync(api.TakeClaim(), text!)).EnsureApplied().ErrorMessage]),
        Required<CrawlRunClaim>("CrawlRunQueue.CancelAsync(claim)", (api, claim) => api.RunQueue.CancelAsync(claim)),
        Required<CrawlRunClaim>("CrawlRunQueue.ReleaseAsync(claim)", (api, claim) => api.RunQueue.ReleaseAsync(claim)),
        Duration("CrawlRunQueue.ListSilentAsync(silentFor)", Microsecond, ValidArguments.Century,
            (api, silentFor) => api.RunQueue.ListSilentAsync(silentFor)),
        Number("CrawlRunQueue.ListSilentAsync(limit)", 1, int.MaxValue, (api, limit) => api.RunQueue.ListSilentAsync(ValidArguments.Century, limit)),
        Duration("CrawlRunQueue.ListStaleAsync(silentFor)", Microsecond, ValidArguments.Century,
            (api, silentFor) => api.RunQueue.ListStaleAsync(silentFor)),
        Number("CrawlRunQueue.ListStaleAsync(limit)", 1, int.MaxValue, (api, limit) => api.RunQueue.ListStaleAsync(ValidArguments.Century, limit)),
        Duration("CrawlRunQueue.FailStaleAsync(silentFor)", Microsecond, ValidArguments.Century,
            (api, silentFor) => api.RunQueue.FailStaleAsync(silentFor)),
        Number("CrawlRunQueue.FailStaleAsync(limit)", 1, int.MaxValue, (api, limit) => api.RunQueue.FailStaleAsync(ValidArguments.Century, limit)),
        Id("CrawlRunQueue.RetryAsync(id)", (api, id) => api.RunQueue.RetryAsync(id)),
        Duration("CrawlRunQueue.RetryAsync(delay)", TimeSpan.Zero, ValidArguments.Century, (api, delay) => api.RunQueue.RetryAsync(api.CrawlId, delay)),
        Number("CrawlRunQueue.RetryAsync(maxAttempts)", 1, int.MaxValue, (api, most) => api.RunQueue.RetryAsync(api.CrawlId, maxAttempts: most)),
        Id("CrawlRunQueue.GetAttemptAsync(id)", (api, id) => api.RunQueue.GetAttemptAsync(id)),
    ];

    private static IEnumerable<ApiInput> Events =>
    [
        Required<CrawlRunClaim>("CrawlEventRepository.AppendAsync(claim)", (api, claim) => api.Events.AppendAsync(claim, api.Event)),
        Required<NewCrawlEvent>("CrawlEventRepository.AppendAsync(crawlEvent)", (api, one) => api.Events.AppendAsync(api.Claim, one)),
        Required<CrawlRunClaim>("CrawlEventRepository.AppendAsync(claim)", (api, claim) => api.Events.AppendAsync(claim, [api.Event])),
        Rows<NewCrawlEvent>("CrawlEventRepository.AppendAsync(events)", (api, events) => api.Events.AppendAsync(api.Claim, events)),
        Of<(CrawlRunClaim, NewCrawlEvent)[]>("CrawlEventRepository.AppendAsync(events)", (api, events) => api.Events.AppendAsync(events), [
            (null!, new ExpectedError(typeof(ArgumentNullException), "events")), ([], null), ([default], ExpectedError.OfValue("events")),
        ]),
        Required<CrawlRunClaim>("CrawlEventRepository.AppendStreamAsync(claim)",
            (api, claim) => api.Events.AppendStreamAsync(claim, new[] { api.Event }.ToAsyncEnumerable())),
        Rows<NewCrawlEvent>("CrawlEventRepository.AppendStreamAsync(events)",
            (api, events) => api.Events.AppendStreamAsync(api.Claim, events?.ToAsyncEnumerable()!)),
        Text("NewCrawlEvent.EventType", (api, text) => api.StoreAsync(api.Event with { EventType = text! }, one => one.EventType), longest: 50, empty: false),
        Json("NewCrawlEvent.Payload", (api, json) => api.StoreAsync(api.Event with { Payload = json }, one => one.Payload)),
        Time("NewCrawlEvent.CreatedAt", (api, time) => api.StoreAsync(api.Event with { CreatedAt = time }, one => time is null ? null : one.CreatedAt)),
        Long("CrawlEventFilter.AfterId", (api, id) => api.FilterAsync(new CrawlEventFilter { AfterId = id })),
        Long("CrawlEventFilter.UpToId", (api, id) => api.FilterAsync(new CrawlEventFilter { UpToId = id })),
        Texts("CrawlEventFilter.EventTypes", (api, types) => api.FilterAsync(new CrawlEventFilter { EventTypes = types })),
        Time("CrawlEventFilter.CreatedFrom", (api, time) => api.FilterAsync(new CrawlEventFilter { CreatedFrom = time })),
        Time("CrawlEventFilter.CreatedBefore", (api, time) => api.FilterAsync(new CrawlEventFilter { CreatedBefore = time })),
        Id("CrawlEventRepository.AppendAsync(crawlId)", (api, id) => api.Events.AppendAsync(id, api.Event), ExpectedError.NotFound),
        Id("CrawlEventRepository.AppendAsync(crawlId)", (api, id) => api.Events.AppendAsync(id, [api.Event]), ExpectedError.NotFound),
        Required<NewCrawlEvent>("CrawlEventRepository.AppendAsync(crawlEvent)", (api, one) => api.Events.AppendAsync(api.CrawlId, one)),
        Rows<NewCrawlEvent>("CrawlEventRepository.AppendAsync(events)", (api, events) => api.Events.AppendAsync(api.CrawlId, events)),
        Rows<(Guid, NewCrawlEvent)>("CrawlEventRepository.AppendAsync(events)", (api, events) => api.Events.AppendAsync(events)),
        Id("CrawlEventRepository.AppendStreamAsync(crawlId)",
            (api, id) => api.Events.AppendStreamAsync(id, new[] { api.Event }.ToAsyncEnumerable()), ExpectedError.NotFound),
        Rows<NewCrawlEvent>("CrawlEventRepository.AppendStreamAsync(events)",
            (api, events) => api.Events.AppendStreamAsync(api.CrawlId, events?.ToAsyncEnumerable()!)),
        Id("CrawlEventRepository.Notify(crawlId)", (api, id) => Task.Run(() => api.Events.Notify(id))),
        Id("CrawlEventRepository.FollowAsync(crawlId)", (api, id) => ValidArguments.FirstAsync(api.Events.FollowAsync(id)), ExpectedError.NotFound),
        Long("CrawlEventRepository.FollowAsync(afterId)", (api, id) => ValidArguments.FirstAsync(api.Events.FollowAsync(api.CrawlId, id))),
        Id("CrawlEventRepository.FollowBatchesAsync(crawlId)",
            (api, id) => ValidArguments.FirstAsync(api.Events.FollowBatchesAsync(id)), ExpectedError.NotFound),
        Long("CrawlEventRepository.FollowBatchesAsync(afterId)",
            (api, id) => ValidArguments.FirstAsync(api.Events.FollowBatchesAsync(api.CrawlId, id))),
        Cursor("CrawlEventRepository.FollowAllAsync(cursor)", CursorKind.AllEvents,
            (api, cursor) => ValidArguments.FirstAsync(api.Events.FollowAllAsync(cursor))),
        Cursor("CrawlEventRepository.ListAllAsync(cursor)", CursorKind.AllEvents, (api, cursor) => api.Events.ListAllAsync(cursor)),
        Number("CrawlEventRepository.ListAllAsync(limit)", 1, int.MaxValue, (api, limit) => api.Events.ListAllAsync(limit: limit)),
        Id("CrawlEventRepository.StreamAsync(crawlId)", (api, id) => api.Events.StreamAsync(id).FirstOrDefaultAsync().AsTask()),
        Id("CrawlEventRepository.ListAsync(crawlId)", (api, id) => api.Events.ListAsync(id)),
        Number("CrawlEventRepository.ListAsync(pageSize)", 1, CrawlEventRepository.MaxPageSize,
            (api, size) => api.Events.ListAsync(api.CrawlId, pageSize: size)),
        Cursor("CrawlEventRepository.ListAsync(cursor)", CursorKind.Events, (api, cursor) => api.Events.ListAsync(api.CrawlId, cursor: cursor)),
        Id("CrawlEventRepository.GetAsync(crawlId)", (api, id) => api.Events.GetAsync(id, 1)),
        Long("CrawlEventRepository.GetAsync(id)", (api, id) => api.Events.GetAsync(api.CrawlId, id)),
        Id("CrawlEventRepository.GetLastAsync(crawlId)", (api, id) => api.Events.GetLastAsync(id)),
        Id("CrawlEventRepository.CountAsync(crawlId)", (api, id) => api.Events.CountAsync(id)),
        Id("CrawlEventRepository.CountByTypeAsync(crawlId)", (api, id) => api.Events.CountByTypeAsync(id)),
        Id("CrawlEventRepository.ListNewestAsync(crawlId)", (api, id) => api.Events.ListNewestAsync(id)),
        Number("CrawlEventRepository.ListNewestAsync(pageSize)", 1, CrawlEventRepository.MaxPageSize,
            (api, size) => api.Events.ListNewestAsync(api.CrawlId, pageSize: size)),
        Cursor("CrawlEventRepository.ListNewestAsync(cursor)", CursorKind.EventsNewestFirst,
            (api, cursor) => api.Events.ListNewestAsync(api.CrawlId, cursor: cursor)),
        Id("CrawlEventRepository.GetFirstAtAsync(crawlId)", (api, id) => api.Events.GetFirstAtAsync(id, DateTimeOffset.UtcNow)),
        Time("CrawlEventRepository.GetFirstAtAsync(time)", (api, time) => api.Events.GetFirstAtAsync(api.CrawlId, time ?? DateTimeOffset.UtcNow)),
        Long("CrawlEventRepository.GetFirstAtAsync(afterId)", (api, id) => api.Events.GetFirstAtAsync(api.CrawlId, DateTimeOffset.UtcNow, afterId: id)),
        Long("CrawlEventRepository.GetFirstAtAsync(upToId)", (api, id) => api.Events.GetFirstAtAsync(api.CrawlId, DateTimeOffset.UtcNow, upToId: id)),
        Of<Guid[]>("CrawlEventRepository.GetLastOfEachAsync(crawlIds)", (api, ids) => api.Events.GetLastOfEachAsync(ids), Ids("crawlIds")),
        Id("CrawlEventRepository.SummarizeAsync(crawlId)", (api, id) => api.Events.SummarizeAsync(id)),
        Number("CrawlEventRepository.SummarizeAsync(maxEvents)", 1, int.MaxValue, (api, most) => api.Events.SummarizeAsync(api.CrawlId, maxEvents: most)),
        Id("CrawlEventRepository.CompareAsync(olderId)", (api, id) => api.Events.CompareAsync(id, api.CrawlId).ToListAsync().AsTask()),
        Id("CrawlEventRepository.CompareAsync(newerId)", (api, id) => api.Events.CompareAsync(api.CrawlId, id).ToListAsync().AsTask()),
        Text("CrawlComparisonOptions.Key", (api, key) => api.CompareAsync(new CrawlComparisonOptions { Key = key! })),
        Texts("CrawlComparisonOptions.EventTypes", (api, types) => api.CompareAsync(new CrawlComparisonOptions { EventTypes = types })),
        Texts("CrawlComparisonOptions.Properties", (api, properties) => api.CompareAsync(new CrawlComparisonOptions { Properties = properties })),
    ];

    private static IEnumerable<ApiInput> Writer =>
    [
        Required<CrawlEventRepository>("CrawlEventWriter.new(events)", (_, events) => Task.FromResult(new CrawlEventWriter(events))),
        Id("CrawlEventWriter.WriteAsync(crawlId)", async (api, id) =>
        {
            var writer = new CrawlEventWriter(api.Events);
            await writer.WriteAsync(id, api.Event);
            await Assert.ThatAsync(() => writer.DisposeAsync().AsTask(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        }),
        Required<NewCrawlEvent>("CrawlEventWriter.WriteAsync(crawlEvent)", async (api, one) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await writer.WriteAsync(api.CrawlId, one);
        }),
        Id("CrawlEventWriter.AppendAsync(crawlId)", async (api, id) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await writer.AppendAsync(id, api.Event);
        }, ExpectedError.NotFound),
        Required<NewCrawlEvent>("CrawlEventWriter.AppendAsync(crawlEvent)", async (api, one) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await writer.AppendAsync(api.CrawlId, one);
        }),
        Required<CrawlRunClaim>("CrawlEventWriter.WriteAsync(claim)", async (api, claim) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await writer.WriteAsync(claim, api.Event);
        }),
        Required<NewCrawlEvent>("CrawlEventWriter.WriteAsync(crawlEvent)", async (api, one) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await writer.WriteAsync(api.Claim, one);
        }),
        Required<CrawlRunClaim>("CrawlEventWriter.AppendAsync(claim)", async (api, claim) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await writer.AppendAsync(claim, api.Event);
        }),
        Required<NewCrawlEvent>("CrawlEventWriter.AppendAsync(crawlEvent)", async (api, one) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await writer.AppendAsync(api.Claim, one);
        }),
        Id("CrawlEventWriter.FlushAsync(crawlId)", async (api, id) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await writer.FlushAsync(id);
        }),
        Id("CrawlEventWriter.TakeUnstored(crawlId)", async (api, id) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            Assert.That(writer.TakeUnstored(id), Is.Empty);
        }),
    ];
}
