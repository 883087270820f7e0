using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Tests.Cli;

/// <summary>The commands that look at one run, at one session, and at parts of a crawl.</summary>
public sealed class ViewCommandsTests : ToolTest
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private readonly Guid older = Guid.Parse("c0ffee00-0000-7000-8000-000000000001");
    private readonly Guid newer = Guid.Parse("c0ffee01-0000-7000-8000-000000000002");
    private IReadOnlyList<long> ids = [];

    [OneTimeSetUp]
    public async Task CreateRunsAsync()
    {
        await Runs.InsertAsync(
        [
            new NewCrawlRun { Id = older, AppPackage = "org.example.app", Status = CrawlStatus.Failed, ErrorMessage = "no route", CreatedAt = Noon },
            new NewCrawlRun { Id = newer, AppPackage = "org.example.app", Status = CrawlStatus.Running },
        ]);
        ids = await Events.AppendAsync(older, Enumerable.Range(0, 9).Select(
            minute => Event(minute, minute % 3 == 0 ? "page" : "step") with { CreatedAt = Noon.AddMinutes(minute) }));
        await Events.AppendAsync(newer, [Event(0, "page"), Event(3, "page"), Event(9, "page")]);
    }

    [Test]
    public async Task A_run_is_found_by_the_beginning_of_its_id_and_shown_with_its_last_event_and_counts()
    {
        var result = await RunAsync("run", "C0FFEE00");

        AssertDone(result);
        var run = result.Rows.Single().ToElement();
        Assert.That(run.GetProperty("run").GetProperty("error_message").GetString(), Is.EqualTo("no route"));
        Assert.That(run.GetProperty("last_event").GetProperty("id").GetInt64(), Is.EqualTo(ids[^1]));
        Assert.That(run.GetProperty("last_event").GetProperty("age_seconds").GetDouble(), Is.Not.Zero);
        Assert.That(
            Jsonb.Parse(run.GetProperty("events").GetRawText()),
            Is.EqualTo(Jsonb.Parse("""{"count": 9, "is_complete": true, "count_by_type": {"page": 3, "step": 6}}""")));
    }

    /// <summary>Both forms of the command, as tables in a pipe.</summary>
    [Test]
    public async Task A_run_s_tables_show_its_error_and_its_types()
    {
        var result = await RunAsync("run", "show", "c0ffee00-0", "--table");

        AssertDone(result);
        Assert.That(result.Output, Does.Contain("error       no route\n").And.Match(@"step +6 +66\.7 %\n"));
    }

    [Test]
    [TestCase("run c0ffee0", "Several crawl ids begin with c0ffee0: "
        + "c0ffee00-0000-7000-8000-000000000001, c0ffee01-0000-7000-8000-000000000002. Give more digits.")]
    [TestCase("session c0ffee0", "There is no session whose id begins with c0ffee0.")]
    public async Task An_ambiguous_or_unknown_beginning_of_an_id_is_an_error(string arguments, string error) =>
        AssertFailed(await RunAsync(arguments.Split(' ')), 1, $"crawldata: {error}");

    [Test]
    [TestCase("--last 3", "678")]
    [TestCase("--before 4 -n 2", "23")]
    [TestCase("--around 2026-11-23T12:04:30 -n 4 --type step --type page", "3456")]
    [TestCase("--around 2026-11-24 -n 4", "78")]
    [TestCase("--around 2026-11-23 -n 4", "01")]
    public async Task Events_are_read_at_the_end_before_an_event_and_around_a_time(string place, string expected)
    {
        var words = place.Split(' ');
        var at = Array.IndexOf(words, "--before");
        if (at >= 0)
        {
            words[at + 1] = $"{ids[4]}";
        }

        var result = await RunAsync(["events", "c0ffee00", .. words]);

        AssertDone(result);
        Assert.That(result.Column("id"), Is.EqualTo(expected.Select(digit => $"{ids[digit - '0']}")));
    }

    [Test]
    public async Task Two_runs_differ_with_exit_code_3()
    {
        var result = await RunAsync("diff", "c0ffee00", "c0ffee01", "--key", "number", "--type", "page");

        Assert.That((result.ExitCode, result.Error), Is.EqualTo((3, "")));
        Assert.That(
            result.Rows.Select(row => row.ToElement()).Select(row => $"{row.GetProperty("kind")} {row.GetProperty("key")}"),
            Is.EqualTo(["removed 6", "added 9"]));
        AssertDone(await RunAsync("diff", "c0ffee00", "c0ffee00", "--key", "number"));
    }

    [Test]
    public async Task A_tail_of_all_crawls_begins_with_new_events_of_the_types_and_names_their_crawl()
    {
        using var tail = Tool.Start(Database.ConnectionString, ["tail", "--type", "wanted", "--table"],
            new Dictionary<string, string?> { ["COLUMNS"] = "160" });
        var reading = tail.StandardOutput.ReadLineAsync();
        while (!reading.IsCompleted)
        {
            await Events.AppendAsync(newer, [Event(1, "other"), Event(2, "wanted")]);
        }

        var line = await tail.StandardOutput.ReadLineAsync().WaitAsync(Tool.Timeout);
        tail.Kill();

        Assert.That(await reading, Does.Match(@"^\d{4}-\d\d-\d\d UTC$"));
        Assert.That(line, Does.Contain($"  {newer}  ").And.EndsWith("  wanted  {\"number\": 2}"));
    }

    [Test]
    public async Task A_session_is_shown_with_its_pages_artifacts_and_last_lines()
    {
        var session = await EnqueueAsync();
        var page = await Pages.InsertAsync(session, Page(PageType.Pdp, Viewport.Mobile));
        await Artifacts.InsertAsync(session, Artifact(page.Id, 4_000));
        await Logs.AppendAsync(session, Enumerable.Range(0, 12).Select(number => Line(number, Noon.AddMinutes(number))));

        var shown = await RunAsync("session", $"{session}", "--table");
        var json = await RunAsync("session", $"{session}");

        AssertDone(shown);
        string[] expected = ["1 screenshot (4.0 kB)", "pdp            pending", "2026-11-23 UTC\n12:02:00.000", "line 11"];
        Assert.That(expected.Where(text => !shown.Output.Contains(text)), Is.Empty, shown.Output);
        Assert.That(
            json.Rows.Single().ToElement().GetProperty("last_lines").EnumerateArray().Select(line => line.GetProperty("message").GetString()),
            Is.EqualTo(Enumerable.Range(2, 10).Select(number => $"line {number}")));
        Assert.That((await RunAsync("pages", $"{session}")).Column("page_type"), Is.EqualTo(["pdp"]));
        Assert.That((await RunAsync("artifacts", $"{session}", "--type", "screenshot,html_gz")).Column("size_bytes"), Is.EqualTo(["4000"]));
    }

    [Test]
    public async Task Runs_are_listed_since_a_duration_ago_and_by_several_statuses()
    {
        Assert.That((await RunAsync("runs", "--since", "1h", "--status", "failed,RUNNING")).Column("id"), Is.EqualTo([$"{newer}"]));
        var table = (await RunAsync("runs", "--status", "failed,RUNNING", "--table")).Output;
        Assert.That(table, Does.Match(@"c0ffee01  RUNNING  \d\d:\d\d:\d\d +\d+ \w+ ago").And.Contain("\n  error: no route\n"));
    }
}
