using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;

namespace CrawlData.Tests.Cli;

public sealed class AppendCommandTests : ToolTest
{
    [OneTimeSetUp]
    public async Task MakeTriggerAsync()
    {
        await using var trigger = DataSource.CreateCommand(
            """
            create function refuse() returns trigger language plpgsql as
                'begin if new.event_type = ''refused'' then raise exception ''no''; end if; return new; end';
            create trigger refuse before insert on crawl_events for each row execute function refuse()
            """);
        await trigger.ExecuteNonQueryAsync();
    }

    [Test]
    public async Task Lines_are_stored_as_events_in_their_order()
    {
        var crawl = await CreateCrawlAsync();

        var result = await RunWithInputAsync(
            string.Concat(Enumerable.Range(0, 2_000).Select(number => $$$"""{"event_type":"step","payload":{"number":{{{number}}}}}""" + "\n"))
            + """{"event_type":"last","payload":null,"created_at":"2026-11-23T01:00:00+01:00"}""",
            "append", $"{crawl}");

        AssertDone(result);
        Assert.That(result.Output, Is.Empty);
        var stored = await Events.StreamAsync(crawl).ToListAsync();
        Assert.That(stored.Take(2_000).Select(one => one.Payload.ToElement().GetProperty("number").GetInt32()), Is.EqualTo(Enumerable.Range(0, 2_000)));
        Assert.That((stored[^1].EventType, stored[^1].CreatedAt), Is.EqualTo(("last", new DateTimeOffset(2026, 11, 23, 0, 0, 0, TimeSpan.Zero))));
    }

