using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

public class CrawlEventRepositoryViewsTests : DatabaseTest
{
    private static readonly DateTimeOffset Start = new(2026, 10, 25, 0, 30, 0, TimeSpan.Zero);

    [Test]
    public async Task The_newest_events_come_first_and_paging_returns_each_once([Values(1, 3, 10, 11)] int pageSize)
    {
        var (crawl, ids) = await TenEventsAsync();
        var pages = new List<Page<CrawlEvent>>();
        do
        {
            pages.Add(await Events.ListNewestAsync(crawl, null, pageSize, pages.LastOrDefault()?.NextCursor));
            await Events.AppendAsync(crawl, Event(99));
        }
        while (pages[^1].NextCursor is not null);

        Assert.That(pages.SelectMany(page => page.Items).Select(one => one.Id), Is.EqualTo(ids.Reverse()));
        Assert.That(pages.SkipLast(1).Select(page => page.Items.Count), Is.All.EqualTo(pageSize));
    }

    [Test]
    public async Task The_events_before_an_event_are_those_up_to_its_id_minus_1()
    {
        var (crawl, ids) = await TenEventsAsync();
        var filter = new CrawlEventFilter { UpToId = ids[5] - 1, EventTypes = ["even"] };

        var first = await Events.ListNewestAsync(crawl, filter, pageSize: 2);
        var second = await Events.ListNewestAsync(crawl, filter, pageSize: 2, first.NextCursor);

        Assert.That(first.Items.Concat(second.Items).Select(one => one.Id), Is.EqualTo([ids[4], ids[2], ids[0]]));
        Assert.That(second.NextCursor, Is.Null);
    }

    [Test]
    public async Task A_cursor_of_the_other_order_or_of_another_crawl_is_refused()
    {
        var (crawl, _) = await TenEventsAsync();
        var oldest = (await Events.ListAsync(crawl, pageSize: 1)).NextCursor;
        var newest = (await Events.ListNewestAsync(crawl, pageSize: 1)).NextCursor;

        await Assert.ThatAsync(() => Events.ListNewestAsync(crawl, cursor: oldest), Throws.InstanceOf<InvalidValueException>());
        await Assert.ThatAsync(() => Events.ListNewestAsync(Guid.NewGuid(), cursor: newest), Throws.InstanceOf<InvalidValueException>());
    }

    [Test]
    [TestCase(-1, 0)]
    [TestCase(0, 0)]
    [TestCase(0.5, 1)]
    [TestCase(1, 1)]
    [TestCase(4, 4)]
    [TestCase(7.5, 8)]
    [TestCase(9, 9)]
    [TestCase(9.1, null)]
    public async Task A_time_leads_to_the_first_event_at_it_or_later(double minutes, int? index)
    {
        var (crawl, ids) = await TenEventsAsync();

        var found = await Events.GetFirstAtAsync(crawl, Start.AddMinutes(minutes).ToOffset(TimeSpan.FromHours(-9)));

        Assert.That(found?.Id, Is.EqualTo(index is { } at ? ids[at] : (long?)null));
    }

    [TestCase(5, 2, 7, 5)]
    [TestCase(7, 2, 7, 7)]
    [TestCase(3, 5, null, 6)]
    [TestCase(5, null, 4, null)]
    [TestCase(0, 4, 4, null)]
    [TestCase(0, 5, 4, null)]
    [TestCase(0, 9, null, null)]
    public async Task A_time_is_searched_in_a_range_of_ids(double minutes, int? after, int? upTo, int? index)
    {
        var (crawl, ids) = await TenEventsAsync();

        var found = await Events.GetFirstAtAsync(crawl, Start.AddMinutes(minutes), after is { } first ? ids[first] : null, upTo is { } last ? ids[last] : null);

        Assert.That(found?.Id, Is.EqualTo(index is { } at ? ids[at] : (long?)null));
    }

    [TestCase(long.MinValue, long.MaxValue, true)]
    [TestCase(long.MaxValue, long.MaxValue, false)]
    [TestCase(long.MinValue, long.MinValue, false)]
    public async Task A_range_of_ids_may_be_as_large_as_any(long after, long upTo, bool isFound)
    {
        var (crawl, ids) = await TenEventsAsync();

        Assert.That((await Events.GetFirstAtAsync(crawl, Start.AddMinutes(5), after, upTo))?.Id, Is.EqualTo(isFound ? ids[5] : (long?)null));
    }

