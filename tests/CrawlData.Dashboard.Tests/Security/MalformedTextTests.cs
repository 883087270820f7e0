using System.Text;
using System.Text.Json;
using AngleSharp.Html.Dom;
using CrawlData.Dashboard.Text;
using CrawlData.Tests.Security;

namespace CrawlData.Dashboard.Tests.Security;

/// <summary>Whatever a crawled page wrote into a column is text on the dashboard's pages: nothing of it runs, loads, or leads elsewhere.</summary>
public sealed class MalformedTextTests : DashboardTest
{
    private static readonly string[] Scripts =
    [
        "<script>document.title = 'ran'</script>", "\"><img src=x onerror=\"document.title='ran'\">", "' onmouseover='document.title=1", "javascript:alert(1)",
        "</title><script>1</script>", "</pre></details></td></table><style>*{display:none}</style>", "<base href=//evil.example/>", "<svg/onload=alert(1)>",
        "data:text/html,<script>alert(1)</script>", "//evil.example/", "&lt;script&gt;", "{{constructor}}", "@Model @(1 + 1)", "\u2028</script>",
        "<meta http-equiv=refresh content=0;url=//evil.example>", "<form action=//evil.example><button>", "<!--", "-->", "]]>", "<template>", "<plaintext>",
    ];

    // Relative to the document, and to a screen.
    private const string Address = @"^((\.\./)*(\./|assets/|api/v1/|compare|runs|sessions|artifacts|status|[0-9a-f]{8}-[0-9a-f-]{27}|-?\d+$|\?|#)|(\.\./)+$)";

    private static readonly string[] Elements =
    [
        "a", "body", "button", "code", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "footer", "form", "h1", "h2", "head", "header",
        "html", "input", "label", "li", "link", "main", "meta", "nav", "option", "p", "pre", "progress", "rect", "script", "section", "select", "span",
        "summary", "svg", "table", "tbody", "td", "th", "thead", "time", "title", "tr", "ul",
    ];

    private static readonly string[] Attributes =
    [
        "action", "aria-current", "aria-hidden", "aria-label", "autocomplete", "charset", "class", "content", "data-compare", "data-events",
        "data-label", "data-last", "data-order", "data-run", "data-stream", "data-strip", "data-type", "data-zone", "datetime", "height", "hidden",
        "href", "id", "lang", "max", "maxlength", "method", "name", "placeholder", "preserveAspectRatio", "rel", "scope", "selected", "spellcheck",
        "src", "step", "tabindex", "title", "type", "value", "viewBox", "width", "x", "y",
    ];

    internal static IEnumerable<string> Texts => MalformedText.Storable.Concat(Scripts);

    [Test]
    public async Task Text_of_any_column_is_text_on_each_page()
    {
        foreach (var text in Texts)
        {
            var json = JsonSerializer.Serialize(new Dictionary<string, object> { [text] = text, ["list"] = new[] { text } });
            var (runId, eventId) = await InsertRunWithAsync(text, json);
            var (otherId, _) = await InsertRunWithAsync(text, JsonSerializer.Serialize(new Dictionary<string, object> { [text] = text, ["list"] = 1 }));
            var sessionId = await InsertSessionWithAsync(text, json);
            foreach (var address in new[]
            {
                "", "runs", $"runs/{runId}", $"runs/{runId}?tab=stats", $"runs/{runId}?tab=time", $"runs/{runId}/events/{eventId}", "sessions",
                $"sessions/{sessionId}", "artifacts", "artifacts/expired", "status", $"compare?run={runId}&run={otherId}&key=list",
            })
            {
                AssertHarmless(await Host.GetPageAsync(address), $"{address} of {Printable.Line(text, 40)}");
            }

            var page = await Host.GetPageAsync($"runs/{runId}");
            Assert.That(page.QuerySelector(".error-box .text")!.TextContent, Does.StartWith(Printable.Escape(Printable.Cut(text, 4_000))));
            var session = await Host.GetPageAsync($"sessions/{sessionId}");
            Assert.That(session.QuerySelectorAll(".text")[^1].TextContent, Does.StartWith(Printable.Escape(Printable.Cut(text, 4_000))));
            using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/runs/{runId}"));
            Assert.That(twin.RootElement.GetProperty("run").GetProperty("goal").GetString(), Is.EqualTo(text));
            var payload = twin.RootElement.GetProperty("events").GetProperty("items")[0].GetProperty("payload");
            Assert.That(payload.GetProperty("list")[0].GetString(), Is.EqualTo(text));
        }
    }