    [Test]
    public async Task An_invalid_line_is_reported_and_the_others_are_stored()
    {
        var crawl = await CreateCrawlAsync();

        var result = await RunWithInputAsync(
            """
            {"event_type":"a","payload":1}
            {"event_type":"","payload":2}

            {"event_type":"c"}
            {"event_type":"d","payload":"\u0000"}
            {"event_type":"e","payload":5}
            """,
            "append", $"{crawl}");

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(
        [
            "<stdin>:2: event_type: is empty; it takes 1 to 50 characters.",
            "<stdin>:4: payload: is missing; a row of crawl_events needs event_type and payload.",
            "<stdin>:5: json: holds U+0000 at byte 29, which jsonb cannot store (repair would replace it).",
            "crawldata: 3 lines refused, of 6 lines.",
        ]));
        Assert.That((await Events.StreamAsync(crawl).ToListAsync()).Select(one => one.EventType), Is.EqualTo(["a", "e"]));
    }

    [Test]
    public async Task An_event_that_a_trigger_refuses_is_reported_and_the_others_are_stored([Values] bool acknowledge)
    {
        var crawl = await CreateCrawlAsync();
        var lines = Enumerable.Range(1, 8).Select(line => $$$"""{"event_type":"{{{(line is 4 ? "refused" : $"step{line}")}}}","payload":{}}""");

        var result = await RunWithInputAsync(string.Join('\n', lines), ["append", $"{crawl}", .. acknowledge ? new[] { "--acknowledge" } : []]);

        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(
        [
            "<stdin>:4: P0001: the server's text is left out, because it may quote a value",
            "crawldata: 1 line refused, of 8 lines.",
        ]));
        var stored = await Events.StreamAsync(crawl).ToListAsync();
        Assert.That(stored.Select(one => one.EventType), Is.EqualTo(new[] { "step1", "step2", "step3", "step5", "step6", "step7", "step8" }));
        var acknowledged = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(row => Jsonb.Parse(row).ToElement());
        Assert.That(
            acknowledged.Select(row => row.GetProperty("id").GetInt64()),
            Is.EqualTo(acknowledge ? stored.Select(one => one.Id) : []));
    }

    [Test]
    public async Task An_event_is_acknowledged_once_it_is_stored()
    {
        var crawl = await CreateCrawlAsync();
        using var append = Tool.Start(Database.ConnectionString, ["append", $"{crawl}", "--acknowledge"]);

        for (var line = 1; line <= 3; line++)
        {
            await append.StandardInput.WriteLineAsync("""{"event_type":"step","payload":{}}""");
            await append.StandardInput.FlushAsync();
            var acknowledgement = Jsonb.Parse((await append.StandardOutput.ReadLineAsync().WaitAsync(Tool.Timeout))!).ToElement();

            Assert.That(acknowledgement.GetProperty("line").GetInt64(), Is.EqualTo(line));
            Assert.That((await Events.GetLastAsync(crawl))!.Id, Is.EqualTo(acknowledgement.GetProperty("id").GetInt64()));
        }

        append.StandardInput.Close();
        Assert.That(await Tool.WaitAsync(append), Is.Zero);
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "Windows has no SIGINT.")]
    public async Task An_interrupted_append_stores_the_events_that_it_has_read()
    {
        var crawl = await CreateCrawlAsync();
        using var append = Tool.Start(Database.ConnectionString, ["append", $"{crawl}", "--acknowledge"]);
        await append.StandardInput.WriteLineAsync("""{"event_type":"first","payload":{}}""");
        await append.StandardInput.FlushAsync();
        await append.StandardOutput.ReadLineAsync().WaitAsync(Tool.Timeout);
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using var locking = new NpgsqlCommand("select from crawl_runs where id = $1 for update", holder) { Parameters = { new() { Value = crawl } } };
        await locking.ExecuteNonQueryAsync();
        await append.StandardInput.WriteLineAsync("""{"event_type":"second","payload":{}}""");
        await append.StandardInput.FlushAsync();
        await Wait.UntilBlockedByAsync(DataSource, holder);

        await Tool.InterruptAsync(append);
        await transaction.RollbackAsync();

        Assert.That(await Tool.WaitAsync(append), Is.EqualTo(1));
        Assert.That(
            await append.StandardError.ReadToEndAsync(), Is.EqualTo("crawldata: cancelled. All events of the 2 lines that were read are stored.\n"));
        Assert.That((await Events.StreamAsync(crawl).ToListAsync()).Select(one => one.EventType), Is.EqualTo(["first", "second"]));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "Windows has no SIGTERM.")]
    public async Task A_terminated_append_stores_what_it_has_read_even_after_two_seconds_and_says_what_it_could_not_store(
        [Values] bool acknowledge, [Values] bool unlockedInTime)
    {
        var crawl = await CreateCrawlAsync();
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using var locking = new NpgsqlCommand("select from crawl_runs where id = $1 for update", holder) { Parameters = { new() { Value = crawl } } };
        await locking.ExecuteNonQueryAsync();
        using var append = Tool.Start(
            Database.ConnectionString,
            ["append", $"{crawl}", "--grace", unlockedInTime ? "60" : "1", .. acknowledge ? new[] { "--acknowledge" } : []]);
        await append.StandardInput.WriteAsync(string.Concat(Enumerable.Repeat("""{"event_type":"step","payload":{}}""" + "\n", 200)));
        await append.StandardInput.FlushAsync();
        await Wait.UntilBlockedByAsync(DataSource, holder);

        await Tool.InterruptAsync(append, "TERM");
        if (unlockedInTime)
        {
            // Longer than the two seconds after which System.CommandLine ends a process.
            Assert.That(append.WaitForExit(TimeSpan.FromSeconds(2.5)), Is.False);
            await transaction.RollbackAsync();
        }

        Assert.That(await Tool.WaitAsync(append), Is.EqualTo(1));
        var error = await append.StandardError.ReadToEndAsync();
        var message = Regex.Match(error, unlockedInTime
            ? @"\Acrawldata: cancelled\. All events of the (\d+) lines that were read are stored\.\n\z"
            : @"\Acrawldata: cancelled\. (\d+) lines not confirmed as stored, of \1 lines\.\n\z");
        Assert.That(message.Success, error);
        if (!unlockedInTime)
        {
            await transaction.RollbackAsync();
        }

        // On a busy machine, the signal may come before the last line is read.
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(unlockedInTime ? int.Parse(message.Groups[1].Value, CultureInfo.InvariantCulture) : 0));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "The console's stream ignores a closed pipe.")]
    public async Task Once_the_reader_of_acknowledgements_is_gone_no_more_is_read_and_the_stored_lines_are_counted()
    {
        var crawl = await CreateCrawlAsync();
        using var append = Tool.Start(Database.ConnectionString, ["append", $"{crawl}", "--acknowledge"]);
        await append.StandardInput.WriteLineAsync("""{"event_type":"step","payload":{}}""");
        await append.StandardInput.FlushAsync();
        await append.StandardOutput.ReadLineAsync().WaitAsync(Tool.Timeout);
        append.StandardOutput.Close();

        // Standard input stays open: the closed output alone ends the tool.
        await append.StandardInput.WriteLineAsync("""{"event_type":"step","payload":{}}""");
        await append.StandardInput.FlushAsync();

        Assert.That(await Tool.WaitAsync(append), Is.EqualTo(1));
        Assert.That(
            await append.StandardError.ReadToEndAsync(), Is.EqualTo("crawldata: standard output was closed, so no more was read. 2 lines stored.\n"));
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(2));
    }

    [Test]
    public async Task Input_that_is_not_text_is_named() => AssertFailed(
        await RunWithInputAsync("PK\u0003\u0004", "append", $"{await CreateCrawlAsync()}"),
        1,
        "<stdin>:1: is a ZIP archive; the input has to be NDJSON in UTF-8.");

    [Test]
    public async Task An_unknown_crawl_is_reported_before_input_is_read()
    {
        var unknown = Guid.NewGuid();

        AssertFailed(await RunAsync("append", $"{unknown}"), 1, $"crawldata: There is no crawl {unknown}.");
    }
}
