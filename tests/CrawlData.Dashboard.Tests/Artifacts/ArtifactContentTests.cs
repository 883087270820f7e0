using System.Net;
using CrawlData.Audits;
using CrawlData.Retention;

namespace CrawlData.Dashboard.Tests.Artifacts;

/// <summary>The content of artifacts, which the application opens.</summary>
public sealed class ArtifactContentTests : DashboardTest
{
    private const string StorageUri = "s3://audits/secret=1/home";
    private static readonly byte[] Png = [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3, 4];

    private static readonly TimeSpan Generous = TimeSpan.FromMinutes(1);

    private static IEnumerable<TestCaseData> Contents =>
    [
        new TestCaseData(Png, "image/png").SetArgDisplayNames("PNG"),
        new TestCaseData((byte[])[0xff, 0xd8, 0xff, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8], "image/jpeg").SetArgDisplayNames("JPEG"),
        new TestCaseData("GIF89a, the rest"u8.ToArray(), "image/gif").SetArgDisplayNames("GIF"),
        new TestCaseData("RIFF----WEBPVP8 "u8.ToArray(), "image/webp").SetArgDisplayNames("WebP"),
        new TestCaseData("RIFF----WAVEfmt "u8.ToArray(), null).SetArgDisplayNames("another RIFF"),
        new TestCaseData("RIFF----WEB"u8.ToArray(), null).SetArgDisplayNames("a part of WebP"),
        new TestCaseData(Png[..7], null).SetArgDisplayNames("a part of PNG"),
        new TestCaseData("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"u8.ToArray(), null).SetArgDisplayNames("SVG"),
        new TestCaseData("<!DOCTYPE html><title>x</title>"u8.ToArray(), null).SetArgDisplayNames("HTML"),
        new TestCaseData(Array.Empty<byte>(), null).SetArgDisplayNames("nothing"),
    ];