    [Test]
    public async Task Text_of_the_address_is_text_on_each_page()
    {
        var (runId, _) = await InsertRunWithAsync("org.example.app", "{}");
        foreach (var text in Texts.Where(text => text.Length < 1_000))
        {
            var value = Uri.EscapeDataString(text);
            foreach (var address in new[]
            {
                $"runs?app={value}&size=7", $"sessions?policy={value}", $"runs/{runId}?type={value}", $"compare?run={runId}&run={runId}&key={value}",
            })
            {
                AssertHarmless(await Host.GetPageAsync(address), address);
            }

            foreach (var address in new[]
            {
                $"runs?status={value}", $"runs?from={value}", $"runs/{runId}?at={value}", $"runs?cursor={value}", $"runs?{value}=1",
            })
            {
                using var response = await Host.Client.GetAsync(new Uri(address, UriKind.Relative));
                Assert.That((int)response.StatusCode, Is.EqualTo(200).Or.EqualTo(400), address);
            }
        }
    }

    [Test]
    public async Task Numbers_and_depth_of_JSON_are_as_they_are_stored()
    {
        foreach (var json in MalformedJson.Accepted)
        {
            var (runId, eventId) = await InsertRunWithAsync("org.example.app", json);
            await using var command = DataSource.CreateCommand($"select payload::text from crawl_events where id = {eventId}");
            var stored = (string)(await command.ExecuteScalarAsync())!;

            AssertHarmless(await Host.GetPageAsync($"runs/{runId}"), json[..Math.Min(json.Length, 40)]);
            var payload = (await Host.GetPageAsync($"runs/{runId}/events/{eventId}")).QuerySelector(".payload")!.TextContent;
            var twin = await Host.GetTextAsync($"api/v1/runs/{runId}/events/{eventId}");

            Assert.That(twin, Does.Contain($"\"payload\":{stored},"));
            Assert.That(
                stored.Length < 64_000 ? Tokens(payload) : [payload],
                Is.EqualTo(stored.Length < 64_000 ? Tokens(stored) : [stored[..100_000]]),
                stored[..Math.Min(stored.Length, 40)]);
        }
    }

    private static void AssertHarmless(IHtmlDocument page, string description)
    {
        foreach (var element in page.All)
        {
            Assert.That(Elements, Does.Contain(element.LocalName), description);
            foreach (var attribute in element.Attributes)
            {
                Assert.That(Attributes, Does.Contain(attribute.Name), description);
                if (attribute.Name is "href" or "src" or "action")
                {
                    Assert.That(attribute.Value, Does.Match(Address).Or.Empty, description);
                }
            }
        }

        Assert.That(page.Scripts.Select(script => script.GetAttribute("src")), Has.One.Matches(@"^(\.\./)*assets/dashboard\.\w+\.js$"), description);
        Assert.That(page.Scripts.Select(script => script.GetAttribute("src")), Has.All.Matches(@"^(\.\./)*assets/(dashboard|events)\.\w+\.js$"), description);
        Assert.That(page.Scripts.Select(script => script.TextContent), Has.All.Empty);
    }

    // Numbers as they are written, and the values of strings.
    private static List<string> Tokens(string json)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json), new JsonReaderOptions { MaxDepth = 2_000 });
        var tokens = new List<string>();
        while (reader.Read())
        {
            tokens.Add(reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName
                ? $"{reader.TokenType} {reader.GetString()}"
                : $"{reader.TokenType} {Encoding.UTF8.GetString(reader.ValueSpan)}");
        }

        return tokens;
    }
}
