using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Workers;
using static CrawlData.Tests.Security.ApiInput;

namespace CrawlData.Tests.Security;

internal static partial class ApiInputs
{
    private static IEnumerable<ApiInput> Retention =>
    [
        Required<IArtifactStore>("ArtifactSweeper.SweepAsync(store)", (api, store) => api.Sweeper.SweepAsync(store)),
        Number("ArtifactSweeper.SweepAsync(batchSize)", 1, ArtifactSweeper.MaxBatchSize, (api, size) => api.SweepAsync(size)),
        Id("ExpiredArtifact.Id", (api, id) => api.SweepAsync(artifact => artifact with { Id = id })),
        Id("ExpiredArtifact.SessionId", (api, id) => api.SweepAsync(artifact => artifact with { SessionId = id })),
        Of<string>("ExpiredArtifact.StorageUri", (api, text) => api.SweepAsync(artifact => artifact with { StorageUri = text }),
            [(null!, null), .. Cases(MalformedText.NotStorable.Concat(MalformedText.Storable), null)]),
        Of<string?>("ExpiredArtifact.Checksum", (api, text) => api.SweepAsync(artifact => artifact with { Checksum = text }),
            [(null, null), .. Cases<string?>(MalformedText.NotStorable.Concat(MalformedText.Storable), null)]),
        Long("ExpiredArtifact.SizeBytes", (api, size) => api.SweepAsync(artifact => artifact with { SizeBytes = size })),
        Of<DateTimeOffset>("ExpiredArtifact.RetentionUntil", (api, time) => api.SweepAsync(artifact => artifact with { RetentionUntil = time }),
            [.. Cases(MalformedInput.Times, null)]),
        Of<string[]>("FileArtifactStore.new(roots)", (_, roots) => Task.FromResult(new FileArtifactStore(roots)), [
            (null!, new ExpectedError(typeof(ArgumentNullException), "roots")),
            (["/"], null),
            .. Cases<string[]>([[], [null!], ["/", "a"], ["/\0"]], new ExpectedError(typeof(ArgumentException), "roots")),
        ]),
        Of<string>("FileArtifactStore.TryGetPath(storageUri)", (api, uri) => Task.FromResult(FileArtifactStore.TryGetPath(uri, out _)),
            [(null!, null), .. Cases(MalformedText.NotStorable.Concat(MalformedText.Storable), null)]),
        Of<string>("FileArtifactStore.GetStorageUri(path)", (_, path) => Task.FromResult(FileArtifactStore.GetStorageUri(path)), [
            (null!, new ExpectedError(typeof(ArgumentNullException), "path")),
            .. Cases(MalformedText.NotStorable.Concat(MalformedText.Storable), new ExpectedError(typeof(ArgumentException), "path")),
        ]),
        Of<string>("FileArtifactStore.Delete(storageUri)", (api, uri) => Task.FromResult(api.Files.Delete(uri)),
            [(null!, null), .. Cases(MalformedText.NotStorable.Concat(MalformedText.Storable), null)]),
        Of<string>("FileArtifactStore.OpenRead(storageUri)", (api, uri) => Task.FromResult(api.Files.OpenRead(uri)),
            [(null!, null), .. Cases(MalformedText.NotStorable.Concat(MalformedText.Storable), null)]),
        Required<IReadOnlyList<ExpiredArtifact>>("FileArtifactStore.DeleteAsync(artifacts)",
            (api, artifacts) => api.Files.DeleteAsync(artifacts, CancellationToken.None)),
        Duration("RetentionPurger.PurgeArtifactsAsync(age)", TimeSpan.Zero, ValidArguments.Century,
            (api, age) => api.Purger.PurgeArtifactsAsync(age, dryRun: true)),
        Number("RetentionPurger.PurgeArtifactsAsync(batchSize)", 1, RetentionPurger.MaxBatchSize,
            (api, size) => api.Purger.PurgeArtifactsAsync(ValidArguments.Century, size)),
        Duration("RetentionPurger.PurgeSessionsAsync(age)", TimeSpan.Zero, ValidArguments.Century,
            (api, age) => api.Purger.PurgeSessionsAsync(age, dryRun: true)),
        Number("RetentionPurger.PurgeSessionsAsync(batchSize)", 1, RetentionPurger.MaxBatchSize,
            (api, size) => api.Purger.PurgeSessionsAsync(ValidArguments.Century, size)),
        Duration("RetentionPurger.PurgeCrawlsAsync(age)", TimeSpan.Zero, ValidArguments.Century,
            (api, age) => api.Purger.PurgeCrawlsAsync(age, dryRun: true)),
        Number("RetentionPurger.PurgeCrawlsAsync(batchSize)", 1, RetentionPurger.MaxBatchSize,
            (api, size) => api.Purger.PurgeCrawlsAsync(ValidArguments.Century, size)),
        Duration("RetentionPurger.PurgeCrawlsAsync(age)", TimeSpan.Zero, ValidArguments.Century,
            (api, age) => api.Purger.PurgeCrawlsAsync(age, (_, _) => Task.CompletedTask, dryRun: true)),
        Number("RetentionPurger.PurgeCrawlsAsync(batchSize)", 1, RetentionPurger.MaxBatchSize,
            (api, size) => api.Purger.PurgeCrawlsAsync(ValidArguments.Century, (_, _) => Task.CompletedTask, size)),
        Required<Func<IReadOnlyList<Guid>, CancellationToken, Task>>("RetentionPurger.PurgeCrawlsAsync(archive)",
            (api, archive) => api.Purger.PurgeCrawlsAsync(ValidArguments.Century, archive, dryRun: true)),
        Of<long>("EventPartitionerOptions.Width", (_, width) => Task.FromResult(new EventPartitionerOptions { Width = width }),
            [.. Cases<long>([long.MinValue, 0, 999, 1_000_000_000_001], new ExpectedError(typeof(ArgumentOutOfRangeException), "Width"))]),
        Number("CrawlDistributor.GetSqlAsync(shardCount)", 1, CrawlDistributor.MaxShardCount,
            (api, count) => api.WithoutCitusAsync(distributor => distributor.GetSqlAsync(count))),
        Number("CrawlDistributor.DistributeAsync(shardCount)", 1, CrawlDistributor.MaxShardCount,
            (api, count) => api.WithoutCitusAsync(distributor => distributor.DistributeAsync(count))),
        Number("EventPartitionerOptions.Ahead", 2, 1_000, (_, ahead) => Task.FromResult(new EventPartitionerOptions { Ahead = ahead })),
        Number("JanitorOptions.PartitionsAhead", 2, 1_000, (_, ahead) => Task.FromResult(new JanitorOptions { PartitionsAhead = ahead })),
        Duration("EventPartitionerOptions.LockPatience", TimeSpan.Zero, TimeSpan.FromDays(365),
            (_, time) => Task.FromResult(new EventPartitionerOptions { LockPatience = time }), infinite: true),
        Duration("RetentionDurations.Standard", Microsecond, ValidArguments.Century,
            (api, time) => api.InsertAsync(new RetentionDurations { Standard = time })),
        Duration("RetentionDurations.Short", Microsecond, ValidArguments.Century, (api, time) => api.InsertAsync(new RetentionDurations { Short = time })),
        Duration("RetentionDurations.Long", Microsecond, ValidArguments.Century, (api, time) => api.InsertAsync(new RetentionDurations { Long = time })),
    ];

