using System.Text.Json;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Crawls;

public class CrawlRunRepositoryTests : DatabaseTest
{
    private static readonly DateTimeOffset Start = new(2026, 3, 29, 1, 30, 0, TimeSpan.Zero);

    [Test]
    public async Task A_run_is_created_with_every_column_given()
    {
        var given = new NewCrawlRun
        {
            Id = Guid.NewGuid(),
            AppPackage = "org.example.app",
            DeviceConfig = Jsonb.Parse("[1, null]"),
            MaxSteps = 1,
            Goal = "none",
            Status = CrawlStatus.Failed,
            CreatedAt = Start,
            StartedAt = Start.AddSeconds(1).ToOffset(TimeSpan.FromHours(5.75)),
            CompletedAt = Start.AddSeconds(2),
            CancelledAt = Start.AddSeconds(3),
            ErrorMessage = "gave up",
        };

        var created = await Runs.InsertAsync(given);

        Assert.That(created, Is.EqualTo(new CrawlRun
        {
            Id = given.Id!.Value,
            AppPackage = "org.example.app",
            DeviceConfig = Jsonb.Parse("[1,null]"),
            MaxSteps = 1,
            Goal = "none",
            Status = CrawlStatus.Failed,
            CreatedAt = Start,
            StartedAt = Start.AddSeconds(1),
            CompletedAt = Start.AddSeconds(2),
            CancelledAt = Start.AddSeconds(3),
            ErrorMessage = "gave up",
        }));
        Assert.That(created.StartedAt!.Value.Offset, Is.EqualTo(TimeSpan.Zero));
        Assert.That(await Runs.GetAsync(created.Id), Is.EqualTo(created));
    }

