using System.Text.Json;
using CrawlData.Dashboard.Tests.Security;
using CrawlData.Dashboard.Text;
using CrawlData.Tests.Security;
using Microsoft.Playwright;
using NpgsqlTypes;

namespace CrawlData.Browser.Tests;

/// <summary>Whatever a crawled page wrote into a column is text in the browser, too: nothing of it runs, loads, or leads elsewhere.</summary>
public sealed class ScriptTextTests : BrowserTest
{
    // Also what a page gets from itself counts: no handler in an attribute, and no address that is a script's or another site's. The links of a run over time
    // are SVG's.
    private const string Look =
        """
        () => {
            const all = [...document.querySelectorAll("*")];
            document.querySelectorAll("details").forEach(details => details.open = true);
            return {
                title: document.title,
                scripts: document.scripts.length,
                styles: document.styleSheets.length,
                hasEvents: !!document.querySelector("[data-events]"),
                frames: frames.length + document.querySelectorAll("img, svg:not([data-strip] svg), object, embed, base, style, template").length,
                blankLinks: [...document.links].filter(link => !link.textContent.trim()).length,
                handlers: all.flatMap(element => element.getAttributeNames()).filter(name => name.startsWith("on")),
                foreign: all.map(element => element.href?.baseVal ?? element.href ?? element.src ?? (element.localName === "form" ? element.action : undefined))
                    .filter(address => address && URL.parse(address, document.baseURI)?.origin !== location.origin),
            };
        }
        """;

    [Test]
    public async Task Nothing_of_a_text_runs_on_any_page()
    {
        var texts = MalformedTextTests.Texts.Where(text => text.Length < 10_000).ToList();
        var rows = new List<(string Text, Guid Run, long Event, Guid Other, Guid Session)>();
        foreach (var text in texts)
        {
            var json = JsonSerializer.Serialize(new Dictionary<string, object> { [text] = text, ["list"] = new[] { text } });
            var (run, id) = await InsertRunWithAsync(text, json);
            var (other, _) = await InsertRunWithAsync(text, JsonSerializer.Serialize(new Dictionary<string, object> { [text] = text, ["list"] = 1 }));
            rows.Add((text, run, id, other, await InsertSessionWithAsync(text, json)));
        }

        await BrowseAsync(async page =>
        {
            foreach (var address in new[] { "./", "runs?size=500", "sessions?size=500", "artifacts", "status" })
            {
                await AssertHarmlessAsync(page, address);
            }

            foreach (var (text, run, id, other, session) in rows)
            {
                await AssertHarmlessAsync(page, $"runs/{run}?tab=stats");
                await AssertHarmlessAsync(page, $"compare?run={run}&run={other}&key=list");
                await AssertHarmlessAsync(page, $"runs/{run}/events/{id}");
                await AssertHarmlessAsync(page, $"runs/{run}?type={Uri.EscapeDataString(text)}");
                await AssertHarmlessAsync(page, $"runs/{run}");
                Assert.That(await page.Locator(".error-box .text").TextContentAsync(), Is.EqualTo(Printable.Escape(text)));
                await AssertHarmlessAsync(page, $"sessions/{session}");
                Assert.That(await page.Locator(".text").Last.TextContentAsync(), Is.EqualTo(Printable.Escape(text)));
            }
        });
    }

    [Test]
    public Task JSON_is_as_it_is_stored() => BrowseAsync(async page =>
    {
        foreach (var json in MalformedJson.Accepted.Where(json => json.Length < 2_000))
        {
            var (run, id) = await InsertRunWithAsync("org.example.numbers", json);
            await using var command = DataSource.CreateCommand("select @json::text");
            command.Parameters.AddWithValue("json", NpgsqlDbType.Jsonb, json);
            var stored = (string)(await command.ExecuteScalarAsync())!;
            await page.GotoAsync($"runs/{run}/events/{id}");
            var shown = await page.Locator(".payload").TextContentAsync();

            Assert.That(WithoutSpaces(shown!), Is.EqualTo(WithoutSpaces(Printable.Escape(stored))));
        }

        await OpenAsync(page, "event-large");
        var payload = await page.Locator(".payload").TextContentAsync();
        Assert.That(payload, Does.Contain("\"id\": 9007199254740993,").And.Contain("\"price\": 19.900,").And.Contain("48.85837009999999"));
        Assert.That(payload, Does.Contain($"\"tiny\": 0.{new string('0', 399)}1,"));
    });

    private static string WithoutSpaces(string json) => new([.. json.Where(letter => !char.IsWhiteSpace(letter))]);

    private static async Task AssertHarmlessAsync(IPage page, string address)
    {
        var response = await page.GotoAsync(address);
        var seen = await page.EvaluateAsync<Seen>(Look);

        Assert.That(response!.Status, Is.EqualTo(200), address);
        Assert.That(seen.Title, Does.EndWith("· CrawlData"), address);
        Assert.That((seen.Scripts, seen.Styles, seen.Frames), Is.EqualTo((seen.HasEvents ? 2 : 1, 1, 0)), address);
        Assert.That(seen.BlankLinks, Is.Zero, address);
        Assert.That(seen.Handlers, Is.Empty, address);
        Assert.That(seen.Foreign, Is.Empty, address);
    }

    private sealed class Seen
    {
        public string Title { get; set; } = "";

        public int Scripts { get; set; }

        public bool HasEvents { get; set; }

        public int Styles { get; set; }

        public int Frames { get; set; }

        public int BlankLinks { get; set; }

        public string[] Handlers { get; set; } = [];

        public string[] Foreign { get; set; } = [];
    }
}
