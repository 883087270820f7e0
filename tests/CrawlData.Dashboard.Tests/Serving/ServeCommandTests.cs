using System.Diagnostics;
using System.Net;
using CrawlData.Tests.Cli;

namespace CrawlData.Dashboard.Tests.Serving;

public sealed class ServeCommandTests : ToolTest
{
    [TestCase("INT")]
    [TestCase("TERM")]
    public async Task It_prints_a_link_that_opens_the_dashboard_and_ends_with_a_signal(string signal)
    {
        using var process = new ToolProcess(Database.ConnectionString, ["serve", "--port", "0"]);
        var link = await ReadLinkAsync(process.Process);
        using var browser = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var page = await GetAsync(browser, () => new HttpRequestMessage(HttpMethod.Get, link));

        await Tool.InterruptAsync(process.Process, signal);

        Assert.That(link.Host, Is.EqualTo("127.0.0.1"));
        Assert.That(page, Does.Contain("<title>Overview · CrawlData</title>"));
        Assert.That(await Tool.WaitAsync(process.Process), Is.Zero);
        Assert.That(await process.Process.StandardError.ReadToEndAsync(), Is.Empty);
    }

    [Test]
    public async Task Beyond_this_machine_it_needs_a_token_of_some_length()
    {
        var alone = await RunAsync("serve", "--listen", "0.0.0.0", "--port", "0");
        var file = TemporaryFile("token");
        await File.WriteAllTextAsync(file, "short\n");
        var small = await RunAsync("serve", "--listen", "0.0.0.0", "--port", "0", "--token-file", file);

        AssertFailed(
            alone, 2, "crawldata: --listen 0.0.0.0 opens the dashboard to other machines, so it needs a token: --token-file, or CRAWLDATA_SERVE_TOKEN in the "
                + "environment.");
        AssertFailed(small, 2, $"crawldata: {file} holds a token of 5 characters: it needs 16 at least.");
    }

    [Test]
    public async Task A_token_opens_it_beyond_this_machine()
    {
        using var process = new ToolProcess(
            Database.ConnectionString,
            ["serve", "--listen", "0.0.0.0", "--port", "0"],
            new Dictionary<string, string?> { ["CRAWLDATA_SERVE_TOKEN"] = "a token of the tests" });
        var link = await ReadLinkAsync(process.Process);
        using var browser = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var page = await GetAsync(browser, () => new HttpRequestMessage(HttpMethod.Get, new UriBuilder(link) { Host = "127.0.0.2" }.Uri)
        {
            Headers = { Host = "192.0.2.1", Authorization = new("Bearer", "a token of the tests") },
        });

        await Tool.InterruptAsync(process.Process);

        Assert.That(link.Query, Is.Empty);
        Assert.That(page, Does.Contain("<title>Overview · CrawlData</title>"));
        Assert.That(await Tool.WaitAsync(process.Process), Is.Zero);
    }

    /// <summary>Gets a page. A machine that is too busy for the dashboard's time-out is asked again.</summary>
    internal static async Task<string> GetAsync(HttpClient browser, Func<HttpRequestMessage> make)
    {
        using var limit = new CancellationTokenSource(Tool.Timeout);
        while (true)
        {
            using var request = make();
            using var response = await browser.SendAsync(request, limit.Token);
            if (response.StatusCode != HttpStatusCode.ServiceUnavailable)
            {
                return await response.EnsureSuccessStatusCode().Content.ReadAsStringAsync(limit.Token);
            }
        }
    }

    /// <summary>Reads the printed link. The rest of the output is read on, so that the process can write it.</summary>
    internal static async Task<Uri> ReadLinkAsync(Process process)
    {
        using var limit = new CancellationTokenSource(Tool.Timeout);
        var lines = new List<string>();
        while (await process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.Trim().StartsWith("http://", StringComparison.Ordinal))
            {
                _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
                return new Uri(line.Trim());
            }

            lines.Add(line);
        }

        throw new AssertionException(string.Join('\n', lines) + await process.StandardError.ReadToEndAsync(limit.Token));
    }
}
