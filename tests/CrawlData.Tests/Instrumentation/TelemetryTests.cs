using System.Diagnostics;
using CrawlData.Crawls;
using CrawlData.Retention;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace CrawlData.Tests.Diagnostics;

/// <summary>OpenTelemetry's own SDK collects the spans and metrics. The tests select those of their database, because other fixtures run in the same
/// process.</summary>
public sealed class TelemetryTests : EmptiedDatabaseTest
{
    private readonly List<Activity> spans = [];
    private readonly List<MetricSnapshot> metrics = [];

    private NpgsqlConnectionStringBuilder Settings => new(Database.ConnectionString);

    [SetUp]
    public void Forget()
    {
        spans.Clear();
        metrics.Clear();
    }

    [Test]
    public async Task Appends_are_counted_and_are_spans_by_the_database_conventions()
    {
        using var watched = Watch();
        var crawl = await CreateCrawlAsync();

        await Events.AppendAsync(crawl, Event(1));
        await Events.AppendAsync(crawl, EventsOf(20));
        await Events.AppendStreamAsync(crawl, EventsOf(7).ToAsyncEnumerable());
        await Assert.ThatAsync(() => Events.AppendAsync(Guid.CreateVersion7(), Event(1)), Throws.InstanceOf<RowNotFoundException>());

        watched.Stop();
        var appends = spans.Where(span => span.DisplayName == "append crawl_events").ToList();
        Assert.That(appends, Has.Count.EqualTo(4));
        Assert.That(appends.Select(span => span.Kind), Is.All.EqualTo(ActivityKind.Client));
        Assert.That(appends[1].TagObjects, Is.EquivalentTo(new Dictionary<string, object?>
        {
            ["db.system.name"] = "postgresql",
            ["db.namespace"] = Settings.Database,
            ["db.collection.name"] = "crawl_events",
            ["db.operation.name"] = "append",
            ["db.operation.batch.size"] = 20,
            ["server.address"] = Settings.Host,
            ["server.port"] = Settings.Port,
        }));
        Assert.That(appends[0].GetTagItem("db.operation.batch.size"), Is.Null);
        Assert.That(
            (appends[3].Status, appends[3].GetTagItem("error.type")), Is.EqualTo((ActivityStatusCode.Error, (object)typeof(RowNotFoundException).FullName!)));
        Assert.That(Sum("crawldata.append.rows", ("db.collection.name", "crawl_events")), Is.EqualTo(28));
        Assert.That(Histogram("crawldata.append.batch_size"), Is.EqualTo((3, 28.0)));
        Assert.That(Histogram("crawldata.operation.duration", ("db.operation.name", "append")).Count, Is.EqualTo(4));
    }

    [Test]
    public async Task A_span_of_Npgsql_is_a_child_of_the_library_s_span()
    {
        using var watched = Watch();

        await Events.AppendAsync(await CreateCrawlAsync(), Event(1));

        watched.Stop();
        var append = spans.Single(span => span.DisplayName == "append crawl_events");
        Assert.That(spans.Where(span => span.ParentSpanId == append.SpanId).Select(span => span.Source.Name), Is.All.EqualTo("Npgsql").And.Not.Empty);
    }

    [Test]
    public async Task A_writer_s_queue_length_and_flush_times_are_measured()
    {
        using var watched = Watch();
        var crawl = await CreateCrawlAsync();
        await using var writer = new CrawlEventWriter(Events, new CrawlEventWriterOptions { Linger = TimeSpan.FromMinutes(1) });
        for (var number = 1; number <= 5; number++)
        {
            await writer.WriteAsync(crawl, Event(number));
        }

        watched.Collect();
        Assert.That(Sum("crawldata.writer.queue_depth"), Is.EqualTo(5));
        await writer.FlushAsync();

        watched.Stop();
        Assert.That(Sum("crawldata.writer.queue_depth"), Is.Zero);
        Assert.That(Histogram("crawldata.operation.duration", ("db.operation.name", "flush")).Count, Is.EqualTo(1));
        var flush = spans.Single(span => span.DisplayName == "flush crawl_events");
        Assert.That(spans.Single(span => span.DisplayName == "append crawl_events").ParentSpanId, Is.EqualTo(flush.SpanId));
    }

