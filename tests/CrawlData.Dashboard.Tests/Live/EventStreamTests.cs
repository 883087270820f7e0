using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using CrawlData.Crawls;
using CrawlData.Dashboard.Live;
using CrawlData.Dashboard.Tests.Actions;
using CrawlData.Tests;
using CrawlData.Tests.Crawls;
using CrawlData.Tests.Faults;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Live;

/// <summary>A run's stream of events, read from Kestrel as a browser reads it.</summary>
public sealed class EventStreamTests : DashboardTest
{
    private static readonly TimeSpan Longest = Wait.Longest;

    [Test]
    public async Task Events_come_in_their_order_each_once_until_the_end_of_the_run()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        var ids = new List<long>(await Events.AppendAsync(run.Id, EventsOf(30)));
        await using var viewer = await StreamViewer.ConnectAsync(Host, run.Id);
        await viewer.UntilAsync(30);
        for (var batch = 0; batch < 5; batch++)
        {
            ids.AddRange(await Events.AppendAsync(run.Id, EventsOf(batch + 1)));
            await viewer.UntilAsync(ids.Count);
        }

        await Runs.CompleteAsync(run.Id);

        Assert.That(await viewer.UntilEndedAsync());
        Assert.That(viewer.Ids.ToList(), Is.EqualTo(ids));
        var messages = viewer.Messages.ToList();
        Assert.That(messages[0], Is.EqualTo(new StreamMessage("retry", null, "1000")));
        Assert.That(messages[^1], Is.EqualTo(new StreamMessage("end", null, """{"reason":"ended"}""")));
        Assert.That(viewer.LastId, Is.EqualTo($"{ids[^1]}"));
    }

    [Test]
    public async Task A_viewer_that_comes_again_goes_on_after_its_last_event([Values] bool byHeader)
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        var ids = new List<long>(await Events.AppendAsync(run.Id, EventsOf(3)));
        var seen = new List<long>();
        string? last = null;
        for (var visit = 0; visit < 4; visit++)
        {
            // A browser sends both: its address has the cursor of the page.
            await using var viewer = await StreamViewer.ConnectAsync(
                Host, run.Id, byHeader ? ids[0] - 1 : last is null ? null : long.Parse(last, null), byHeader ? last : null);
            ids.AddRange(await Events.AppendAsync(run.Id, EventsOf(3)));
            await viewer.UntilAsync(ids.Count - seen.Count);
            seen.AddRange(viewer.Ids.ToList());
            last = viewer.LastId;
            ids.AddRange(await Events.AppendAsync(run.Id, EventsOf(2)));
        }

        await Runs.CompleteAsync(run.Id);
        await using var final = await StreamViewer.ConnectAsync(Host, run.Id, lastEventId: last);
        await final.UntilEndedAsync();

        Assert.That(seen.Concat(final.Ids.ToList()), Is.EqualTo(ids));
    }

    [Test]
    public async Task A_frame_has_500_events_or_64_KiB_at_most_and_numbers_as_they_are_stored()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        await using var viewer = await StreamViewer.ConnectAsync(Host, run.Id);
        var large = Jsonb.From(new { text = new string('x', 3_000) });
        await Events.AppendAsync(run.Id, EventsOf(1_200));
        await Events.AppendAsync(run.Id, Enumerable.Range(0, 60).Select(_ => new NewCrawlEvent { EventType = "large", Payload = large }));

        // Each character takes seven bytes in JSON.
        var widest = Jsonb.From(new { text = new string('\u202e', 100_000) });
        await Events.AppendAsync(run.Id, [Event(1) with { Payload = widest }, Event(1) with { Payload = widest }, Event(1) with { Payload = widest }]);
        await Events.AppendAsync(
            run.Id, new NewCrawlEvent { EventType = "two\nlines\u2028", Payload = Jsonb.Parse("""{"n": 12345678901234567890.10, "t": "\r\n\ndata: 1"}""") });
        await viewer.UntilAsync(1_264);

        var frames = viewer.Messages.ToList().Where(message => message.Event is null && message.Data is not null).Select(message => message.Data!).ToList();
        Assert.That(frames.Select(Encoding.UTF8.GetByteCount), Has.All.LessThanOrEqualTo(64 * 1024));
        var counts = frames.Select(frame => JsonDocument.Parse(frame).RootElement.GetArrayLength()).ToList();
        Assert.That(counts, Has.All.InRange(1, 500));
        Assert.That(counts.Sum(), Is.EqualTo(1_264));
        var last = JsonDocument.Parse(frames[^1]).RootElement.EnumerateArray().Last();
        Assert.That(last.GetProperty("line").GetString(), Is.EqualTo("""{"n": 12345678901234567890.10, "t": "\r\n\ndata: 1"}"""));
        Assert.That(last.GetProperty("event_type").GetString(), Is.EqualTo("two\nlines\u2028"));
        Assert.That(last.GetProperty("label").GetString(), Is.EqualTo("two …"));
        Assert.That(last.TryGetProperty("text", out _), Is.False);
    }

    [Test]
    public async Task A_silent_stream_has_a_comment_each_15_seconds_and_ends_after_30_minutes_so_that_the_viewer_comes_again()
    {
        var time = new DrivenTime();
        await using var host = await DashboardHost.StartAsync(DataSource, services: services => services.AddSingleton<TimeProvider>(time));
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, Event(1));
        await using var viewer = await StreamViewer.ConnectAsync(host, run.Id);
        await viewer.UntilAsync(1);
        var steps = 0;
        for (var count = 1; count <= 3; count++)
        {
            steps += await AdvanceUntilAsync(time, LiveStream.Heartbeat, viewer.Comments.UntilCountAsync(count));
        }

        Assert.That(viewer.Comments.Count, Is.LessThanOrEqualTo(steps));
        await AdvanceUntilAsync(time, LiveStream.Longest, viewer.Ended);

        Assert.That(await viewer.Ended);
        Assert.That(viewer.Messages.ToList().Select(message => message.Event), Has.None.EqualTo("end"));
    }

    /// <summary>The server's writes wait for the viewer, as they do when a connection is slow.</summary>
    [Test]
    public async Task A_slow_viewer_gets_a_gap_and_no_queue_and_misses_nothing_that_it_is_not_told()
    {
        using var open = new ManualResetEventSlim(true);
        await using var host = await DashboardHost.StartAsync(DataSource, map: application =>
        {
            application.Use((context, next) =>
            {
                if (context.Request.Query.ContainsKey("slow"))
                {
                    context.Response.Body = new SlowStream(context.Response.Body, open);
                }

                return next(context);
            });
            application.MapCrawlDataDashboard("/crawls");
        });
        var run = await InsertRunAsync(CrawlStatus.Running);
        var ids = new List<long>(await Events.AppendAsync(run.Id, EventsOf(1)));
        await using var fast = await StreamViewer.ConnectAsync(host, run.Id);
        using var response = await host.Client.GetAsync(
            new Uri($"runs/{run.Id}/events/stream?slow=1", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        using var slow = new StreamReader(await response.Content.ReadAsStreamAsync());
        while (await slow.ReadLineAsync().WaitAsync(Longest) is var first && first?.StartsWith("data: ", StringComparison.Ordinal) != true)
        {
        }

        // Four times what the ring holds.
        open.Reset();
        var large = new NewCrawlEvent { EventType = "large", Payload = Jsonb.From(new { text = new string('x', 4_000) }) };
        for (var batch = 0; batch < 10; batch++)
        {
            ids.AddRange(await Events.AppendAsync(run.Id, Enumerable.Repeat(large, 100)));
            await fast.UntilAsync(ids.Count);
        }

        open.Set();
        await Runs.CompleteAsync(run.Id);
        var lines = new List<string>();
        while (await slow.ReadLineAsync().WaitAsync(Longest) is { } line)
        {
            lines.Add(line);
        }

        var (told, after) = (new List<long>(), ids[0]);
        foreach (var data in lines.Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => JsonDocument.Parse(line[6..]).RootElement))
        {
            if (data.ValueKind == JsonValueKind.Array)
            {
                told.AddRange(data.EnumerateArray().Select(one => long.Parse(one.GetProperty("id").GetString()!, null)));
            }
            else if (data.TryGetProperty("up_to", out var upTo))
            {
                Assert.That(data.GetProperty("after").GetString(), Is.EqualTo($"{(told.Count > 0 ? told[^1] : after)}"));
                told.AddRange(ids.Where(id => id > (told.Count > 0 ? told[^1] : after) && id <= long.Parse(upTo.GetString()!, null)));
            }
        }

        Assert.That(lines, Has.Some.EqualTo("event: gap").And.Some.EqualTo("event: end"));
        Assert.That(told, Is.EqualTo(ids.Skip(1)));
        Assert.That(fast.Messages.ToList().Select(message => message.Event), Has.None.EqualTo("gap"));
        Assert.That(lines.Sum(line => line.Length), Is.LessThan(1_500_000), "no more than the ring was kept");
    }

    [Test]
    public async Task A_viewer_whose_events_are_long_past_is_told_to_fetch_them()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        var ids = await Events.AppendAsync(run.Id, EventsOf(1_000));
        foreach (var (after, expected) in new[] { ((long?)null, "null"), (ids[10], $"\"{ids[10]}\"") })
        {
            await using var viewer = await StreamViewer.ConnectAsync(Host, run.Id, after);
            await viewer.Messages.UntilCountAsync(2);

            Assert.That(
                viewer.Messages.ToList()[1], Is.EqualTo(new StreamMessage("gap", $"{ids[^1]}", $$"""{"after":{{expected}},"up_to":"{{ids[^1]}}"}""")));
        }

        await using var recent = await StreamViewer.ConnectAsync(Host, run.Id, ids[900]);
        await recent.UntilAsync(99);
        Assert.That(recent.Ids.ToList(), Is.EqualTo(ids.Skip(901)));
    }

    /// <summary>The clock stands still but for the steps of the test, so the number of statements does not depend on the machine.</summary>
    [Test]
    public async Task Fifty_viewers_cost_the_statements_of_one()
    {
        var one = await CostOfAsync(1);
        var fifty = await CostOfAsync(50);

        TestContext.Out.WriteLine($"1 viewer: {one}; 50 viewers: {fifty}");
        Assert.That(fifty.Connecting, Is.EqualTo(one.Connecting));
        foreach (var (_, following, polls) in new[] { one, fifty })
        {
            Assert.That(following, Is.GreaterThanOrEqualTo(5).And.LessThanOrEqualTo(polls));
        }
    }

    [Test]
    public async Task A_viewer_holds_no_connection_and_the_last_one_that_leaves_stops_the_follower()
    {
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1, ApplicationName = "viewed" });
        await using var host = await DashboardHost.StartAsync(dataSource, options => options.MaxConnections = 1);
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, Event(1));
        var viewers = new List<StreamViewer>();
        for (var count = 0; count < 8; count++)
        {
            viewers.Add(await StreamViewer.ConnectAsync(host, run.Id));
            await viewers[^1].UntilAsync(1);
            await host.GetPageAsync($"runs/{run.Id}");
        }

        Assert.That(await QueriesAsync("select count(*) from pg_stat_activity where application_name = 'viewed'"), Is.EqualTo(1));
        foreach (var viewer in viewers)
        {
            await viewer.DisposeAsync();
        }

        // A follower polls each 250 ms at least. Without one, the session's last statement stays the last.
        await Wait.UntilAsync(
            DataSource,
            "select state_change < clock_timestamp() - interval '2 seconds' from pg_stat_activity where application_name = 'viewed'",
            Longest);
    }

    [Test]
    public async Task A_database_that_restarts_is_waited_for_and_nothing_is_missed()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString, settings => settings.MaxPoolSize = 4);
        await using var host = await DashboardHost.StartAsync(dataSource, services: services =>
        {
            // The core gives up at once, so the stream itself goes on.
            services.Configure<CrawlDataOptions>(options => options.Retry.Limit = TimeSpan.Zero);
        });
        var run = await InsertRunAsync(CrawlStatus.Running);
        var ids = new List<long>(await Events.AppendAsync(run.Id, EventsOf(3)));
        await using var viewer = await StreamViewer.ConnectAsync(host, run.Id);
        await viewer.UntilAsync(3);

        // Each session is cut, and new ones are refused.
        proxy.Down = true;
        var cut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        proxy.OnSent = (_, _) =>
        {
            cut.TrySetResult();
            return Fault.CutBefore;
        };
        await cut.Task.WaitAsync(Longest);
        ids.AddRange(await Events.AppendAsync(run.Id, EventsOf(700)));
        proxy.OnSent = (_, _) => Fault.None;
        proxy.Down = false;
        await viewer.UntilAsync(ids.Count);
        ids.AddRange(await Events.AppendAsync(run.Id, EventsOf(2)));
        await Runs.CompleteAsync(run.Id);

        Assert.That(await viewer.UntilEndedAsync());
        Assert.That(viewer.Ids.ToList(), Is.EqualTo(ids));
    }

    [Test]
    public async Task A_run_that_is_deleted_ends_the_stream_and_an_unknown_one_has_none()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, Event(1));
        await using var viewer = await StreamViewer.ConnectAsync(Host, run.Id);
        await viewer.UntilAsync(1);

        await Runs.DeleteAsync(run.Id);

        Assert.That(await viewer.UntilEndedAsync());
        Assert.That(viewer.Messages.ToList()[^1], Is.EqualTo(new StreamMessage("end", null, """{"reason":"deleted"}""")));
        Assert.That(await Host.GetTextAsync($"runs/{run.Id}/events/stream", HttpStatusCode.NotFound), Does.StartWith("""{"status":404,"""));
    }

    [Test]
    public async Task A_run_that_has_ended_gives_its_last_events_and_the_end()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        var ids = await Events.AppendAsync(run.Id, EventsOf(5));
        await Runs.CompleteAsync(run.Id);

        await using var viewer = await StreamViewer.ConnectAsync(Host, run.Id, after: ids[2]);

        Assert.That(await viewer.UntilEndedAsync());
        Assert.That(viewer.Ids.ToList(), Is.EqualTo(ids.Skip(3)));
    }

    [Test]
    public async Task A_run_that_waits_again_is_still_followed()
    {
        var run = await InsertRunAsync(CrawlStatus.Pending);
        await using var viewer = await StreamViewer.ConnectAsync(Host, run.Id);
        await Runs.StartAsync(run.Id);
        await Events.AppendAsync(run.Id, Event(1));
        await viewer.UntilAsync(1);
        await using (var release = DataSource.CreateCommand($"update crawl_runs set status = 'PENDING', started_at = null where id = '{run.Id}'"))
        {
            await release.ExecuteNonQueryAsync();
        }

        await Events.AppendAsync(run.Id, Event(2));
        await viewer.UntilAsync(2);

        Assert.That(viewer.Ended.IsCompleted, Is.False);
    }

    [Test]
    public async Task A_host_that_stops_ends_its_streams_without_the_end_of_the_run()
    {
        await using var host = await DashboardHost.StartAsync(DataSource);
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, Event(1));
        await using var viewer = await StreamViewer.ConnectAsync(host, run.Id);
        await viewer.UntilAsync(1);

        await host.StopAsync().WaitAsync(Longest);

        Assert.That(await viewer.UntilEndedAsync());
        Assert.That(viewer.Messages.ToList().Select(message => message.Event), Has.None.EqualTo("end"));
    }

    [Test]
    public async Task A_cursor_that_is_no_number_is_refused([Values] bool isHeader)
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"runs/{run.Id}/events/stream?after={(isHeader ? "1" : "x")}");
        if (isHeader)
        {
            request.Headers.Add("Last-Event-ID", "x");
        }

        using var response = await Host.Client.SendAsync(request);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(
            await response.Content.ReadAsStringAsync(),
            Does.Contain(isHeader ? "Last-Event-ID must be the number of an event or a line." : "after must be"));
    }

    [Test]
    public async Task Its_headers_keep_proxies_from_holding_it_back_and_HEAD_ends_at_once()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        using var request = new HttpRequestMessage(HttpMethod.Head, $"runs/{run.Id}/events/stream");
        using var head = await Host.Client.SendAsync(request).WaitAsync(Longest);
        await using var viewer = await StreamViewer.ConnectAsync(Host, run.Id);
        foreach (var response in new[] { head, viewer.Response })
        {
            Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/event-stream"));
            Assert.That(response.Headers.CacheControl, Has.Property("NoStore").True.And.Property("NoTransform").True);
            Assert.That(response.Headers.GetValues("X-Accel-Buffering"), Is.EqualTo(new[] { "no" }));
            Assert.That(response.Headers.GetValues("X-Content-Type-Options"), Is.EqualTo(new[] { "nosniff" }));
        }
    }

    [Test]
    public async Task The_application_redacts_what_a_stream_shows()
    {
        var redacted = 0;
        await using var host = await DashboardHost.StartAsync(DataSource, options => options.Redact = (column, _) =>
        {
            Interlocked.Increment(ref redacted);
            return Jsonb.From(new { redacted = column });
        });
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, new NewCrawlEvent { EventType = "login", Payload = Jsonb.From(new { token = "secret-of-a-customer" }) });
        await using var viewer = await StreamViewer.ConnectAsync(host, run.Id);
        await using var other = await StreamViewer.ConnectAsync(host, run.Id);
        await viewer.UntilAsync(1);
        await other.UntilAsync(1);
        await Events.AppendAsync(run.Id, new NewCrawlEvent { EventType = "login", Payload = Jsonb.From(new { token = "secret-of-a-customer" }) });
        await viewer.UntilAsync(2);
        await other.UntilAsync(2);

        var text = string.Concat(viewer.Messages.ToList().Concat(other.Messages.ToList()).Select(message => message.Data));
        Assert.That(text, Does.Not.Contain("secret").And.Contain("crawl_events.payload"));
        Assert.That(redacted, Is.EqualTo(2), "once for all viewers");
    }

    [Test]
    public async Task A_redaction_that_fails_ends_the_stream_and_shows_nothing()
    {
        var isBroken = false;
        using var log = new ActionLog();
        await using var host = await DashboardHost.StartAsync(
            DataSource,
            options => options.Redact = (_, value) => Volatile.Read(ref isBroken) ? throw new InvalidOperationException("it is broken") : value,
            services: services => services.AddSingleton<ILoggerProvider>(log));
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, Event(1));
        await using var viewer = await StreamViewer.ConnectAsync(host, run.Id);
        await viewer.UntilAsync(1);

        Volatile.Write(ref isBroken, true);
        await Events.AppendAsync(run.Id, Event(2));

        Assert.That(await viewer.UntilEndedAsync(), "The connection is not cut: a browser would complain of it in its console.");
        Assert.That(viewer.Messages.ToList()[^1], Is.EqualTo(new StreamMessage("end", null, """{"reason":"failed"}""")));
        Assert.That(viewer.Ids.Count, Is.EqualTo(1));
        Assert.That(log.Messages, Has.Exactly(1).EqualTo($"The dashboard cannot follow run {run.Id}."));
        await host.GetTextAsync($"runs/{run.Id}/events/stream", HttpStatusCode.InternalServerError);

        // The next viewer begins anew.
        Volatile.Write(ref isBroken, false);
        await using var later = await StreamViewer.ConnectAsync(host, run.Id);
        await later.UntilAsync(2);
    }

    [Test]
    public async Task A_role_that_may_only_select_is_enough_and_one_that_may_not_gets_the_reason()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, Event(1));
        var role = $"crawldata_test_{Guid.NewGuid():N}";
        await ExecuteAsync($"create role {role} login password 'of a test'");
        var connection = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = role, Password = "of a test" };
        await using (var dataSource = NpgsqlDataSource.Create(connection.ConnectionString))
        {
            await using var host = await DashboardHost.StartAsync(dataSource);
            var refused = await host.GetTextAsync($"runs/{run.Id}/events/stream", HttpStatusCode.ServiceUnavailable);
            Assert.That(refused, Does.Contain("permission denied for table crawl_runs"));
            await ExecuteAsync($"grant select on all tables in schema public to {role}");
            await using var viewer = await StreamViewer.ConnectAsync(host, run.Id);
            await viewer.UntilAsync(1);
            await Events.AppendAsync(run.Id, Event(2));
            await viewer.UntilAsync(2);
        }

        await ExecuteAsync($"drop owned by {role}; drop role {role}");
    }

    [Test]
    public async Task Where_appends_notify_the_follower_listens([Values] bool notify)
    {
        var name = $"listens {notify}";
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { ApplicationName = name });
        await using var host = await DashboardHost.StartAsync(
            dataSource, services: services => services.Configure<CrawlDataOptions>(options => options.Notify = notify));
        var run = await InsertRunAsync(CrawlStatus.Running);
        await using var viewer = await StreamViewer.ConnectAsync(host, run.Id);
        await Events.AppendAsync(run.Id, Event(1));
        await viewer.UntilAsync(1);

        var listening = $"select exists (select from pg_stat_activity where query ilike 'listen%' and application_name = '{name}')";
        if (notify)
        {
            await Wait.UntilAsync(DataSource, listening, Longest);
        }
        else
        {
            await using var command = DataSource.CreateCommand(listening);
            Assert.That(await command.ExecuteScalarAsync(), Is.False);
        }
    }

    [Test]
    public async Task There_are_256_streams_at_most()
    {
        await using var host = await DashboardHost.StartAsync(DataSource);
        var run = await InsertRunAsync(CrawlStatus.Running);
        var viewers = await Task.WhenAll(Enumerable.Range(0, 256).Select(_ => StreamViewer.ConnectAsync(host, run.Id)));

        var refused = await host.GetTextAsync($"runs/{run.Id}/events/stream", HttpStatusCode.ServiceUnavailable);
        Assert.That(refused, Does.Contain("256 live views are open. Try again."));
        await Task.WhenAll(viewers.Select(viewer => viewer.DisposeAsync().AsTask()));
        await Wait.UntilAsync(
            async () =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Head, $"runs/{run.Id}/events/stream");
                using var response = await host.Client.SendAsync(request);
                return response.IsSuccessStatusCode;
            },
            "a viewer may come when another has left");
    }

    private static async Task<int> AdvanceUntilAsync(DrivenTime time, TimeSpan step, Task reached)
    {
        // A timer may be set after the clock was advanced.
        var steps = 0;
        for (var watch = Stopwatch.StartNew(); !reached.IsCompleted && watch.Elapsed < Longest; steps++)
        {
            time.Advance(step);
            await Task.WhenAny(reached, Task.Delay(TimeSpan.FromMilliseconds(5)));
        }

        await reached.WaitAsync(TimeSpan.Zero);
        return steps;
    }

    /// <summary>Counts the statements until each viewer has the first event, those of the five events that follow, and the polls that the clock allowed
    /// then.</summary>
    private async Task<(int Connecting, int Following, int Polls)> CostOfAsync(int count)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString, settings => settings.MaxPoolSize = 10);
        var time = new DrivenTime();
        await using var host = await DashboardHost.StartAsync(dataSource, services: services => services.AddSingleton<TimeProvider>(time));
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, Event(1));
        var statements = new ReceivedItems<int>();
        proxy.OnSent = (number, _) =>
        {
            statements.Add(number);
            return Fault.None;
        };
        var viewers = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => StreamViewer.ConnectAsync(host, run.Id)));
        foreach (var viewer in viewers)
        {
            await viewer.UntilAsync(1);
        }

        // The follower has caught up when it sleeps: then it has sent its own first read.
        await Wait.UntilAsync(
            () => Task.FromResult(time.Sleeps.ToList().Any(sleep => sleep <= TimeSpan.FromMilliseconds(10))), "the follower sleeps");
        var connecting = statements.Count;
        var polls = 0;
        for (var number = 2; number < 7; number++)
        {
            await Events.AppendAsync(run.Id, Event(number));
            var all = Task.WhenAll(viewers.Select(viewer => viewer.UntilAsync(number)));
            for (var watch = Stopwatch.StartNew(); !all.IsCompleted && watch.Elapsed < Longest;)
            {
                time.Advance(TimeSpan.FromMilliseconds(250));
                polls++;
                await Task.WhenAny(all, Task.Delay(TimeSpan.FromMilliseconds(20)));
            }

            await all.WaitAsync(Longest);
        }

        foreach (var viewer in viewers)
        {
            await viewer.DisposeAsync();
        }

        return (connecting, statements.Count - connecting, polls);
    }

    private async Task<long> QueriesAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>A body whose writes wait while it is closed.</summary>
    private sealed class SlowStream(Stream body, ManualResetEventSlim open) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush() => throw new NotSupportedException();

        public override Task FlushAsync(CancellationToken cancellationToken) => body.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Run(() => open.Wait(cancellationToken), cancellationToken);
            await body.WriteAsync(buffer, cancellationToken);
        }
    }
}
