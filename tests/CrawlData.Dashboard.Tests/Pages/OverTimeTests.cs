using System.Text.Json;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Tests.Pages;

/// <summary>The view of a run over time. The tests run one after the other: they share the sequence of the ids.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class OverTimeTests : DashboardTest
{
    private static readonly DateTimeOffset Start = new(2026, 11, 27, 8, 0, 0, TimeSpan.Zero);

    [Test]
    public async Task A_small_run_is_counted_and_each_part_leads_to_its_events()
    {
        var run = await InsertRunAsync(CrawlStatus.Completed);
        var ids = await Events.AppendAsync(run.Id, new[] { 0, 1, 60, 60, 119, 120 }.Select(minute => new NewCrawlEvent
        {
            EventType = minute == 60 ? "page.Failed" : "step",
            Payload = Jsonb.From(new { minute }),
            CreatedAt = Start.AddMinutes(minute),
        }));

        var page = await Host.GetPageAsync($"runs/{run.Id}?tab=time");
        var rows = page.QuerySelectorAll(".strip tbody tr").Select(row => string.Join('|', row.Children.Select(cell => cell.TextContent.Trim()))).ToList();

        Assert.That(rows, Is.EqualTo(new[]
        {
            "2026-11-27 08:00:00|1 event|none", "2026-11-27 08:01:00|1 event|none", "2026-11-27 09:00:00|2 events|100 %", "2026-11-27 09:59:00|2 events|none",
        }));
        Assert.That(page.QuerySelectorAll("svg a"), Has.Length.EqualTo(120));
        Assert.That(page.QuerySelectorAll("svg a[tabindex='-1'] rect.bar"), Has.Length.EqualTo(4));
        Assert.That(page.QuerySelectorAll("svg rect.bad"), Has.Length.EqualTo(1));
        var target = await Host.GetPageAsync($"runs/{run.Id}{page.QuerySelectorAll(".strip tbody a")[2].GetAttribute("href")}");
        Assert.That(target.QuerySelectorAll("[data-events] tbody tr").Select(row => row.Id), Is.EqualTo(ids.Skip(2).Select(id => $"e{id}")));
    }

    [Test]
    public async Task A_large_run_is_estimated_from_samples_and_silence_is_seen()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);

        // 9,000 events in the first hour, none in the second, and 1,000 in the third, a half of which are errors.
        await AppendAsync(run.Id, 9_000, Start, _ => "step");
        await AppendAsync(run.Id, 1_000, Start.AddHours(2), number => number % 2 == 0 ? "error" : "step");

        var (isExact, hours) = await HoursAsync(run.Id, 3);

        Assert.That(isExact, Is.False);
        Assert.That(hours.Select(hour => hour.Share), Is.EqualTo(new[] { 0.9, 0, 0.1 }).Within(0.02));
        Assert.That((hours[0].Errors, hours[2].Errors), Is.EqualTo((0.0, 0.5)).Within(0.2));
    }

    /// <summary>Goes red when the ids that other runs drew count as this run's events.</summary>
    [TestCase(1)]
    [TestCase(25)]
    public async Task Events_of_other_runs_do_not_count(int others)
    {
        var (run, other) = (await InsertRunAsync(CrawlStatus.Running), await InsertRunAsync(CrawlStatus.Running));

        // The other run draws ids in the second hour alone.
        await AppendAsync(run.Id, 2_000, Start, _ => "step");
        for (var batch = 0; batch < 200; batch++)
        {
            var time = Start.AddHours(1) + (batch * TimeSpan.FromHours(1) / 200);
            await Events.AppendAsync(
                [
                    .. Enumerable.Range(0, 10).SelectMany(number => Enumerable.Repeat((other.Id, Event(number)), others)
                        .Append((run.Id, Event(number) with { CreatedAt = time.AddSeconds(number) }))),
                ]);
        }

        var (_, hours) = await HoursAsync(run.Id, 2);

        Assert.That(hours.Select(hour => hour.Share), Is.EqualTo(new[] { 0.5, 0.5 }).Within(0.15));
    }

    [Test]
    public async Task The_application_says_which_types_are_errors()
    {
        await using var host = await DashboardHost.StartAsync(DataSource, options => options.IsErrorType = type => type == "step");
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, [Event(1), Event(2, "failed")]);

        var page = await host.GetPageAsync($"runs/{run.Id}?tab=time");

        Assert.That(page.QuerySelector(".strip tbody tr")!.TextContent, Does.Contain("2 events").And.Contain("50 %"));
        Assert.That(() => new CrawlDataDashboardOptions().IsErrorType = null!, Throws.ArgumentNullException);
    }

    [Test]
    public async Task A_run_without_events_says_so_and_a_time_that_cannot_be_shown_is_passed_over()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        Assert.That((await Host.GetPageAsync($"runs/{run.Id}?tab=time")).QuerySelector(".empty")!.TextContent, Is.EqualTo("This run has no events."));
        await using (var insert = DataSource.CreateCommand(
            $$"""
            insert into crawl_events (crawl_id, event_type, payload, created_at)
            values ('{{run.Id}}', 'a', '{}', 'infinity'), ('{{run.Id}}', 'a', '{}', '-infinity'), ('{{run.Id}}', 'a', '{}', '0300-01-01 BC'),
                   ('{{run.Id}}', 'a', '{}', '2026-11-27 08:00'), ('{{run.Id}}', 'a', '{}', '294000-01-01')
            """))
        {
            await insert.ExecuteNonQueryAsync();
        }

        var page = await Host.GetPageAsync($"runs/{run.Id}?tab=time");

        Assert.That(page.QuerySelectorAll(".strip tbody tr").Single().TextContent, Does.Contain("2026-11-27 08:00:00").And.Contain("1 event"));
    }

    private async Task AppendAsync(Guid runId, int count, DateTimeOffset from, Func<int, string> type) =>
        await Events.AppendAsync(
            runId,
            Enumerable.Range(0, count).Select(number => Event(number, type(number)) with { CreatedAt = from + (number * TimeSpan.FromHours(1) / count) }));

    /// <summary>Sums up the parts by hours.</summary>
    private async Task<(bool IsExact, List<(double Share, double Errors)> Hours)> HoursAsync(Guid runId, int hours)
    {
        using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/runs/{runId}?tab=time"));
        var strip = twin.RootElement.GetProperty("over_time");
        var parts = strip.GetProperty("parts").EnumerateArray().Select(part => (
            Hour: Math.Min(hours - 1, (int)(part.GetProperty("from").GetDateTimeOffset().AddSeconds(1) - Start).TotalHours),
            Share: part.GetProperty("share").GetDouble(),
            Errors: part.GetProperty("error_share").GetDouble())).ToList();
        return (strip.GetProperty("is_exact").GetBoolean(), [
            .. Enumerable.Range(0, hours).Select(hour => parts.Where(part => part.Hour == hour).ToList()).Select(
                own => (own.Sum(part => part.Share), own.Sum(part => part.Share * part.Errors) / Math.Max(1e-9, own.Sum(part => part.Share)))),
        ]);
    }
}