    [TestCaseSource(nameof(Contents))]
    public async Task An_image_is_known_by_its_first_bytes_and_all_else_is_a_download(byte[] content, string? image)
    {
        await using var host = await StartAsync((_, _) => Task.FromResult<Stream?>(new MemoryStream(content)));
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.HtmlGz);
        foreach (var method in new[] { HttpMethod.Get, HttpMethod.Head })
        {
            using var request = new HttpRequestMessage(method, $"sessions/{session.Id}/artifacts/{artifact.Id}");
            using var response = await host.Client.SendAsync(request);
            string Header(string name) => string.Join(", ", response.Headers.GetValues(name));

            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo(image ?? "application/octet-stream"));
            Assert.That(response.Content.Headers.ContentLength, Is.EqualTo(content.Length));
            Assert.That(
                $"{response.Content.Headers.ContentDisposition}",
                Is.EqualTo($"{(image is null ? "attachment" : "inline")}; filename=html_gz-{artifact.Id}.html.gz"));
            Assert.That(Header("Content-Security-Policy"), Does.StartWith("default-src 'none'").And.EndsWith("sandbox").And.Not.Contain("'self'"));
            Assert.That(Header("Content-Security-Policy").Contains("style-src 'unsafe-inline'", StringComparison.Ordinal), Is.EqualTo(image is not null));
            Assert.That(Header("X-Content-Type-Options"), Is.EqualTo("nosniff"));
            Assert.That(Header("Cross-Origin-Resource-Policy"), Is.EqualTo("same-origin"));
            Assert.That(Header("Cache-Control"), Is.EqualTo("no-store"));
            Assert.That(await response.Content.ReadAsByteArrayAsync(), Is.EqualTo(method == HttpMethod.Head ? [] : content));
        }
    }

    [TestCase("bytes=0-3", "0-3")]
    [TestCase("bytes=70000-", "70000-99999")]
    [TestCase("bytes=50000-500000", "50000-99999")]
    [TestCase("bytes=-10", "99990-99999")]
    [TestCase("bytes=-500000", "0-99999")]
    [TestCase("bytes=100000-", null, 416)]
    [TestCase("bytes=-0", null, 416)]
    [TestCase("bytes=0-1,5-6", null)]
    [TestCase("lines=0-1", null)]
    [TestCase("bytes=5-1", null)]
    public async Task A_part_of_a_content_whose_stream_can_seek_is_served(string asked, string? served, int status = 200)
    {
        const int Before = 7;
        var content = new byte[100_000];
        new Random(1).NextBytes(content);
        await using var host = await StartAsync((_, _) => Task.FromResult<Stream?>(new MemoryStream([.. new byte[Before], .. content]) { Position = Before }));
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.HtmlGz);
        foreach (var condition in new[] { null, "\"a version\"" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"sessions/{session.Id}/artifacts/{artifact.Id}");
            request.Headers.TryAddWithoutValidation("Range", asked);
            if (condition is not null)
            {
                request.Headers.TryAddWithoutValidation("If-Range", condition);
            }

            using var response = await host.Client.SendAsync(request);
            var body = await response.Content.ReadAsByteArrayAsync();
            var contentRange = response.Content.Headers.ContentRange?.ToString();
            if (condition is not null || (served is null && status == 200))
            {
                Assert.That((response.StatusCode, contentRange), Is.EqualTo((HttpStatusCode.OK, (string?)null)));
                Assert.That(body, Is.EqualTo(content));
                Assert.That(response.Headers.AcceptRanges, Is.EqualTo(new[] { "bytes" }));
            }
            else if (served is null)
            {
                Assert.That(((int)response.StatusCode, contentRange), Is.EqualTo((status, "bytes */100000")));
            }
            else
            {
                var (from, to) = (int.Parse(served.Split('-')[0], null), int.Parse(served.Split('-')[1], null));
                Assert.That((response.StatusCode, contentRange), Is.EqualTo((HttpStatusCode.PartialContent, $"bytes {served}/100000")));
                Assert.That(response.Content.Headers.ContentLength, Is.EqualTo(to - from + 1));
                Assert.That(body, Is.EqualTo(content[from..(to + 1)]));
            }
        }
    }

    [Test]
    public async Task A_content_whose_stream_cannot_seek_is_served_whole()
    {
        await using var host = await StartAsync((_, _) => Task.FromResult<Stream?>(new UnknownLength("abc"u8.ToArray())));
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.HtmlGz);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"sessions/{session.Id}/artifacts/{artifact.Id}");
        request.Headers.TryAddWithoutValidation("Range", "bytes=1-1");
        using var response = await host.Client.SendAsync(request);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(response.Headers.AcceptRanges, Is.Empty);
        Assert.That(await response.Content.ReadAsStringAsync(), Is.EqualTo("abc"));
    }

    [Test]
    public async Task A_session_s_page_shows_screenshots_and_links_to_artifacts_that_are_not_deleted()
    {
        await using var host = await StartAsync((_, _) => Task.FromResult<Stream?>(new MemoryStream(Png)));
        var (session, screenshot) = await InsertArtifactAsync(ArtifactType.Screenshot);
        var text = await Artifacts.InsertAsync(session.Id, Of(screenshot.PageId, ArtifactType.VisibleText));
        var deleted = await Artifacts.InsertAsync(session.Id, Of(screenshot.PageId, ArtifactType.Screenshot));
        await Artifacts.MarkDeletedAsync(deleted.SessionId, [deleted.Id]);

        var page = await host.GetPageAsync($"sessions/{session.Id}");
        var without = await Host.GetPageAsync($"sessions/{session.Id}");

        Assert.That(
            page.QuerySelectorAll(".matrix img").Select(image => image.GetAttribute("src")), Is.EqualTo(new[] { $"{session.Id}/artifacts/{screenshot.Id}" }));
        Assert.That(page.QuerySelector(".matrix img")!.GetAttribute("alt"), Is.EqualTo("Screenshot of the pdp on mobile"));
        Assert.That(
            page.QuerySelectorAll(".rows a[href*=artifacts]").Select(link => link.GetAttribute("href")),
            Is.EqualTo(new[] { $"{session.Id}/artifacts/{screenshot.Id}", $"{session.Id}/artifacts/{text.Id}" }));
        Assert.That(without.QuerySelectorAll("img, a[href*=artifacts\\/]"), Is.Empty);
        Assert.That(Host.Endpoints.Select(endpoint => endpoint.RoutePattern.RawText), Has.None.Contains("{artifact:guid}"));
    }

    [Test]
    public async Task What_is_unknown_deleted_or_of_another_session_is_not_found()
    {
        var opened = 0;
        await using var host = await StartAsync((_, _) =>
        {
            opened++;
            return Task.FromResult<Stream?>(null);
        });
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.Screenshot);
        var (other, deleted) = await InsertArtifactAsync(ArtifactType.Screenshot);
        await Artifacts.MarkDeletedAsync(deleted.SessionId, [deleted.Id]);

        foreach (var address in new[]
        {
            $"{session.Id}/artifacts/{Guid.NewGuid()}", $"{other.Id}/artifacts/{deleted.Id}", $"{other.Id}/artifacts/{artifact.Id}",
        })
        {
            await host.GetPageAsync($"sessions/{address}", HttpStatusCode.NotFound);
        }

        Assert.That(opened, Is.Zero);
        await host.GetPageAsync($"sessions/{session.Id}/artifacts/{artifact.Id}", HttpStatusCode.NotFound);
        Assert.That(opened, Is.EqualTo(1));
    }

    [Test]
    public async Task The_function_gets_the_URI_as_it_is_stored_and_pages_do_not()
    {
        string? asked = null;
        await using var host = await StartAsync(
            (uri, _) =>
            {
                asked = uri;
                return Task.FromResult<Stream?>(new MemoryStream(Png));
            },
            options => options.RedactText = (_, text) => text.Replace("secret=1", "…", StringComparison.Ordinal));
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.Screenshot);

        await host.GetTextAsync($"sessions/{session.Id}/artifacts/{artifact.Id}");

        Assert.That(asked, Is.EqualTo(StorageUri));
        Assert.That(await host.GetTextAsync($"sessions/{session.Id}"), Does.Not.Contain("secret=1"));
    }

    [Test]
    public async Task A_content_over_the_limit_is_refused_or_cut_off_where_its_length_is_not_known()
    {
        var isKnown = true;
        var content = Png.Concat(new byte[200_000]).ToArray();
        await using var host = await StartAsync(
            (_, _) => Task.FromResult<Stream?>(isKnown ? new MemoryStream(content) : new UnknownLength(content)),
            options => options.MaxArtifactBytes = content.Length - 1);
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.Screenshot);
        var address = $"sessions/{session.Id}/artifacts/{artifact.Id}";

        var page = await host.GetPageAsync(address, HttpStatusCode.RequestEntityTooLarge);
        isKnown = false;

        Assert.That(page.QuerySelector("main p")!.TextContent, Does.StartWith("It is larger than 200.0 kB"));
        await Assert.ThatAsync(() => host.Client.GetByteArrayAsync(new Uri(address, UriKind.Relative)), Throws.InstanceOf<HttpRequestException>());
    }

    [Test]
    public async Task An_error_of_the_function_or_of_its_stream_is_not_shown()
    {
        Func<Stream> open = () => throw new InvalidOperationException("a secret path");
        await using var host = await StartAsync((_, _) => Task.FromResult<Stream?>(open()));
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.Screenshot);
        var address = $"sessions/{session.Id}/artifacts/{artifact.Id}";

        var thrown = await host.GetTextAsync(address, HttpStatusCode.BadGateway);
        open = () => new UnknownLength(null);
        var unread = await host.GetTextAsync(address, HttpStatusCode.BadGateway);

        Assert.That(thrown, Does.Contain("Its storage reported an error").And.Not.Contain("secret"));
        Assert.That(unread, Does.Contain("Its storage reported an error").And.Not.Contain("secret"));
    }

    /// <summary>The function ignores that it is cancelled. What it opens too late is closed, and until then it keeps others from being called.</summary>
    [Test]
    public async Task A_function_that_hangs_costs_a_turn_until_it_ends()
    {
        var release = new TaskCompletionSource();
        var late = new ClosedSignal();
        await using var host = await StartAsync(
            async (_, _) =>
            {
                await release.Task;
                return late;
            },
            options => options.ArtifactTimeout = TimeSpan.FromMilliseconds(100));
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.Screenshot);
        var address = $"sessions/{session.Id}/artifacts/{artifact.Id}";

        var slow = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => host.GetTextAsync(address, HttpStatusCode.GatewayTimeout)));
        var busy = await host.GetTextAsync(address, HttpStatusCode.ServiceUnavailable);
        release.SetResult();
        await late.Closed.WaitAsync(Generous);

        Assert.That(slow, Is.All.Contains("Its storage did not answer within 100 ms."));
        Assert.That(busy, Does.Contain("The dashboard is busy"));
    }

    [Test]
    public async Task A_stream_that_blocks_its_thread_is_given_up_in_time()
    {
        using var release = new ManualResetEventSlim();
        var blocking = new BlockingStream(release);
        await using var host = await StartAsync(
            (_, _) => Task.FromResult<Stream?>(blocking), options => options.ArtifactTimeout = TimeSpan.FromMilliseconds(100));
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.Screenshot);
        try
        {
            var answer = await host.GetTextAsync($"sessions/{session.Id}/artifacts/{artifact.Id}", HttpStatusCode.GatewayTimeout).WaitAsync(Generous);
            Assert.That(answer, Does.Contain("Its storage did not answer within 100 ms."));
        }
        finally
        {
            release.Set();
            await blocking.Ended.WaitAsync(Generous);
        }
    }

    [Test]
    public async Task The_function_is_told_when_nobody_waits_for_it()
    {
        var asked = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        await using var host = await StartAsync(async (_, cancellationToken) =>
        {
            cancellationToken.Register(cancelled.SetResult);
            asked.SetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return null;
        });
        var (session, artifact) = await InsertArtifactAsync(ArtifactType.Screenshot);
        using var leaving = new CancellationTokenSource();

        var request = host.Client.GetAsync(new Uri($"sessions/{session.Id}/artifacts/{artifact.Id}", UriKind.Relative), leaving.Token);
        await asked.Task.WaitAsync(Generous);
        await leaving.CancelAsync();

        await cancelled.Task.WaitAsync(Generous);
        await Assert.ThatAsync(() => request, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task A_folder_s_files_are_served_and_nothing_beside_it()
    {
        var folder = Directory.CreateTempSubdirectory("crawldata-").FullName;
        try
        {
            var root = Directory.CreateDirectory(Path.Combine(folder, "root")).FullName;
            await File.WriteAllBytesAsync(Path.Combine(root, "home.png"), Png);
            await File.WriteAllBytesAsync(Path.Combine(folder, "beside.png"), Png);
            File.CreateSymbolicLink(Path.Combine(root, "link.png"), Path.Combine(folder, "beside.png"));
            await using var host = await DashboardHost.StartAsync(DataSource, options =>
            {
                options.ArtifactRoot = root;
                options.StatementTimeout = Generous;
            });
            var rooted = FileArtifactStore.GetStorageUri(root);
            foreach (var (uri, status) in new[]
            {
                ($"{rooted}/home.png", HttpStatusCode.OK),
                ($"{rooted}/link.png", HttpStatusCode.NotFound),
                ($"{rooted}/../beside.png", HttpStatusCode.NotFound),
                ($"{rooted}/%2e%2e/beside.png", HttpStatusCode.NotFound),
                ($"{rooted}/..%2Fbeside.png", HttpStatusCode.NotFound),
                (FileArtifactStore.GetStorageUri(Path.Combine(folder, "beside.png")), HttpStatusCode.NotFound),
                (Path.Combine(root, "home.png"), HttpStatusCode.NotFound),
                ("home.png", HttpStatusCode.NotFound),
                ("file:///dev/zero", HttpStatusCode.NotFound),
                ("file:///proc/self/environ", HttpStatusCode.NotFound),
                ($"{host.Client.BaseAddress}runs", HttpStatusCode.NotFound),
            })
            {
                var (session, artifact) = await InsertArtifactAsync(ArtifactType.Screenshot, uri);
                using var response = await host.Client.GetAsync(new Uri($"sessions/{session.Id}/artifacts/{artifact.Id}", UriKind.Relative));
                Assert.That(response.StatusCode, Is.EqualTo(status), uri);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public async Task Production_refuses_it_as_all_else()
    {
        await using var host = await DashboardHost.StartAsync(
            DataSource, options => options.Artifacts = (_, _) => Task.FromResult<Stream?>(new MemoryStream(Png)), "Production");

        await host.GetTextAsync($"sessions/{Guid.NewGuid()}/artifacts/{Guid.NewGuid()}", HttpStatusCode.Forbidden);
    }

    [Test]
    public async Task Wrong_options_are_refused()
    {
        Assert.That(() => new CrawlDataDashboardOptions { ArtifactRoot = "audits" }, Throws.ArgumentException);
        Assert.That(() => new CrawlDataDashboardOptions { MaxArtifactBytes = 0 }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new CrawlDataDashboardOptions { ArtifactTimeout = TimeSpan.Zero }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        await Assert.ThatAsync(
            () => StartAsync((_, _) => Task.FromResult<Stream?>(null), options => options.ArtifactRoot = "/var/audits"),
            Throws.InvalidOperationException.With.Message.EqualTo("Artifacts and ArtifactRoot exclude each other."));
    }

    private Task<DashboardHost> StartAsync(Func<string, CancellationToken, Task<Stream?>> open, Action<CrawlDataDashboardOptions>? configure = null) =>
        DashboardHost.StartAsync(DataSource, options =>
        {
            options.StatementTimeout = options.ArtifactTimeout = Generous;
            options.Artifacts = open;
            configure?.Invoke(options);
        });

    private async Task<(AuditSession Session, Artifact Artifact)> InsertArtifactAsync(ArtifactType type, string storageUri = StorageUri)
    {
        var session = await InsertSessionAsync("https://example.org/");
        var page = (await Pages.InsertAsync(session.Id, [new NewAuditPage { PageType = PageType.Pdp, Viewport = Viewport.Mobile, Status = PageStatus.Ok }]))[0];
        return (session, await Artifacts.InsertAsync(session.Id, Of(page.Id, type) with { StorageUri = storageUri }));
    }

    private static NewArtifact Of(Guid pageId, ArtifactType type) => new() { PageId = pageId, Type = type, StorageUri = StorageUri, SizeBytes = 12 };

    /// <summary>A content whose length is not known; of null, one that cannot be read.</summary>
    private sealed class UnknownLength(byte[]? content) : MemoryStream(content ?? [])
    {
        public override bool CanSeek => false;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            content is null ? throw new IOException("a secret path") : base.ReadAsync(buffer, cancellationToken);
    }

    private sealed class BlockingStream(ManualResetEventSlim release) : MemoryStream
    {
        private readonly TaskCompletionSource ended = new();

        public Task Ended => ended.Task;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            release.Wait(CancellationToken.None);
            ended.TrySetResult();
            return new ValueTask<int>(0);
        }
    }

    private sealed class ClosedSignal : MemoryStream
    {
        private readonly TaskCompletionSource closed = new();

        public Task Closed => closed.Task;

        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            closed.TrySetResult();
        }
    }
}