    [Test]
    public async Task A_run_requires_only_its_app_package()
    {
        var created = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });

        Assert.That(created, Is.EqualTo(new CrawlRun
        {
            Id = created.Id,
            AppPackage = "org.example.app",
            MaxSteps = 100,
            Status = CrawlStatus.Pending,
            CreatedAt = created.CreatedAt,
        }));
    }

    [Test]
    public async Task A_device_config_of_JSON_null_differs_from_a_missing_one()
    {
        var created = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", DeviceConfig = Jsonb.Parse("null") });

        Assert.That(created.DeviceConfig, Is.EqualTo(Jsonb.Parse("null")));
    }

    [Test]
    public async Task A_duplicate_id_is_a_typed_error()
    {
        var id = await CreateCrawlAsync();

        var exception = await Assert.ThrowsAsync<RowAlreadyExistsException>(
            () => Runs.InsertAsync(new NewCrawlRun { Id = id, AppPackage = "org.example.app" }));

        Assert.That(exception!.Ids, Is.EqualTo(new[] { id }));
    }

    [Test]
    public async Task A_batch_of_runs_is_returned_and_listed_in_its_order()
    {
        var app = $"app.{Guid.NewGuid():N}";
        NewCrawlRun[] runs =
        [
            .. Enumerable.Range(1, 50).Select(number => new NewCrawlRun
            {
                Id = Guid.NewGuid(),
                AppPackage = app,
                DeviceConfig = number % 2 == 0 ? Jsonb.From(new { number }) : null,
                MaxSteps = number,
                Goal = number % 3 == 0 ? $"goal {number}" : null,
            }),
        ];

        var inserted = await Runs.InsertAsync(runs);

        Assert.That(
            inserted.Select(run => (run.Id, run.DeviceConfig, run.MaxSteps, run.Goal)),
            Is.EqualTo(runs.Select(run => (run.Id!.Value, run.DeviceConfig, run.MaxSteps, run.Goal))));
        Assert.That(inserted.Select(run => run.CreatedAt), Is.Ordered);
        Assert.That((await Runs.ListAsync(new CrawlRunFilter { AppPackage = app }, order: ListOrder.OldestFirst)).Items, Is.EqualTo(inserted));
        Assert.That(await Runs.InsertAsync(Array.Empty<NewCrawlRun>()), Is.Empty);
    }

    [Test]
    public async Task A_batch_of_runs_is_inserted_whole_or_not_at_all()
    {
        var taken = await CreateCrawlAsync();
        var first = new NewCrawlRun { Id = Guid.NewGuid(), AppPackage = "org.example.app" };

        var exception = await Assert.ThrowsAsync<RowAlreadyExistsException>(() => Runs.InsertAsync([first, first with { Id = taken }]));
        await Assert.ThatAsync(
            () => Runs.InsertAsync([first, null!]), Throws.InstanceOf<InvalidValueException>().With.Message.EqualTo("runs: has null at index 1."));
        await Assert.ThatAsync(() => Runs.InsertAsync((NewCrawlRun)null!), Throws.ArgumentNullException);

        Assert.That((exception!.Table, exception.Ids), Is.EqualTo(("crawl_runs", new[] { first.Id.Value, taken })));
        Assert.That(await Runs.GetAsync(first.Id.Value), Is.Null);
    }

    [NotOnCitus]
    [Test]
    public async Task A_violation_of_the_application_s_own_unique_index_is_the_server_s_error()
    {
        await using var index = DataSource.CreateCommand("create unique index of_ours on crawl_runs (goal) where goal = 'only once'");
        await index.ExecuteNonQueryAsync();
        await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Goal = "only once" });

        await Assert.ThrowsAsync<PostgresException>(() => Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Goal = "only once" }));
    }

    [Test]
    public async Task A_page_size_out_of_range_is_refused([Values(0, 1_001)] int pageSize) =>
        await Assert.ThatAsync(
            () => Runs.ListAsync(pageSize: pageSize), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("pageSize"));

    [Test]
    public void An_invalid_value_is_refused_by_its_property()
    {
        var run = new NewCrawlRun { AppPackage = "org.example.app" };

        Assert.Multiple(() =>
        {
            AssertRefused(() => run with { AppPackage = "" }, "app_package");
            AssertRefused(() => run with { AppPackage = new string('x', 256) }, "app_package");
            AssertRefused(() => run with { MaxSteps = 0 }, "max_steps");
            AssertRefused(() => run with { Goal = "\0" }, "goal");
            AssertRefused(() => run with { ErrorMessage = "\udc00" }, "error_message");
            AssertRefused(() => run with { Status = (CrawlStatus)9 }, "status");
            AssertRefused(() => run with { CreatedAt = default(DateTimeOffset) }, "created_at");
            AssertRefused(() => run with { StartedAt = DateTimeOffset.MaxValue }, "started_at");
        });

        static void AssertRefused(Func<NewCrawlRun> make, string field) =>
            Assert.That(make, Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo(field));
    }

    [Test]
    public async Task An_unknown_run_is_null() => Assert.That(await Runs.GetAsync(Guid.CreateVersion7()), Is.Null);

    [Test]
    public async Task Paging_returns_runs_in_either_order_while_others_are_added([Values] ListOrder order)
    {
        var app = await AppWithRunsAsync(10);
        var filter = new CrawlRunFilter { AppPackage = app };
        var seen = new List<CrawlRun>();

        string? cursor = null;
        do
        {
            var page = await Runs.ListAsync(filter, 3, cursor, order);
            seen.AddRange(page.Items);
            cursor = page.NextCursor;

            // Before the first page.
            await Runs.InsertAsync(new NewCrawlRun { AppPackage = app, CreatedAt = order == ListOrder.NewestFirst ? null : Start.AddDays(-1) });
        }
        while (cursor is not null);

        var oldestFirst = Enumerable.Range(0, 10).Select(index => $"run {index}");
        Assert.That(seen.Select(run => run.Goal), Is.EqualTo(order == ListOrder.NewestFirst ? oldestFirst.Reverse() : oldestFirst));
    }

    [Test]
    public async Task An_undefined_order_is_refused() =>
        await Assert.ThatAsync(
            () => Runs.ListAsync(order: (ListOrder)2), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("order"));

    [Test]
    public async Task Runs_created_at_the_same_time_are_each_listed_once([Values] ListOrder order)
    {
        var app = $"app.{Guid.NewGuid():N}";
        for (var run = 0; run < 7; run++)
        {
            await Runs.InsertAsync(new NewCrawlRun { AppPackage = app, CreatedAt = Start });
        }

        var first = await Runs.ListAsync(new CrawlRunFilter { AppPackage = app }, 4, order: order);
        var second = await Runs.ListAsync(new CrawlRunFilter { AppPackage = app }, 4, first.NextCursor, order);

        Assert.That(first.Items.Concat(second.Items).Select(run => run.Id), Is.Unique.And.Exactly(7).Items);
        Assert.That(second.NextCursor, Is.Null);
    }

    [Test]
    public async Task A_full_last_page_has_no_cursor()
    {
        var app = await AppWithRunsAsync(4);

        Assert.That((await Runs.ListAsync(new CrawlRunFilter { AppPackage = app }, 4)).NextCursor, Is.Null);
    }

    [TestCase("")]
    [TestCase("nonsense")]
    [TestCase("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [TestCase("____________________________________________________________________________________")]
    public async Task Text_that_is_not_a_cursor_is_a_typed_error(string cursor)
    {
        var exception = await Assert.ThrowsAsync<InvalidValueException>(() => Runs.ListAsync(cursor: cursor));

        Assert.That(exception!.Field, Is.EqualTo("cursor"));
    }

    [Test]
    public async Task Runs_are_filtered_by_status_and_creation()
    {
        var app = await AppWithRunsAsync(5);
        var filter = new CrawlRunFilter { AppPackage = app };

        Assert.That(await CountAsync(filter with { Statuses = [CrawlStatus.Running, CrawlStatus.Completed] }), Is.EqualTo(2));
        Assert.That(await CountAsync(filter with { Statuses = [CrawlStatus.Running, CrawlStatus.Running] }), Is.EqualTo(1));
        Assert.That(await CountAsync(filter with { Statuses = [] }), Is.Zero);
        var range = filter with { CreatedFrom = Start.AddMinutes(1), CreatedBefore = Start.AddMinutes(3) };
        Assert.That(await CountAsync(range), Is.EqualTo(2));
        Assert.That((await Runs.ListAsync(range, order: ListOrder.OldestFirst)).Items.Select(run => run.Goal), Is.EqualTo(new[] { "run 1", "run 2" }));
        Assert.That(await CountAsync(filter with { AppPackage = app + "x" }), Is.Zero);

        async Task<int> CountAsync(CrawlRunFilter filter) => (await Runs.ListAsync(filter)).Items.Count;
    }

    /// <summary>Different indexes serve a range with and without an end, in either order.</summary>
    [Test]
    public async Task Runs_of_a_status_are_filtered_by_creation([Values] ListOrder order)
    {
        var app = await AppWithRunsAsync(10);
        var pending = new CrawlRunFilter { AppPackage = app, Statuses = [CrawlStatus.Pending, CrawlStatus.Pending] };

        Assert.That(await GoalsAsync(pending), Is.EqualTo(new[] { "run 0", "run 5" }));
        Assert.That(await GoalsAsync(pending with { CreatedFrom = Start.AddMinutes(5) }), Is.EqualTo(new[] { "run 5" }));
        Assert.That(await GoalsAsync(pending with { CreatedFrom = Start.AddMinutes(5).AddTicks(10) }), Is.Empty);
        Assert.That(await GoalsAsync(pending with { CreatedBefore = Start.AddMinutes(5) }), Is.EqualTo(new[] { "run 0" }));
        Assert.That(await GoalsAsync(pending with { CreatedBefore = Start.AddMinutes(5).AddTicks(10) }), Is.EqualTo(new[] { "run 0", "run 5" }));
        Assert.That(await GoalsAsync(pending with { CreatedFrom = DateTimeOffset.MinValue.AddTicks(10) }), Is.EqualTo(new[] { "run 0", "run 5" }));
        var counts = await Runs.CountByStatusAsync(pending with { CreatedFrom = Start.AddMinutes(5) });
        Assert.That((counts[CrawlStatus.Pending], counts[CrawlStatus.Running]), Is.EqualTo((1, 0)));

        async Task<IEnumerable<string?>> GoalsAsync(CrawlRunFilter filter)
        {
            var goals = (await Runs.ListAsync(filter, order: order)).Items.Select(run => run.Goal);
            return order == ListOrder.OldestFirst ? goals : goals.Reverse();
        }
    }

    [Test]
    public async Task Runs_are_counted_by_status_including_zero_counts()
    {
        var app = await AppWithRunsAsync(7);

        Assert.That(await Runs.CountByStatusAsync(new CrawlRunFilter { AppPackage = app }), Is.EquivalentTo(new Dictionary<CrawlStatus, long>
        {
            [CrawlStatus.Pending] = 2,
            [CrawlStatus.Running] = 2,
            [CrawlStatus.Completed] = 1,
            [CrawlStatus.Failed] = 1,
            [CrawlStatus.Cancelled] = 1,
        }));
        Assert.That(JsonSerializer.Serialize(await Runs.CountByStatusAsync(new CrawlRunFilter { AppPackage = app })), Does.StartWith("{\"PENDING\":2,"));
        Assert.That((await Runs.CountByStatusAsync(new CrawlRunFilter { AppPackage = "nobody" })).Values, Is.All.Zero.And.Exactly(5).Items);
    }

    [Test]
    public async Task Deleting_a_run_deletes_its_events()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, EventsOf(3));

        Assert.That(await Runs.DeleteAsync(crawl), Is.True);
        Assert.That(await Runs.DeleteAsync(crawl), Is.False);
        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    private async Task<string> AppWithRunsAsync(int count)
    {
        var app = $"app.{Guid.NewGuid():N}";
        for (var index = 0; index < count; index++)
        {
            await Runs.InsertAsync(
                new NewCrawlRun { AppPackage = app, Goal = $"run {index}", CreatedAt = Start.AddMinutes(index), Status = (CrawlStatus)(index % 5) });
        }

        return app;
    }
}