    /// <summary>The callers' clocks may differ. The bisection ends all the same.</summary>
    [Test]
    public async Task Where_times_do_not_rise_the_event_before_is_earlier_all_the_same()
    {
        var crawl = await CreateCrawlAsync();
        var random = new Random(17);
        var times = Enumerable.Range(0, 1_000).Select(number => Start.AddMinutes((number / 50) + random.Next(20) - 10)).ToArray();
        await Events.AppendAsync(crawl, times.Select((time, number) => Event(number) with { CreatedAt = time }));
        var events = await Events.StreamAsync(crawl).ToListAsync();
        for (var minute = -11; minute <= 31; minute++)
        {
            var time = Start.AddMinutes(minute);

            var found = await Events.GetFirstAtAsync(crawl, time);

            var at = found is null ? events.Count : events.FindIndex(one => one.Id == found.Id);
            Assert.That(at == events.Count || events[at].CreatedAt >= time, $"{minute}");
            Assert.That(at == 0 || events[at - 1].CreatedAt < time, $"{minute}");
        }
    }

    [Test]
    public async Task A_crawl_without_events_has_none_at_any_time() =>
        Assert.That(await Events.GetFirstAtAsync(await CreateCrawlAsync(), Start), Is.Null);

    [Test]
    public async Task The_last_event_of_each_crawl_comes_with_its_age()
    {
        var (first, ids) = await TenEventsAsync();
        var second = await CreateCrawlAsync();
        var id = await Events.AppendAsync(second, Event(1, "only"));

        var last = await Events.GetLastOfEachAsync([first, second, second, await CreateCrawlAsync(), Guid.NewGuid()]);

        Assert.That(last.Keys, Is.EquivalentTo([first, second]));
        Assert.That((last[first].Id, last[first].EventType, last[first].CreatedAt), Is.EqualTo((ids[9], "odd", Start.AddMinutes(9))));
        Assert.That((last[second].Id, last[second].CrawlId, last[second].EventType), Is.EqualTo((id, second, "only")));
        Assert.That(last[second].Age, Is.GreaterThanOrEqualTo(TimeSpan.Zero).And.LessThan(TimeSpan.FromMinutes(10)));
    }

    [Test]
    public async Task A_summary_is_continued_without_missing_or_repeating_an_event()
    {
        var (crawl, ids) = await TenEventsAsync();

        var first = await Events.SummarizeAsync(crawl, maxEvents: 3);
        var second = await Events.SummarizeAsync(crawl, first, maxEvents: 7);
        var third = await Events.SummarizeAsync(crawl, second, maxEvents: 7);
        await Events.AppendAsync(crawl, Event(10, "new") with { CreatedAt = Start.AddMinutes(-1) });
        var fourth = await Events.SummarizeAsync(crawl, third);

        Assert.That((first.Count, first.IsComplete, first.LastId), Is.EqualTo((3, false, ids[2])));
        Assert.That((second.Count, second.IsComplete), Is.EqualTo((10, false)));
        Assert.That((third.Count, third.IsComplete, third.LastId), Is.EqualTo((10, true, ids[9])));
        Assert.That((third.FirstCreatedAt, third.LastCreatedAt), Is.EqualTo((Start, Start.AddMinutes(9))));
        Assert.That((fourth.Count, fourth.IsComplete, fourth.FirstCreatedAt), Is.EqualTo((11, true, Start.AddMinutes(-1))));
        Assert.That(fourth.CountByType, Is.EquivalentTo(new Dictionary<string, long> { ["even"] = 5, ["odd"] = 5, ["new"] = 1 }));
    }

    [Test]
    public async Task A_summary_of_another_crawl_is_not_continued()
    {
        var summary = await Events.SummarizeAsync(await CreateCrawlAsync());

        await Assert.ThatAsync(
            () => Events.SummarizeAsync(Guid.NewGuid(), summary), Throws.ArgumentException.With.Property("ParamName").EqualTo("previous"));
    }

    [Test]
    public async Task A_crawl_without_events_has_an_empty_summary()
    {
        var summary = await Events.SummarizeAsync(await CreateCrawlAsync());

        Assert.That((summary.Count, summary.IsComplete, summary.LastId, summary.FirstCreatedAt), Is.EqualTo((0, true, (long?)null, (DateTimeOffset?)null)));
    }

