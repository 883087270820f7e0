using System.Text.Json;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Tests.Reads;

/// <summary>A time leads to its event, also by the samples that are kept.</summary>
public sealed class EventPlaceTests : DashboardTest
{
    private static readonly DateTimeOffset Start = new(2026, 11, 27, 8, 0, 0, TimeSpan.Zero);

    private readonly Random random = new(11);

    // The ids are as far from one another as where other runs draw most of them.
    [OneTimeSetUp]
    public async Task SpreadIdsAsync()
    {
        await using var command = DataSource.CreateCommand("alter sequence crawl_events_id_seq increment by 500");
        await command.ExecuteNonQueryAsync();
    }

    [TestCase(1)]
    [TestCase(50)]
    [TestCase(9_000)]
    public async Task A_time_leads_to_the_first_event_at_it_or_later(int count)
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        var events = await AppendAsync(run.Id, Start, count);
        await Host.GetPageAsync($"runs/{run.Id}?tab=time");
        var span = events[^1].Time - Start;
        var times = Enumerable.Range(0, 20).Select(_ => events[random.Next(count)].Time)
            .Concat(Enumerable.Range(0, 20).Select(_ => Start + (random.NextDouble() * span)))
            .Append(Start.AddDays(-1)).Append(events[^1].Time.AddTicks(10))

            // The database has no more than microseconds.
            .Concat(Enumerable.Range(0, 20).Select(_ => events[random.Next(count)].Time.AddTicks(9)));

        await AssertFoundAsync(run.Id, events, [.. times]);
    }

    [Test]
    public async Task Samples_lead_to_events_that_came_after_them_and_not_to_events_that_are_gone()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        var events = await AppendAsync(run.Id, Start, 2_000);
        await Host.GetPageAsync($"runs/{run.Id}?tab=time");
        var added = await AppendAsync(run.Id, events[^1].Time.AddHours(1), 2_000);
        await AssertFoundAsync(run.Id, [.. events, .. added], [added[0].Time, added[1_000].Time, added[1_999].Time]);

        // As when a run is deleted, and imported again.
        await using (var delete = DataSource.CreateCommand($"delete from crawl_events where crawl_id = '{run.Id}'"))
        {
            await delete.ExecuteNonQueryAsync();
        }

        var anew = await AppendAsync(run.Id, Start, 2_000);
        await AssertFoundAsync(run.Id, anew, [Start.AddDays(-1), anew[0].Time, anew[1].Time, anew[700].Time, anew[1_999].Time]);
    }

    // Events come in bursts, with a long pause after a half of them.
    private async Task<List<(long Id, DateTimeOffset Time)>> AppendAsync(Guid runId, DateTimeOffset from, int count)
    {
        var times = new List<DateTimeOffset>();
        for (var time = from; times.Count < count; time = time.AddSeconds(times.Count == count / 2 ? 50_000 : random.Next(60) == 0 ? 30 : 0.02))
        {
            times.Add(time);
        }

        var ids = await Events.AppendAsync(runId, times.Select((time, number) => Event(number) with { CreatedAt = time }));
        return [.. ids.Zip(times)];
    }

    private async Task AssertFoundAsync(Guid runId, List<(long Id, DateTimeOffset Time)> events, IReadOnlyList<DateTimeOffset> times)
    {
        foreach (var time in times)
        {
            using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/runs/{runId}?order=oldest&size=1&at={time.UtcDateTime:O}"));
            var found = twin.RootElement.GetProperty("events").GetProperty("items").EnumerateArray().Select(one => one.GetProperty("id").GetInt64());

            var index = events.FindIndex(one => one.Time >= new DateTimeOffset(time.Ticks - (time.Ticks % 10), TimeSpan.Zero));
            Assert.That(found, Is.EqualTo(index < 0 ? [] : new[] { events[index].Id }), $"{time:O}");
        }
    }
}
