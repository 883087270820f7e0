using System.Net;
using System.Text;
using System.Text.Json;
using CrawlData.Audits;
using CrawlData.Tests;
using CrawlData.Tests.Faults;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Live;

/// <summary>A session's stream of log lines, read from Kestrel as a browser reads it. <see cref="EventStreamTests"/> has what all streams do.</summary>
public sealed class LogStreamTests : DashboardTest
{
    private static readonly TimeSpan Longest = Wait.Longest;

    [Test]
    public async Task Lines_come_in_the_order_of_their_ids_each_once_until_the_end_of_the_session()
    {
        var session = await StartSessionAsync();
        var ids = new List<long>(await Logs.AppendAsync(session.Id, Enumerable.Range(1, 30).Select(number => Line(number))));
        await using var viewer = await StreamViewer.ConnectToLogAsync(Host, session.Id);
        await viewer.UntilAsync(30);
        for (var batch = 0; batch < 3; batch++)
        {
            ids.AddRange(await Logs.AppendAsync(session.Id, Enumerable.Range(1, batch + 1).Select(number => Line(number))));
            await viewer.UntilAsync(ids.Count);
        }

        (await Queue.CompleteAsync(session.Id, session.Attempts)).EnsureApplied();

        Assert.That(await viewer.UntilEndedAsync());
        Assert.That(viewer.Ids.ToList(), Is.EqualTo(ids));
        Assert.That(viewer.Messages.ToList()[^1], Is.EqualTo(new StreamMessage("end", null, """{"reason":"ended"}""")));

        // A session that has ended gives its last lines and the end.
        await using var later = await StreamViewer.ConnectToLogAsync(Host, session.Id, after: ids[^3], lastEventId: $"{ids[^2]}");
        Assert.That(await later.UntilEndedAsync());
        Assert.That(later.Ids.ToList(), Is.EqualTo(ids[^1..]), "the header counts before the address");
    }

    /// <summary>Appends to a log do not wait for each other. So a line comes only once no line with a lower id can.</summary>
    [Test]
    public async Task A_line_that_is_committed_after_later_ones_is_not_missed()
    {
        var session = await StartSessionAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var late = await Logs.AppendAsync(session.Id, Line(1), transaction);
        var early = await Logs.AppendAsync(session.Id, Line(2));
        await using var viewer = await StreamViewer.ConnectToLogAsync(Host, session.Id);
        await transaction.CommitAsync();
        await viewer.UntilAsync(2);

        Assert.That(viewer.Ids.ToList(), Is.EqualTo(new[] { late, early }));
    }

    [Test]
    public async Task A_line_has_what_a_page_shows_of_it()
    {
        var session = await StartSessionAsync();
        var time = new DateTimeOffset(2026, 11, 27, 8, 30, 0, 500, TimeSpan.Zero);
        var widest = new string('\u202e', 100_000);
        await Logs.AppendAsync(session.Id,
        [
            new NewCrawlLog { Level = CrawlLogLevel.Warn, EventType = CrawlLogEventType.Popup, Message = "<b>\r\n\ndata: 1", Timestamp = time },
            new NewCrawlLog { EventType = CrawlLogEventType.Retry, Message = "a", Details = Jsonb.Parse("""{"n": 12345678901234567890.10}""") },
            new NewCrawlLog { EventType = CrawlLogEventType.Retry, Message = widest, Details = Jsonb.From(new { widest }) },
            new NewCrawlLog { EventType = CrawlLogEventType.Retry, Message = "the last" },
        ]);
        await using var viewer = await StreamViewer.ConnectToLogAsync(Host, session.Id);
        await viewer.UntilAsync(4);

        var frames = viewer.Messages.ToList().Where(message => message.Event is null && message.Data is not null).Select(message => message.Data!).ToList();
        Assert.That(frames.Select(Encoding.UTF8.GetByteCount), Has.All.LessThanOrEqualTo(64 * 1024));
        var lines = frames.SelectMany(frame => JsonDocument.Parse(frame).RootElement.EnumerateArray()).ToList();
        Assert.That(lines[0].GetRawText(), Does.EndWith(
            """
            ,"timestamp":"2026-11-27T08:30:00.5Z","level":"warn","event_type":"popup","message":"<b>\r\n\ndata: 1"}
            """));
        Assert.That(lines[1].GetProperty("details").GetString(), Is.EqualTo("""{"n": 12345678901234567890.10}"""));
        Assert.That(lines[1].TryGetProperty("text", out _), Is.False);
        Assert.That(lines[2].GetProperty("message").GetString(), Does.StartWith("\\u202e").And.EndWith(" …"));
        Assert.That(lines[2].GetProperty("is_cut").GetBoolean());
    }

    [Test]
    public async Task A_viewer_of_a_long_log_gets_its_last_lines_and_is_told_to_fetch_others()
    {
        var session = await StartSessionAsync();
        var ids = await Logs.AppendAsync(session.Id, Enumerable.Range(1, 1_200).Select(number => Line(number)));
        await using var recent = await StreamViewer.ConnectToLogAsync(Host, session.Id, after: ids[1_100]);
        await recent.UntilAsync(99);
        await using var viewer = await StreamViewer.ConnectToLogAsync(Host, session.Id, after: ids[10]);
        await viewer.Messages.UntilCountAsync(2);

        Assert.That(recent.Ids.ToList(), Is.EqualTo(ids.Skip(1_101)));
        Assert.That(
            viewer.Messages.ToList()[1], Is.EqualTo(new StreamMessage("gap", $"{ids[^1]}", $$"""{"after":"{{ids[10]}}","up_to":"{{ids[^1]}}"}""")));
    }

