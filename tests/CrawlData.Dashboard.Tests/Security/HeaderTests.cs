using System.Net;

namespace CrawlData.Dashboard.Tests.Security;

public sealed class HeaderTests : DashboardTest
{
    [Test]
    public async Task Every_answer_forbids_foreign_code_frames_and_caches()
    {
        var addresses = Host.Endpoints.Select(endpoint => AccessTests.AddressOf(endpoint.RoutePattern.RawText!));
        foreach (var address in addresses.Append("runs?size=0").Append("runs/"))
        {
            using var response = await Host.Client.GetAsync(new Uri(address, UriKind.Relative));
            string Header(string name) => string.Join(", ", response.Headers.GetValues(name));

            Assert.That(response.StatusCode, Is.Not.EqualTo(HttpStatusCode.InternalServerError), address);
            Assert.That(
                Header("Content-Security-Policy"),
                Is.EqualTo(
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
                        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"),
                address);
            Assert.That(Header("X-Content-Type-Options"), Is.EqualTo("nosniff"), address);
            Assert.That(Header("Referrer-Policy"), Is.EqualTo("no-referrer"), address);
            Assert.That(Header("Cross-Origin-Resource-Policy"), Is.EqualTo("same-origin"), address);
            Assert.That(
                Header("Cache-Control"),
                address.StartsWith("assets", StringComparison.Ordinal) ? Does.Contain("private") : Is.EqualTo("no-store"),
                address);
        }
    }

    [Test]
    public async Task Assets_are_compressed_small_and_named_by_their_content()
    {
        var (runId, _) = await InsertRunWithAsync("org.example.app", "{}");
        var page = await Host.GetPageAsync($"runs/{runId}");
        var addresses = page.QuerySelectorAll("link[href], script[src]")
            .Select(element => element.GetAttribute("href") ?? element.GetAttribute("src")!).ToList();
        var total = 0;
        foreach (var address in addresses)
        {
            Assert.That(address, Does.Match(@"^\.\./assets/\w+\.[0-9a-f]{12}\.(css|js|svg)$"));
            foreach (var encoding in new[] { "br", "gzip", "identity" })
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, address["../".Length..]);
                request.Headers.AcceptEncoding.ParseAdd(encoding);
                using var response = await Host.Client.SendAsync(request);
                var length = (await response.Content.ReadAsByteArrayAsync()).Length;

                Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
                Assert.That(response.Content.Headers.ContentEncoding, encoding == "identity" ? Is.Empty : Is.EqualTo(new[] { encoding }));
                Assert.That($"{response.Headers.CacheControl}", Does.Contain("immutable"));
                total += encoding == "br" ? length : 0;
            }
        }

        TestContext.Out.WriteLine($"{total} bytes");
        Assert.That(addresses, Is.EquivalentTo(Assets.AssetCatalog.Names.Select(name => $"../assets/{name}")));
        Assert.That(total, Is.LessThan(60_000));
        await Host.GetTextAsync("assets/dashboard.000000000000.css", HttpStatusCode.NotFound);
        await Host.GetTextAsync("assets/dashboard.css", HttpStatusCode.NotFound);
    }
}
