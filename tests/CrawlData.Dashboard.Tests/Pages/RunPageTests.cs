using System.Net;
using System.Text.Json;
using AngleSharp.Dom;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Tests.Pages;

public sealed class RunPageTests : DashboardTest
{
    private static readonly DateTimeOffset Start = new(2026, 11, 27, 8, 0, 0, TimeSpan.Zero);

    private Guid runId;
    private long[] ids = null!;

    [OneTimeSetUp]
    public async Task InsertAsync()
    {
        runId = (await InsertRunAsync(CrawlStatus.Running, "org.example.app", "Visit every screen")).Id;
        ids = [.. await Events.AppendAsync(runId, Enumerable.Range(0, 10).Select(number => new NewCrawlEvent
        {
            EventType = number % 5 == 0 ? "screen" : "step",
            Payload = Jsonb.From(new { number }),
            CreatedAt = Start.AddMinutes(number),
        }))];
    }

    [TestCase("", new[] { 9, 8, 7, 6 })]
    [TestCase("order=oldest", new[] { 0, 1, 2, 3 })]
    [TestCase("type=screen", new[] { 5, 0 })]
    [TestCase("order=oldest&type=screen", new[] { 0, 5 })]
    [TestCase("type=scre", new int[0])]
    [TestCase("at=2026-11-27T08:03", new[] { 3, 2, 1, 0 })]
    [TestCase("at=2026-11-27T09:03:00%2B01:00&order=oldest", new[] { 3, 4, 5, 6 })]
    [TestCase("at=2026-11-27T08:02:30&order=oldest", new[] { 3, 4, 5, 6 })]
    [TestCase("at=2030-01-01&order=oldest", new int[0])]
    [TestCase("at=2030-01-01", new[] { 9, 8, 7, 6 })]
    [TestCase("at={5}&order=oldest", new[] { 5, 6, 7, 8 })]
    [TestCase("at={5}", new[] { 5, 4, 3, 2 })]
    [TestCase("before={5}", new[] { 4, 3, 2, 1 })]
    [TestCase("after={5}", new[] { 9, 8, 7, 6 })]
    [TestCase("after={1}", new[] { 5, 4, 3, 2 })]
    [TestCase("before={5}&order=oldest", new[] { 1, 2, 3, 4 })]
    [TestCase("before=-9223372036854775808", new int[0])]
    [TestCase("after=-9223372036854775808", new[] { 3, 2, 1, 0 })]
    [TestCase("before=9223372036854775807&order=oldest", new[] { 6, 7, 8, 9 })]
    [TestCase("at=9223372036854775807", new[] { 9, 8, 7, 6 })]
    [TestCase("at=-9223372036854775808&order=oldest", new[] { 0, 1, 2, 3 })]
    public async Task A_part_of_the_events_is_found_by_the_address(string query, int[] numbers)
    {
        var address = $"runs/{runId}?size=4&{WithIds(query)}";
        var page = await Host.GetPageAsync(address);
        using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/{address}"));

        Assert.That(Numbers(page), Is.EqualTo(numbers));
        Assert.That(
            twin.RootElement.GetProperty("events").GetProperty("items").EnumerateArray()
                .Select(one => one.GetProperty("payload").GetProperty("number").GetInt32()),
            Is.EqualTo(numbers));
        Assert.That(page.QuerySelectorAll(".empty"), Has.Length.EqualTo(numbers.Length == 0 ? 1 : 0));
    }

    [Test]
    public async Task Parts_lead_on_to_the_end_and_back_to_the_beginning([Values("", "&order=oldest", "&type=step")] string query)
    {
        var expected = Enumerable.Range(0, 10).Where(number => query != "&type=step" || number % 5 != 0).ToList();
        if (query != "&order=oldest")
        {
            expected.Reverse();
        }

        var page = await Host.GetPageAsync($"runs/{runId}?size=3{query}");
        var found = new List<int>(Numbers(page));
        while (page.QuerySelector("a[rel=next]") is { } next)
        {
            page = await Host.GetPageAsync($"runs/{runId}{next.GetAttribute("href")}");
            found.AddRange(Numbers(page));
        }

        Assert.That(found, Is.EqualTo(expected));
        var back = new List<int>(Numbers(page));
        while (page.QuerySelector("a[rel=prev]") is { } previous)
        {
            page = await Host.GetPageAsync($"runs/{runId}{previous.GetAttribute("href")}");
            back.InsertRange(0, Numbers(page));
        }

        Assert.That(back, Is.EqualTo(expected));
    }

    [TestCase("order=random", "order must be newest or oldest.")]
    [TestCase("tab=lost", "tab must be one of screens, steps, events, time, stats.")]
    [TestCase("before=x", "before must be the number of an event.")]
    [TestCase("before=1&after=1", "before cannot be combined with after.")]
    [TestCase("at=noon", "at must be the id of an event, or a time such as 2026-11-27T08:30, in UTC or with an offset.")]
    [TestCase("at=9223372036854775808", "at must be the id of an event, or a time such as 2026-11-27T08:30, in UTC or with an offset.")]
    public async Task A_wrong_parameter_is_named(string query, string message)
    {
        var page = await Host.GetPageAsync($"runs/{runId}?{query}", HttpStatusCode.BadRequest);

        Assert.That(page.QuerySelector("main p")!.TextContent, Is.EqualTo(message));
    }