    [Test]
    public async Task All_viewers_of_a_session_share_a_follower_that_holds_no_connection_and_redacts_once()
    {
        var redacted = 0;
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1, ApplicationName = "log viewed" });
        await using var host = await DashboardHost.StartAsync(dataSource, options =>
        {
            options.MaxConnections = 1;
            options.RedactText = (column, text) =>
            {
                redacted += column == "crawl_logs.message" ? 1 : 0;
                return column == "crawl_logs.message" ? $"redacted {column}" : text;
            };
            options.Redact = (column, _) => Jsonb.From(new { redacted = column });
        });
        var session = await StartSessionAsync();
        await Logs.AppendAsync(session.Id, Line(1) with { Message = "secret-of-a-customer", Details = Jsonb.From(new { token = "secret-of-a-customer" }) });
        var viewers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => StreamViewer.ConnectToLogAsync(host, session.Id)));
        foreach (var viewer in viewers)
        {
            await viewer.UntilAsync(1);
        }

        var text = string.Concat(viewers.SelectMany(viewer => viewer.Messages.ToList()).Select(message => message.Data));
        Assert.That(text, Does.Not.Contain("secret").And.Contain("redacted crawl_logs.message").And.Contain("crawl_logs.details"));
        Assert.That(redacted, Is.EqualTo(1), "once for all viewers");
        await using (var count = DataSource.CreateCommand("select count(*) from pg_stat_activity where application_name = 'log viewed'"))
        {
            Assert.That(await count.ExecuteScalarAsync(), Is.EqualTo(1));
        }

        foreach (var viewer in viewers)
        {
            await viewer.DisposeAsync();
        }
    }

    [Test]
    public async Task A_database_that_restarts_is_waited_for_and_nothing_is_missed()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString, settings => settings.MaxPoolSize = 4);
        await using var host = await DashboardHost.StartAsync(
            dataSource, services: services => services.Configure<CrawlDataOptions>(options => options.Retry.Limit = TimeSpan.Zero));
        var session = await StartSessionAsync();
        var ids = new List<long>(await Logs.AppendAsync(session.Id, [Line(1), Line(2)]));
        await using var viewer = await StreamViewer.ConnectToLogAsync(host, session.Id);
        await viewer.UntilAsync(2);

        proxy.Down = true;
        var cut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        proxy.OnSent = (_, _) =>
        {
            cut.TrySetResult();
            return Fault.CutBefore;
        };
        await cut.Task.WaitAsync(Longest);
        ids.AddRange(await Logs.AppendAsync(session.Id, Enumerable.Range(3, 40).Select(number => Line(number))));
        proxy.OnSent = (_, _) => Fault.None;
        proxy.Down = false;
        await viewer.UntilAsync(ids.Count);

        Assert.That(viewer.Ids.ToList(), Is.EqualTo(ids));
    }

    [Test]
    public async Task A_session_that_is_deleted_ends_the_stream_and_an_unknown_one_has_none()
    {
        var session = await StartSessionAsync();
        await Logs.AppendAsync(session.Id, Line(1));
        await using var viewer = await StreamViewer.ConnectToLogAsync(Host, session.Id);
        await viewer.UntilAsync(1);

        await Sessions.DeleteAsync(session.Id);

        Assert.That(await viewer.UntilEndedAsync());
        Assert.That(viewer.Messages.ToList()[^1], Is.EqualTo(new StreamMessage("end", null, """{"reason":"deleted"}""")));
        Assert.That(await Host.GetTextAsync($"sessions/{session.Id}/log/stream", HttpStatusCode.NotFound), Does.StartWith("""{"status":404,"""));
    }

    [Test]
    public async Task The_first_page_of_a_log_names_the_stream_while_the_session_goes_on()
    {
        var session = await StartSessionAsync();
        var ids = await Logs.AppendAsync(session.Id, Enumerable.Range(1, 5).Select(number => Line(number)));

        var whole = await Host.GetPageAsync($"sessions/{session.Id}?level=info");
        var part = await Host.GetPageAsync($"sessions/{session.Id}?size=2");
        var next = await Host.GetPageAsync($"sessions/{session.Id}{part.QuerySelector("a[rel=next]")!.GetAttribute("href")!.Split('#')[0]}");
        (await Queue.CompleteAsync(session.Id, session.Attempts)).EnsureApplied();
        var ended = await Host.GetPageAsync($"sessions/{session.Id}");

        Assert.That(
            new[] { "data-stream", "data-after", "data-level" }.Select(name => whole.QuerySelector("[data-log]")!.GetAttribute(name)),
            Is.EqualTo(new[] { $"{session.Id}/log/stream", null, "info" }));
        Assert.That(part.QuerySelector("[data-log]")!.GetAttribute("data-after"), Is.EqualTo($"{ids[3] - 1}"));
        Assert.That(part.QuerySelectorAll("[data-log] tbody tr").Select(row => row.Id), Is.EqualTo(new[] { $"l{ids[4]}", $"l{ids[3]}" }));
        foreach (var page in new[] { next, ended })
        {
            Assert.That(page.QuerySelector("[data-log]")!.GetAttribute("data-stream"), Is.Null);
            Assert.That(page.Scripts.Select(script => script.GetAttribute("src")), Has.None.Contains("/live."));
        }
    }

    private async Task<AuditSession> StartSessionAsync()
    {
        var session = await InsertSessionAsync("https://example.org/", AuditSessionStatus.Running);
        return (await Sessions.GetAsync(session.Id))!;
    }
}
