using System.Net;
using System.Text.Json;
using AngleSharp.Dom;
using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Tests.Pages;

public sealed class ListTests : DashboardTest
{
    [OneTimeSetUp]
    public async Task InsertAsync()
    {
        for (var number = 1; number <= 5; number++)
        {
            await InsertRunAsync(number == 3 ? CrawlStatus.Failed : CrawlStatus.Completed, $"org.example.{number}", error: "first line\nsecond line");
            await InsertSessionAsync($"https://example.org/{number}", number == 3 ? AuditSessionStatus.Partial : AuditSessionStatus.Completed, "a reason");
        }
    }

    [TestCase("runs", "org.example.")]
    [TestCase("sessions", "https://example.org/")]
    public async Task Pages_are_the_newest_first_and_lead_on_and_back(string list, string name)
    {
        var page = await Host.GetPageAsync($"{list}?size=2");
        var found = new List<string>(Names(page));
        Assert.That(page.QuerySelectorAll(".pager a").Select(link => link.TextContent), Is.EqualTo(new[] { "Older →" }));
        while (page.QuerySelector("a[rel=next]") is { } next)
        {
            page = await Host.GetPageAsync(list + next.GetAttribute("href"));
            found.AddRange(Names(page));
        }

        Assert.That(found, Is.EqualTo(Enumerable.Range(1, 5).Reverse().Select(number => $"{name}{number}")));
        var first = await Host.GetPageAsync(list + page.QuerySelector(".pager a")!.GetAttribute("href"));
        Assert.That(Names(first), Is.EqualTo(new[] { $"{name}5", $"{name}4" }));
    }

    [TestCase("runs?status=FAILED", "org.example.3")]
    [TestCase("runs?status=failed&app=&from=&before=", "org.example.3")]
    [TestCase("runs?app=org.example.2", "org.example.2")]
    [TestCase("runs?from=2999-01-01T00:00", null)]
    [TestCase("runs?before=2000-01-01T00:00%2B01:00", null)]
    [TestCase("runs?app=org.example", null)]
    [TestCase("sessions?status=partial", "https://example.org/3")]
    [TestCase("sessions?policy=2026.11&mode=standard&status=partial", "https://example.org/3")]
    [TestCase("sessions?policy=2026", null)]
    [TestCase("sessions?confidence=low", null)]
    public async Task A_filter_of_the_address_is_shown_in_the_form_and_applies_to_the_twin(string address, string? name)
    {
        var page = await Host.GetPageAsync(address);
        using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/{address}"));

        Assert.That(Names(page), Is.EqualTo(name is null ? [] : new[] { name }));
        Assert.That(twin.RootElement.GetProperty("items").GetArrayLength(), Is.EqualTo(name is null ? 0 : 1));
        Assert.That(page.QuerySelectorAll(".empty"), Has.Length.EqualTo(name is null ? 1 : 0));
        var parameters = address.Split('?')[1].Split('&').Select(pair => pair.Split('=')).Where(pair => pair[1].Length > 0 && pair[0] is "status" or "app");
        foreach (var parameter in parameters)
        {
            var field = page.QuerySelector($"[name={parameter[0]}]")!;
            var value = field.QuerySelector("option[selected]")?.GetAttribute("value") ?? field.GetAttribute("value");
            Assert.That(value, Is.EqualTo(parameter[1]).IgnoreCase);
        }

        Assert.That(page.QuerySelector(".filters > a")!.GetAttribute("href"), Is.EqualTo("?"));
    }

    [TestCase("runs?status=LOST", "status must be one of PENDING, RUNNING, COMPLETED, FAILED, CANCELLED.")]
    [TestCase("runs?from=yesterday", "from must be a time such as 2026-11-27T08:30, in UTC or with an offset.")]
    [TestCase("runs?from=0001-01-01", "from must be a time such as 2026-11-27T08:30, in UTC or with an offset.")]
    [TestCase("runs?before=9999-12-31T23:59:59.9999999", "before must be a time such as 2026-11-27T08:30, in UTC or with an offset.")]
    [TestCase("runs?cursor=abc", "cursor was not returned by this listing.")]
    [TestCase("runs?app=a%00b", null)]
    [TestCase("sessions?status=RUN", "status must be one of queued, running, completed, failed, partial.")]
    [TestCase("sessions?confidence=high", "confidence must be low.")]
    public async Task A_wrong_parameter_is_named(string address, string? message)
    {
        var page = await Host.GetPageAsync(address, HttpStatusCode.BadRequest);
        using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/{address}", HttpStatusCode.BadRequest));

        Assert.That(page.QuerySelector("h1")!.TextContent, Is.EqualTo("The address has a wrong parameter"));
        Assert.That(page.QuerySelector("main p")!.TextContent, message is null ? Does.StartWith("app_package ") : Is.EqualTo(message));
        Assert.That(twin.RootElement.GetProperty("detail").GetString(), Is.EqualTo(page.QuerySelector("main p")!.TextContent));
    }

    [Test]
    public async Task A_row_shows_the_first_line_of_its_error()
    {
        var page = await Host.GetPageAsync("runs?status=FAILED");

        Assert.That(page.QuerySelector(".error-line")!.TextContent, Is.EqualTo("first line …"));
    }

    private static IEnumerable<string> Names(IParentNode page) => page.QuerySelectorAll("tbody .main > a").Select(link => link.TextContent);
}