    [Test]
    public async Task The_head_shows_the_run_and_an_event_has_its_own_page()
    {
        var page = await Host.GetPageAsync($"runs/{runId}");
        var facts = page.QuerySelector(".facts")!.TextContent;

        Assert.That(page.QuerySelector("h1")!.TextContent, Does.StartWith("org.example.app running"));
        Assert.That(facts, Does.Contain("Visit every screen").And.Contain($"{runId}").And.Contain("step"));

        var middle = await Host.GetPageAsync($"runs/{runId}/events/{ids[5]}");
        var (older, newer) = (middle.QuerySelector("a[rel=prev]")!.GetAttribute("href"), middle.QuerySelector("a[rel=next]")!.GetAttribute("href"));
        Assert.That((older, newer), Is.EqualTo(($"{ids[4]}", $"{ids[6]}")));
        Assert.That(middle.QuerySelector(".payload")!.TextContent, Is.EqualTo("{\n  \"number\": 5\n}"));
        Assert.That((await Host.GetPageAsync($"runs/{runId}/events/{ids[0]}")).QuerySelector("a[rel=prev]"), Is.Null);
        Assert.That((await Host.GetPageAsync($"runs/{runId}/events/{ids[9]}")).QuerySelector("a[rel=next]"), Is.Null);
    }

    [TestCase(CrawlStatus.Pending, true)]
    [TestCase(CrawlStatus.Running, true)]
    [TestCase(CrawlStatus.Completed, false)]
    [TestCase(CrawlStatus.Failed, false)]
    [TestCase(CrawlStatus.Cancelled, false)]
    public async Task A_page_names_the_stream_of_a_run_that_goes_on_and_the_event_to_begin_after(CrawlStatus status, bool isLive)
    {
        var run = await InsertRunAsync(status);
        var empty = (await Host.GetPageAsync($"runs/{run.Id}")).QuerySelector("[data-events]")!;
        var last = (await Events.AppendAsync(run.Id, [Event(1, "a"), Event(2, "b")]))[^1];
        var list = (await Host.GetPageAsync($"runs/{run.Id}?type=a&order=oldest")).QuerySelector("[data-events]")!;

        // Scripts put rows into the table of an empty list too.
        Assert.That(empty.QuerySelector(".scroll[hidden] tbody"), Is.Not.Null);
        Assert.That(empty.GetAttribute("data-last"), Is.Null);
        Assert.That(list.GetAttribute("data-last"), Is.EqualTo($"{last}"));
        Assert.That((list.GetAttribute("data-type"), list.GetAttribute("data-order")), Is.EqualTo(("a", "oldest")));
        Assert.That(list.GetAttribute("data-stream"), isLive ? Is.EqualTo($"{run.Id}/events/stream") : Is.Null);
    }

    [Test]
    public async Task An_event_of_another_run_is_not_shown_as_this_one_s()
    {
        var other = await InsertRunAsync(CrawlStatus.Running);

        await Host.GetPageAsync($"runs/{other.Id}/events/{ids[0]}", HttpStatusCode.NotFound);
    }

    [Test]
    public async Task Counts_go_on_while_the_run_does()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        Assert.That((await Host.GetPageAsync($"runs/{run.Id}?tab=stats")).QuerySelector(".empty")!.TextContent, Is.EqualTo("This run has no events."));
        await Events.AppendAsync(run.Id, EventsOf(3));
        Assert.That(await CountsAsync(), Is.EqualTo(new[] { ("step", "3") }));
        await Events.AppendAsync(run.Id, [Event(1, "screen"), Event(2)]);
        Assert.That(await CountsAsync(), Is.EqualTo(new[] { ("step", "4"), ("screen", "1") }));

        async Task<IEnumerable<(string, string)>> CountsAsync() => (await Host.GetPageAsync($"runs/{run.Id}?tab=stats")).QuerySelectorAll("tbody tr")
            .Select(row => (row.Children[0].TextContent, row.Children[1].TextContent));
    }

    [Test]
    public async Task A_retry_and_the_run_before_it_lead_to_each_other()
    {
        var run = await InsertRunAsync(CrawlStatus.Failed);
        var retry = (await RunQueue.RetryAsync(run.Id, TimeSpan.Zero, 3)).EnsureApplied();

        var page = await Host.GetPageAsync($"runs/{run.Id}");
        var link = page.QuerySelectorAll(".facts a").Single(one => one.TextContent == "the retry");
        Assert.That(link.GetAttribute("href"), Is.EqualTo($"{retry.RunId}"));
        var later = await Host.GetPageAsync($"runs/{retry.RunId}");
        Assert.That(later.QuerySelectorAll(".facts a").Select(one => one.GetAttribute("href")), Is.EqualTo(new[] { $"{run.Id}" }));
    }

    private string WithIds(string query) =>
        Enumerable.Range(0, 10).Aggregate(query, (text, index) => text.Replace($"{{{index}}}", $"{ids[index]}", StringComparison.Ordinal));

    private static IEnumerable<int> Numbers(IParentNode page) => page.QuerySelectorAll(".events tbody code")
        .Select(code => JsonDocument.Parse(code.TextContent).RootElement.GetProperty("number").GetInt32());
}
