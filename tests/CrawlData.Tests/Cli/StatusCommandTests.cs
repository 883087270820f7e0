namespace CrawlData.Tests.Cli;

public sealed class StatusCommandTests : ToolTest
{
    [Test]
    public async Task It_writes_one_JSON_object()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, EventsOf(3));

        var result = await RunAsync("status");

        AssertDone(result);
        var status = result.Rows.Single().ToElement();
        Assert.That(status.GetProperty("scripts").EnumerateArray().Last().GetProperty("applied_at").GetString(), Does.EndWith("Z"));
        Assert.That(status.GetProperty("tables").EnumerateArray().Select(table => table.GetProperty("table").GetString()), Does.Contain("crawl_events"));
        Assert.That(status.GetProperty("runs").GetProperty("PENDING").GetInt64(), Is.EqualTo(1));
        Assert.That(status.GetProperty("oldest_runs").GetProperty("PENDING").GetProperty("id").GetGuid(), Is.EqualTo(crawl));
        Assert.That(status.GetProperty("oldest_runs").GetProperty("PENDING").GetProperty("age_seconds").GetDouble(), Is.GreaterThan(0).And.LessThan(600));
        Assert.That(status.GetProperty("expired_artifacts").GetProperty("count").GetInt64(), Is.Zero);
        Assert.That(status.GetProperty("newest_event_id").GetInt64(), Is.EqualTo(3));
    }
}