    [Test]
    public async Task Two_crawls_differ_in_the_keys_that_were_added_removed_or_changed()
    {
        var (older, newer) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await Events.AppendAsync(older, [Opened("/a", "A", 1), Opened("/b", "old", 2), Opened("/c", "C", 3), Opened("/gone", "G", 4), Text("note")]);
        var ids = await Events.AppendAsync(
            newer, [Opened("/new", "N", 5), Opened("/c", "first", 6), Opened("/a", "A", 7), Opened("/b", "B", 8), Opened("/c", "C", 3)]);

        var titles = await Events.CompareAsync(older, newer, new CrawlComparisonOptions { Properties = ["title"] }).ToListAsync();
        var all = await Events.CompareAsync(older, newer).ToListAsync();
        var keys = await Events.CompareAsync(older, newer, new CrawlComparisonOptions { Properties = [] }).ToListAsync();

        Assert.That(titles.Select(Show), Is.EqualTo(["changed /b title", "removed /gone ", "added /new "]));
        Assert.That((titles[0].NewerEventId, titles[1].NewerEventId, titles[2].NewerEventId), Is.EqualTo((ids[3], (long?)null, ids[0])));
        Assert.That(all.Select(Show), Is.EqualTo(["changed /a ms", "changed /b ms, title", "removed /gone ", "added /new "]));
        Assert.That(keys.Select(Show), Is.EqualTo(["removed /gone ", "added /new "]));

        static string Show(CrawlDifference difference) =>
            $"{Jsonb.From(difference.Kind).ToElement()} {difference.Key} {string.Join(", ", difference.ChangedProperties)}";

        static NewCrawlEvent Opened(string url, string title, int ms) =>
            new() { EventType = "page.opened", Payload = Jsonb.From(new { url, title, ms }) };

        static NewCrawlEvent Text(string text) => new() { EventType = "note", Payload = Jsonb.From(text) };
    }

    [Test]
    public async Task Events_of_another_type_or_without_the_key_are_not_compared()
    {
        var (older, newer) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await Events.AppendAsync(older, [Event(1, "step"), Event(2, "other"), new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("[1]") }]);
        await Events.AppendAsync(newer, [Event(1, "step"), Event(1, "other"), new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") }]);
        var options = new CrawlComparisonOptions { Key = "number" };

        Assert.That(await Events.CompareAsync(older, newer, options with { EventTypes = ["step"] }).ToListAsync(), Is.Empty);
        Assert.That(
            (await Events.CompareAsync(older, newer, options).ToListAsync()).Select(one => (one.Kind, one.EventType, one.Key)),
            Is.EqualTo([(CrawlDifferenceKind.Added, "other", "1"), (CrawlDifferenceKind.Removed, "other", "2")]));
        Assert.That(await Events.CompareAsync(older, older, options).ToListAsync(), Is.Empty);
    }

    [Test]
    public async Task All_crawls_are_followed_from_the_newest_event()
    {
        var before = await Events.AppendAsync(await CreateCrawlAsync(), Event(1));
        var cursor = await Events.GetNewestCursorAsync();
        var after = await Events.AppendAsync(await CreateCrawlAsync(), Event(2));

        var ids = new List<long>();
        await foreach (var batch in Events.FollowAllAsync(cursor))
        {
            ids.AddRange(batch.Events.Select(one => one.Id));
            if (ids.Contains(after))
            {
                break;
            }
        }

        Assert.That(ids, Does.Not.Contain(before));
    }

    [Test]
    public async Task A_shortened_id_leads_to_its_run_alone()
    {
        string[] texts =
        [
            "c0ffee00-1111-7000-8000-000000000000", "c0ffee00-1111-7000-8000-000000000001", "c0ffee00-2222-7000-8000-000000000000",
            "c0ffee01-0000-7000-8000-000000000000",
        ];
        var ids = texts.Select(Guid.Parse).ToList();
        await Runs.InsertAsync(ids.Select(id => new NewCrawlRun { Id = id, AppPackage = "org.example.app" }));

        var shortened = await Runs.ShortenIdsAsync(ids);

        Assert.That(ids.Select(id => shortened[id]), Is.EqualTo([texts[0], texts[1], "c0ffee00-2", "c0ffee01"]));
        foreach (var id in ids)
        {
            Assert.That(await Runs.FindIdsAsync(shortened[id].ToUpperInvariant()), Is.EqualTo([id]));
        }

        Assert.That(await Runs.FindIdsAsync("c0ffee001"), Is.EqualTo(ids[..2]));
        Assert.That(await Runs.FindIdsAsync("c0ffee0", limit: 10), Is.EqualTo(ids));
        Assert.That(await Runs.FindIdsAsync("c0ffee02"), Is.Empty);
    }

    private async Task<(Guid Crawl, IReadOnlyList<long> Ids)> TenEventsAsync()
    {
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        var events = Enumerable.Range(0, 10).Select(index => Event(index, index % 2 == 0 ? "even" : "odd") with { CreatedAt = Start.AddMinutes(index) });
        var ids = await Events.AppendAsync(events.SelectMany(one => new[] { (crawl, one), (other, one) }).ToList());
        return (crawl, ids.Where((_, index) => index % 2 == 0).ToList());
    }
}
