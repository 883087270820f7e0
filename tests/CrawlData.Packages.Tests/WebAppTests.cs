using System.Diagnostics;
using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Packages.Tests;

public sealed class WebAppTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private ThrowawayDatabase database = null!;
    private string project = null!;
    private App app = null!;
    private CrawlRunRepository runs = null!;
    private CrawlEventRepository events = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });
        runs = new CrawlRunRepository(database.DataSource);
        events = new CrawlEventRepository(database.DataSource);
        project = await Packed.CreateProjectAsync("web", "CrawlData");
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Packed.Sources, "tests", "CrawlData.Packages.Tests", "WebApp")))
        {
            File.Copy(file, Path.Combine(project, Path.GetFileName(file)), overwrite: true);
        }

        await Command.RunAsync(project, Command.DotNet, "build", "-warnaserror");
        app = await App.StartAsync(project, database.ConnectionString);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        app?.Dispose();
        await database.DisposeAsync();
    }

    [Test]
    public async Task A_browser_gets_all_events_then_what_happens_and_then_the_end()
    {
        var crawlId = await CreateCrawlAsync();
        var ids = await AppendAsync(crawlId, 3);
        var stream = (await app.GetAsync(crawlId)).GetAsyncEnumerator();

        Assert.That(await NextAsync(stream), Is.EqualTo(("begin", (string?)null)));
        foreach (var id in ids)
        {
            Assert.That(await NextAsync(stream), Is.EqualTo(("message", $"{id}")));
        }

        var live = (await AppendAsync(crawlId, 1)).Single();
        Assert.That(await NextAsync(stream), Is.EqualTo(("message", $"{live}")));
        var shown = JsonDocument.Parse(stream.Current.Data).RootElement;
        Assert.That((shown.GetProperty("id").GetInt64(), shown.GetProperty("payload").GetProperty("number").GetInt32()), Is.EqualTo((live, 1)));

        (await runs.CompleteAsync(crawlId)).EnsureApplied();
        Assert.That((await NextAsync(stream)).Type, Is.EqualTo("end"));
        Assert.That(await stream.MoveNextAsync().AsTask().WaitAsync(Limit), Is.False);
    }

    [Test]
    public async Task A_browser_that_comes_back_gets_what_it_has_missed()
    {
        var crawlId = await CreateCrawlAsync();
        var ids = await AppendAsync(crawlId, 3);
        (await runs.CompleteAsync(crawlId)).EnsureApplied();

        Assert.That(await MessagesAsync(await app.GetAsync(crawlId, $"{ids[1]}")), Is.EqualTo(new[] { $"{ids[2]}" }));
        Assert.That(await MessagesAsync(await app.GetAsync(crawlId, $"{ids[2]}")), Is.Empty);
    }

    [Test]
    public async Task An_unknown_crawl_is_not_found()
    {
        using var response = await app.Client.GetAsync(new Uri($"/crawls/{Guid.NewGuid()}/events", UriKind.Relative));

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task A_host_that_stops_does_not_wait_for_its_browsers()
    {
        var crawlId = await CreateCrawlAsync();
        using var stopped = await App.StartAsync(project, database.ConnectionString);
        var stream = (await stopped.GetAsync(crawlId)).GetAsyncEnumerator();
        await NextAsync(stream);

        Assert.That(await stopped.StopAsync(), Does.Contain("shutting down").And.Not.Contain("fail:"));
        await Assert.CatchAsync<IOException>(async () => await stream.MoveNextAsync().AsTask().WaitAsync(Limit));
    }

    [Test]
    public async Task A_registration_uses_the_application_s_data_source()
    {
        await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        using var stopped = await App.StartAsync(project, database.ConnectionString);

        Assert.That(await stopped.StopAsync(), Does.EndWith("pending: 1\n"));
    }

    private static async Task<(string Type, string? Id)> NextAsync(IAsyncEnumerator<SseItem<string>> stream)
    {
        Assert.That(await stream.MoveNextAsync().AsTask().WaitAsync(Limit));
        return (stream.Current.EventType, stream.Current.EventId);
    }

    private static async Task<List<string?>> MessagesAsync(IAsyncEnumerable<SseItem<string>> stream)
    {
        using var limit = new CancellationTokenSource(Limit);
        return await stream.Where(item => item.EventType == "message").Select(item => item.EventId).ToListAsync(limit.Token);
    }

    private async Task<Guid> CreateCrawlAsync() =>
        (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running })).Id;

    private Task<IReadOnlyList<long>> AppendAsync(Guid crawlId, int count) =>
        events.AppendAsync(
            crawlId, Enumerable.Range(1, count).Select(number => new NewCrawlEvent { EventType = "step", Payload = Jsonb.From(new { number }) }));

    /// <summary>The built web app as a process of its own.</summary>
    private sealed class App : IDisposable
    {
        private const string Listening = "Now listening on: ";

        private readonly Process process;
        private readonly Task<string> output;

        private App(Process process, Uri address)
        {
            this.process = process;
            Client = new HttpClient { BaseAddress = address };
            output = process.StandardOutput.ReadToEndAsync();
        }

        public HttpClient Client { get; }

        public static async Task<App> StartAsync(string project, string connectionString)
        {
            var environment = new Dictionary<string, string?> { ["ConnectionStrings__Crawls"] = connectionString, ["Logging__LogLevel__Npgsql"] = "Warning" };
            var process = Command.Start(project, environment, Command.DotNet, "bin/Debug/net10.0/web.dll", "--urls", "http://127.0.0.1:0");
            while (await process.StandardOutput.ReadLineAsync().WaitAsync(Limit) is { } line)
            {
                if (line.Contains(Listening, StringComparison.Ordinal))
                {
                    return new App(process, new Uri(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]));
                }
            }

            throw new AssertionException($"The web app ended: {await process.StandardError.ReadToEndAsync()}");
        }

        public async Task<IAsyncEnumerable<SseItem<string>>> GetAsync(Guid crawlId, string? lastEventId = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/crawls/{crawlId}/events");
            if (lastEventId is not null)
            {
                request.Headers.Add("Last-Event-ID", lastEventId);
            }

            var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Limit);
            Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
            return SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync();
        }

        /// <summary>Sends SIGTERM, and returns the standard output.</summary>
        public async Task<string> StopAsync()
        {
            await Command.RunAsync(Packed.Consumers, "kill", "-TERM", $"{process.Id}");
            await process.WaitForExitAsync().WaitAsync(Limit);
            Assert.That(process.ExitCode, Is.Zero);
            return await output;
        }

        public void Dispose()
        {
            Client.Dispose();
            process.Kill();
            process.Dispose();
        }
    }
}