    private static IEnumerable<ApiInput> Workers =>
    [
        Required<string>("WorkerOptions.NameOf(queue)", (_, queue) => Task.FromResult(WorkerOptions.NameOf(queue, "eu"))),
        Of<string?>("WorkerOptions.NameOf(serviceKey)", (_, key) => Task.FromResult(WorkerOptions.NameOf(WorkerOptions.Crawls, key)),
            [(null, null), .. Cases<string?>(MalformedText.NotStorable.Concat(MalformedText.Storable), null)]),
        Number("WorkerOptions.Concurrency", 1, 1_000, (_, number) => Task.FromResult(new WorkerOptions { Concurrency = number })),
        Number("WorkerOptions.MaxAttempts", 1, int.MaxValue, (_, number) => Task.FromResult(new WorkerOptions { MaxAttempts = number })),
        Duration("WorkerOptions.PollInterval", TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1),
            (_, time) => Task.FromResult(new WorkerOptions { PollInterval = time })),
        Duration("WorkerOptions.StaleAfter", TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1),
            (_, time) => Task.FromResult(new WorkerOptions { StaleAfter = time })),
        Duration("WorkerOptions.RetryDelay", TimeSpan.Zero, TimeSpan.FromDays(1), (_, time) => Task.FromResult(new WorkerOptions { RetryDelay = time })),
        Duration("WorkerOptions.LongestRetryDelay", TimeSpan.Zero, TimeSpan.FromDays(30),
            (_, time) => Task.FromResult(new WorkerOptions { LongestRetryDelay = time })),
        Duration("WorkerOptions.ShutdownTimeout", TimeSpan.Zero, TimeSpan.FromHours(1),
            (_, time) => Task.FromResult(new WorkerOptions { ShutdownTimeout = time })),
        Text("AuditContext.CompletePartially(errorSummary)", (api, text) =>
        {
            new AuditContext(null!).CompletePartially(text!);
            return Task.CompletedTask;
        }),
        Required<NewCrawlEvent>("CrawlContext.WriteAsync(crawlEvent)", async (api, one) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await new CrawlContext(api.Claim, writer).WriteAsync(one);
        }),
        Required<NewCrawlEvent>("CrawlContext.AppendAsync(crawlEvent)", async (api, one) =>
        {
            await using var writer = new CrawlEventWriter(api.Events);
            await new CrawlContext(api.Claim, writer).AppendAsync(one);
        }),
        Duration("JanitorOptions.Interval", TimeSpan.FromSeconds(1), ValidArguments.Century,
            (_, time) => Task.FromResult(new JanitorOptions { Interval = time })),
        Duration("JanitorOptions.PurgeArtifactsAfter", TimeSpan.Zero, ValidArguments.Century,
            (_, age) => Task.FromResult(new JanitorOptions { PurgeArtifactsAfter = age })),
        Duration("JanitorOptions.PurgeSessionsAfter", TimeSpan.Zero, ValidArguments.Century,
            (_, age) => Task.FromResult(new JanitorOptions { PurgeSessionsAfter = age })),
        Duration("JanitorOptions.PurgeCrawlsAfter", TimeSpan.Zero, ValidArguments.Century,
            (_, age) => Task.FromResult(new JanitorOptions { PurgeCrawlsAfter = age })),
    ];

    private static IEnumerable<ApiInput> Options =>
    [
        Number("JsonbOptions.MaxDepth", 1, JsonbOptions.LargestMaxDepth,
            (_, depth) => Task.FromResult(Jsonb.Parse("1", new JsonbOptions { MaxDepth = depth }))),
        Number("JsonbOptions.MaxBytes", 1, JsonbOptions.LargestMaxBytes,
            (_, bytes) => Task.FromResult(Jsonb.Parse("1", new JsonbOptions { MaxBytes = bytes }))),
        Number("RecordingImportOptions.MaxErrors", 1, int.MaxValue,
            (api, most) => api.Importer.ImportAsync(Stream.Null, new RecordingImportOptions { MaxErrors = most })),
        Duration("RetryOptions.Limit", TimeSpan.Zero, TimeSpan.FromDays(1), (api, limit) => api.AppendAsync(new RetryOptions { Limit = limit })),
        Duration("SchemaMigratorOptions.LockTimeout", TimeSpan.Zero, TimeSpan.FromDays(365),
            (api, timeout) => api.MigrateAsync(new SchemaMigratorOptions { LockTimeout = timeout }), infinite: true),
        Duration("SchemaMigratorOptions.ScriptTimeout", TimeSpan.Zero, TimeSpan.FromDays(365),
            (api, timeout) => api.MigrateAsync(new SchemaMigratorOptions { ScriptTimeout = timeout }), infinite: true),
        Duration("CrawlEventFollowOptions.PollInterval", TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1),
            (api, interval) => api.FollowAsync(new CrawlEventFollowOptions { PollInterval = interval })),
        Duration("DatabaseDoctorOptions.SilentFor", TimeSpan.FromMicroseconds(1), ValidArguments.Century,
            (_, silentFor) => Task.FromResult(new DatabaseDoctorOptions { SilentFor = silentFor })),
        Of<long>("DatabaseDoctorOptions.MaxWalBytes", (_, bytes) => Task.FromResult(new DatabaseDoctorOptions { MaxWalBytes = bytes }),
            [
                .. MalformedInput.Longs.Select(
                    bytes => (bytes, bytes >= 0 ? null : new ExpectedError(typeof(ArgumentOutOfRangeException), "MaxWalBytes"))),
            ]),
        Duration("ClaimOptions.PollInterval", TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1),
            (_, interval) => Task.FromResult(new ClaimOptions { PollInterval = interval })),
        Number("CrawlEventFollowOptions.PageSize", 1, int.MaxValue, (api, size) => api.FollowAsync(new CrawlEventFollowOptions { PageSize = size })),
        Number("CrawlEventWriterOptions.BatchSize", 1, int.MaxValue, (api, size) => api.WriteAsync(new CrawlEventWriterOptions { BatchSize = size })),
        Number("CrawlEventWriterOptions.BatchBytes", 1, int.MaxValue, (api, bytes) => api.WriteAsync(new CrawlEventWriterOptions { BatchBytes = bytes })),
        Duration("CrawlEventWriterOptions.Linger", TimeSpan.Zero, TimeSpan.FromMinutes(1),
            (api, linger) => api.WriteAsync(new CrawlEventWriterOptions { Linger = linger })),
        Number("CrawlEventWriterOptions.Capacity", 1, int.MaxValue, (api, capacity) => api.WriteAsync(new CrawlEventWriterOptions { Capacity = capacity })),
        Number("CrawlEventWriterOptions.CapacityBytes", 1, int.MaxValue,
            (api, bytes) => api.WriteAsync(new CrawlEventWriterOptions { CapacityBytes = bytes })),
        Duration("CrawlEventWriterOptions.RetryLimit", TimeSpan.Zero, TimeSpan.FromDays(1),
            (api, limit) => api.WriteAsync(new CrawlEventWriterOptions { RetryLimit = limit }), infinite: true),
        Text("CrawlEventWriterOptions.SpoolDirectory",
            (_, text) => Task.FromResult<object?[]>([new CrawlEventWriterOptions { SpoolDirectory = text }.SpoolDirectory]),
            longest: 4_096,
            empty: false,
            optional: true),
        Of<string>("CrawlEventSpool.Read(directory)", (_, directory) => Task.FromResult(CrawlEventSpool.Read(directory)),
            [
                (null!, new ExpectedError(typeof(ArgumentNullException), "directory")),
                .. MalformedText.NotStorable.Select(text => (text, (ExpectedError?)ExpectedError.OfValue("directory"))),
                .. MalformedText.Storable.Select(text => (text, (ExpectedError?)(text.EnumerateRunes().Count() is 0 or > 4_096
                    ? ExpectedError.OfValue("directory")
                    : new ExpectedError(typeof(IOException))))),
            ]),
    ];
}