    [Test]
    public async Task A_writer_s_unstored_events_are_counted_until_they_are_taken()
    {
        using var watched = Watch();
        var writer = new CrawlEventWriter(Events);
        await writer.WriteAsync(Guid.CreateVersion7(), Event(1));
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());

        watched.Collect();
        Assert.That(Sum("crawldata.writer.unstored"), Is.EqualTo(1));
        writer.TakeUnstored();
        await writer.DisposeAsync();

        watched.Stop();
        Assert.That(Sum("crawldata.writer.unstored"), Is.Zero);
    }

    [Test]
    public async Task Followed_events_are_counted_and_the_lag_is_measured()
    {
        using var watched = Watch();
        var run = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running });
        await Events.AppendAsync(run.Id, EventsOf(10).Select(crawlEvent => crawlEvent with { CreatedAt = DateTimeOffset.UtcNow.AddSeconds(-100) }));
        await Runs.CompleteAsync(run.Id);

        Assert.That(await Events.FollowAsync(run.Id).CountAsync(), Is.EqualTo(10));

        watched.Stop();
        Assert.That(Sum("crawldata.follow.events"), Is.EqualTo(10));
        var (count, sum) = Histogram("crawldata.follow.lag");
        Assert.That((count, sum), Is.EqualTo((1, 100.0)).Within(20));
    }

    [Test]
    public async Task Retries_are_counted_by_error()
    {
        using var watched = Watch();
        var crawl = await CreateCrawlAsync();
        await ExecuteAsync(
            """
            create sequence attempts;
            create function fail_once() returns trigger language plpgsql as $$
            begin
                if nextval('attempts') = 1 then raise exception using errcode = '40P01'; end if;
                return new;
            end $$;
            create trigger fail_once before insert on crawl_events for each row execute function fail_once()
            """);

        await Events.AppendAsync(crawl, Event(1));
        await ExecuteAsync("drop function fail_once cascade; drop sequence attempts");

        watched.Stop();
        Assert.That(Sum("crawldata.retries", ("error.type", PostgresErrorCodes.DeadlockDetected)), Is.EqualTo(1));
        Assert.That(Sum("crawldata.append.rows"), Is.EqualTo(1));
    }

    [Test]
    public async Task Claims_rescues_sweeps_and_purges_are_counted()
    {
        using var watched = Watch();
        var id = await EnqueueAsync();
        var session = (await Queue.ClaimNextAsync())!;
        Assert.That(await Queue.ClaimNextAsync(), Is.Null);
        var page = (await Pages.InsertAsync(id, Page())).Id;
        await Artifacts.InsertAsync(id, Enumerable.Range(1, 3).Select(number => Artifact(page, number) with { RetentionUntil = DateTimeOffset.UnixEpoch }));
        await Sweeper.SweepAsync(new DelegateStore((batch, _) => Task.FromResult<IReadOnlyList<ExpiredArtifact>>([.. batch.Take(2)])));
        await Purger.PurgeArtifactsAsync(TimeSpan.Zero);
        await Queue.RescueStaleAsync(TimeSpan.FromMicroseconds(1), maxAttempts: session.Attempts);
        await Purger.PurgeSessionsAsync(TimeSpan.Zero, abandonArtifacts: true);

        watched.Stop();
        Assert.That(Sum("crawldata.claims", ("crawldata.claimed", true)), Is.EqualTo(1));
        Assert.That(Sum("crawldata.claims", ("crawldata.claimed", false)), Is.EqualTo(1));
        Assert.That(Sum("crawldata.rescued_sessions", ("crawldata.session.status", "failed")), Is.EqualTo(1));
        Assert.That(Sum("crawldata.sweep.artifacts", ("crawldata.deleted", true)), Is.EqualTo(2));
        Assert.That(Sum("crawldata.sweep.artifacts", ("crawldata.deleted", false)), Is.EqualTo(1));
        Assert.That(Sum("crawldata.purge.rows", ("db.collection.name", "artifacts")), Is.EqualTo(2));
        Assert.That(Sum("crawldata.purge.rows", ("db.collection.name", "audit_sessions")), Is.EqualTo(4), "the session, its page, its artifact, its log line");
        Assert.That(
            spans.Select(span => span.DisplayName),
            Is.SupersetOf(new[] { "claim audit_sessions", "sweep artifacts", "purge artifacts", "rescue audit_sessions", "purge audit_sessions" }));
    }

    [Test]
    public async Task Without_a_listener_nothing_is_measured()
    {
        await Events.AppendAsync(await CreateCrawlAsync(), Event(1));

        using var watched = Watch();
        watched.Stop();

        Assert.That(spans, Is.Empty);
        Assert.That(Sum("crawldata.append.rows"), Is.Zero);
    }

    [Test]
    public async Task A_host_exports_spans_and_metrics_and_answers_health_checks()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCrawlData(Database.ConnectionString, options => options.MigrateAtStartup = false);

        // snippet: telemetry
        builder.Services.AddOpenTelemetry()
            .WithTracing(tracing => tracing.AddCrawlDataInstrumentation().AddSource("Npgsql"))
            .WithMetrics(metrics => metrics.AddCrawlDataInstrumentation().AddMeter("Npgsql"));
        builder.Services.AddHealthChecks().AddCrawlData();
        // end snippet
        builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddProcessor(new SimpleActivityExportProcessor(new Ours(this))));
        builder.Services.ConfigureOpenTelemetryMeterProvider(measuring => measuring.AddInMemoryExporter(metrics));
        using var host = builder.Build();
        await host.StartAsync();

        await host.Services.GetRequiredService<CrawlEventRepository>().AppendAsync(await CreateCrawlAsync(), EventsOf(3));
        host.Services.GetRequiredService<MeterProvider>().ForceFlush();

        Assert.That(spans.Select(span => span.Source.Name).Distinct(), Is.EquivalentTo(new[] { "CrawlData", "Npgsql" }));
        Assert.That(Sum("crawldata.append.rows"), Is.EqualTo(3));
        Assert.That((await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Status, Is.EqualTo(HealthStatus.Healthy));
        await host.StopAsync();
    }

    private Watched Watch() => new(this);

    private double Sum(string name, params (string Key, object Value)[] tags) =>
        Points(name, tags).Sum(point => (double)point.GetSumLong());

    private (long Count, double Sum) Histogram(string name, params (string Key, object Value)[] tags)
    {
        var points = Points(name, tags).ToList();
        return (points.Sum(point => point.GetHistogramCount()), points.Sum(point => point.GetHistogramSum()));
    }

    // The last export has the latest sums.
    private IEnumerable<MetricPoint> Points(string name, (string Key, object Value)[] tags) =>
        (metrics.LastOrDefault(metric => metric.Name == name)?.MetricPoints ?? []).Where(point =>
        {
            var found = new Dictionary<string, object?>();
            foreach (var (key, value) in point.Tags)
            {
                found.Add(key, value);
            }

            return Equals(found["db.namespace"], Settings.Database) && tags.All(tag => Equals(found.GetValueOrDefault(tag.Key), tag.Value));
        });

    private sealed class Watched : IDisposable
    {
        private readonly TracerProvider tracers;
        private readonly MeterProvider meters;

        public Watched(TelemetryTests test)
        {
            tracers = Sdk.CreateTracerProviderBuilder().AddSource("CrawlData", "Npgsql").AddProcessor(new SimpleActivityExportProcessor(new Ours(test)))
                .Build();
            meters = Sdk.CreateMeterProviderBuilder().AddMeter("CrawlData").AddInMemoryExporter(test.metrics).Build();
        }

        public void Collect() => meters.ForceFlush();

        public void Stop()
        {
            meters.ForceFlush();
            tracers.ForceFlush();
        }

        public void Dispose()
        {
            meters.Dispose();
            tracers.Dispose();
        }
    }

    private sealed class Ours(TelemetryTests test) : BaseExporter<Activity>
    {
        public override ExportResult Export(in Batch<Activity> batch)
        {
            foreach (var span in batch)
            {
                if (Equals(span.GetTagItem("db.namespace"), test.Settings.Database))
                {
                    test.spans.Add(span);
                }
            }

            return ExportResult.Success;
        }
    }
}
