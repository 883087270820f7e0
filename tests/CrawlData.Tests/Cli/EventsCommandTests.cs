namespace CrawlData.Tests.Cli;

public sealed class EventsCommandTests : ToolTest
{
    private Guid crawlId;
    private IReadOnlyList<long> ids = [];

    [OneTimeSetUp]
    public async Task AppendEventsAsync()
    {
        crawlId = await CreateCrawlAsync();
        ids = await Events.AppendAsync(crawlId, Enumerable.Range(0, 150).Select(number => Event(number, $"{"abc"[number % 3]}")));
    }

    [Test]
    public async Task All_events_come_in_order_with_all_columns()
    {
        var result = await RunAsync("events", $"{crawlId}");

        AssertDone(result);
        Assert.That(result.Column("id"), Is.EqualTo(ids.Select(id => $"{id}")));
        var first = result.Rows[0].ToElement();
        Assert.That(first.EnumerateObject().Select(column => column.Name), Is.EqualTo(["id", "crawl_id", "event_type", "payload", "created_at"]));
        Assert.That(first.GetProperty("payload").GetProperty("number").GetInt32(), Is.Zero);
        Assert.That(first.GetProperty("created_at").GetString(), Does.EndWith("Z"));
    }

    [Test]
    public async Task After_type_and_limit_filter_the_events()
    {
        var result = await RunAsync("events", $"{crawlId}", "--after", $"{ids[1]}", "--type", "a", "--type", "c", "--limit", "3");

        AssertDone(result);
        Assert.That(result.Column("id"), Is.EqualTo([$"{ids[2]}", $"{ids[3]}", $"{ids[5]}"]));
    }

    [Test]
    public async Task A_filter_without_matches_is_no_error()
    {
        var result = await RunAsync("events", $"{crawlId}", "--type", "d");

        AssertDone(result);
        Assert.That(result.Output, Is.Empty);
    }

    [Test]
    public async Task An_unknown_crawl_is_an_error()
    {
        var unknown = Guid.NewGuid();

        AssertFailed(await RunAsync("events", $"{unknown}"), 1, $"crawldata: There is no crawl {unknown}.");
    }
}
