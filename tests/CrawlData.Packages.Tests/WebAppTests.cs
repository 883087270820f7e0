using System.Diagnostics;
using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Packages.Tests;

public sealed class WebAppTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

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
    public async Task A_user_has_to_sign_in()
    {
        var crawlId = await CreateCrawlAsync();
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = app.Client.BaseAddress };
        using var response = await client.GetAsync(new Uri($"/crawls/{crawlId}/events", UriKind.Relative));

        Assert.That(response.StatusCode, Is.AnyOf(HttpStatusCode.Unauthorized, HttpStatusCode.Redirect));
    }

    [Test]
    public async Task A_user_has_a_limited_number_of_streams()
    {
        var crawlId = await CreateCrawlAsync();
        using var client = await App.SignInAsync(app.Client.BaseAddress!, "one of many streams");
        var request = new Uri($"/crawls/{crawlId}/events", UriKind.Relative);
        var streams = new List<HttpResponseMessage>();
        for (var stream = 0; stream < 7; stream++)
        {
            streams.Add(await client.GetAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Limit));
        }

        Assert.That(streams.Take(6).Select(stream => stream.StatusCode), Is.All.EqualTo(HttpStatusCode.OK));
        Assert.That(streams[6].StatusCode, Is.EqualTo(HttpStatusCode.TooManyRequests));
        streams.ForEach(stream => stream.Dispose());
    }

    /// <summary>nginx holds back what is not 4 kB yet, unless the app says otherwise.</summary>
    [Test]
    public async Task Nginx_with_its_defaults_passes_the_headers_and_each_event_at_once()
    {
        var crawlId = await CreateCrawlAsync();
        using var nginx = await Nginx.StartAsync(app.Client.BaseAddress!);
        using var client = await App.SignInAsync(nginx.Address, "behind nginx");
        using var response = await client.GetAsync(new Uri($"/crawls/{crawlId}/events", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead)
            .WaitAsync(Limit);
        var stream = SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync().GetAsyncEnumerator();

        foreach (var id in new[] { (await AppendAsync(crawlId, 1))[0], (await AppendAsync(crawlId, 1))[0] })
        {
            Assert.That(await NextAsync(stream), Is.EqualTo(("message", $"{id}")));
        }

        (await runs.CompleteAsync(crawlId)).EnsureApplied();
        Assert.That((await NextAsync(stream)).Type, Is.EqualTo("end"));
    }

    /// <summary>nginx closes a stream that is silent for 60 s by default. Here it is 5 s, and the heartbeats of 6 s come before the event.</summary>
    [Test]
    public async Task Heartbeats_keep_a_silent_stream_open_behind_nginx()
    {
        var crawlId = await CreateCrawlAsync();
        using var beating = await App.StartAsync(project, database.ConnectionString, ("Heartbeat", "00:00:00.3"));
        using var nginx = await Nginx.StartAsync(beating.Client.BaseAddress!, "proxy_read_timeout 5s;");
        using var client = await App.SignInAsync(nginx.Address, "behind nginx");
        using var response = await client.GetAsync(new Uri($"/crawls/{crawlId}/events", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead)
            .WaitAsync(Limit);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        for (var heartbeats = 0; heartbeats < 20;)
        {
            var line = await lines.ReadLineAsync().WaitAsync(Limit);
            Assert.That(line, Is.Not.Null, "the stream was closed");
            heartbeats += line == ":" ? 1 : 0;
        }

        var id = (await AppendAsync(crawlId, 1))[0];
        string? next;
        do
        {
            next = await lines.ReadLineAsync().WaitAsync(Limit);
        }
        while (next is "" or ":");
        Assert.That(next, Is.EqualTo($"id: {id}"));
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
        var id = (await AppendAsync(crawlId, 1))[0];
        var stream = (await stopped.GetAsync(crawlId)).GetAsyncEnumerator();
        Assert.That(await NextAsync(stream), Is.EqualTo(("message", $"{id}")));

        Assert.That(await stopped.StopAsync(), Does.Contain("shutting down").And.Not.Contain("fail:"));
        Assert.That(await stream.MoveNextAsync().AsTask().WaitAsync(Limit), Is.False, "the stream ends without the event 'end'");
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

        private App(Process process, HttpClient client)
        {
            this.process = process;
            Client = client;
            output = process.StandardOutput.ReadToEndAsync();
        }

        /// <summary>The client of a user who is signed in.</summary>
        public HttpClient Client { get; }

        /// <summary>Makes the client of another user, with the cookie of its own.</summary>
        public static async Task<HttpClient> SignInAsync(Uri address, string user)
        {
            var client = new HttpClient { BaseAddress = address };
            using var response = await client.PostAsync(new Uri($"/sign-in/{Uri.EscapeDataString(user)}", UriKind.Relative), null).WaitAsync(Limit);
            response.EnsureSuccessStatusCode();
            return client;
        }

        public static async Task<App> StartAsync(string project, string connectionString, params (string Name, string Value)[] settings)
        {
            var environment = new Dictionary<string, string?> { ["ConnectionStrings__Crawls"] = connectionString, ["Logging__LogLevel__Npgsql"] = "Warning" };
            foreach (var (name, value) in settings)
            {
                environment[name] = value;
            }

            var process = Command.Start(project, environment, Command.DotNet, "bin/Debug/net10.0/web.dll", "--urls", "http://127.0.0.1:0");
            while (await process.StandardOutput.ReadLineAsync().WaitAsync(Limit) is { } line)
            {
                if (line.Contains(Listening, StringComparison.Ordinal))
                {
                    var address = new Uri(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]);
                    return new App(process, await SignInAsync(address, "a user"));
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
