using System.CommandLine;
using CrawlData.Crawls;
using CrawlData.Storage;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata run</c>: shows one run. Commands that make or change a run are its subcommands.</summary>
internal sealed class RunCommand : ToolCommand
{
    public const string CommandName = "run";

    public const string Summary = "Shows a run: its status, times, error, last event, and events by type.";

    private const int TypesShown = 10;

    // What is counted takes few milliseconds.
    private const int MostCounted = 100_000;

    public RunCommand() : base(CommandName, Summary, $"""
        The commands below make and change runs. It counts the first {MostCounted:N0} events. `crawldata stats` counts all.

          crawldata run 019ac5e2               `crawldata run show` does the same
          crawldata run 019ac5e2 --json | jq .last_event.age_seconds
        """)
    {
        AddShow(this);
        var show = new Command("show", "Shows a run. It is the default.");
        AddShow(show);
        Add(show);
        Add(new RunCreateCommand());
        Add(RunChangeCommand.Start());
        Add(RunChangeCommand.Complete());
        Add(RunChangeCommand.Fail());
        Add(RunChangeCommand.Cancel());
        Add(new RunRetryCommand());
    }

    private static void AddShow(Command command)
    {
        var crawl = CommandParameters.Crawl("RUN");
        var format = new OutputFormat("one JSON object");
        command.Add(crawl);
        format.AddTo(command);
        command.SetAction((arguments, cancellationToken) =>
            ShowAsync(arguments, arguments.GetRequiredValue(crawl), format.IsTable(arguments), cancellationToken));
    }

    private static async Task ShowAsync(ParseResult arguments, IdText id, bool asTable, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var events = new CrawlEventRepository(dataSource, logger: PassedOverRowsLog.For<CrawlEventRepository>());
        var crawlId = await id.ToCrawlIdAsync(dataSource, cancellationToken);
        var run = await new CrawlRunRepository(dataSource).GetAsync(crawlId, cancellationToken: cancellationToken)
            ?? throw new UnknownIdException("crawl", crawlId);
        var attempt = await new CrawlRunQueue(dataSource).GetAttemptAsync(crawlId, cancellationToken: cancellationToken)
            ?? throw new UnknownIdException("crawl", crawlId);
        var last = (await events.GetLastOfEachAsync([crawlId], cancellationToken: cancellationToken)).GetValueOrDefault(crawlId);
        var summary = await events.SummarizeAsync(crawlId, maxEvents: MostCounted, cancellationToken: cancellationToken);
        if (asTable)
        {
            Show(run, attempt, last, summary);
            return;
        }

        await using var rows = new RowWriter();
        await rows.WriteAsync(
            new RunRow { Run = run, Attempt = attempt, LastEvent = last is null ? null : LastEventRow.Of(last), Events = EventsRow.Of(summary) },
            cancellationToken);
    }

    private static void Show(CrawlRun run, CrawlRunAttempt attempt, LastCrawlEvent? last, CrawlEventSummary summary)
    {
        var facts = new Facts();
        var ended = run.CompletedAt ?? run.CancelledAt;
        facts.Add("run", $"{run.Id}");
        facts.Add("status", run.Status.ToLabel());
        facts.Add("error", run.ErrorMessage);
        facts.Add("attempt", attempt.RetryOf is { } earlier ? $"{attempt.Number}, a retry of run {earlier}" : null);
        facts.Add("retried", attempt.RetriedBy is { } later ? $"by run {later}" : null);
        facts.Add("delayed", attempt.NotBefore is { } time && run.Status == CrawlStatus.Pending ? $"until {Terminal.FormatFull(time)}" : null);
        facts.Add("app", run.AppPackage);
        facts.Add("goal", run.Goal);
        facts.Add("device", run.DeviceConfig?.ToString());
        facts.Add("max steps", $"{run.MaxSteps:N0}");
        facts.Add("created", Terminal.FormatFull(run.CreatedAt));
        facts.Add("started", run.StartedAt is { } started ? Terminal.FormatFull(started) : null);
        facts.Add(
            run.CancelledAt is null ? "ended" : "cancelled",
            ended is { } end ? Terminal.FormatFull(end) + (run.StartedAt is { } start ? $", after {Terminal.FormatAge(end - start)}" : "") : null);
        facts.Add(
            "last event",
            last is null ? "none" : $"{Terminal.FormatAge(last.Age)} ago: {last.Id}, {last.EventType}, {Terminal.FormatFull(last.CreatedAt)}");
        facts.Add("events", summary.IsComplete ? $"{summary.Count:N0}" : $"more than {summary.Count:N0}; crawldata stats {run.Id} counts all");
        facts.Show();
        if (summary.Count > 0)
        {
            Terminal.WriteLine("");
            StatsCommand.ToTable(summary, TypesShown).Show();
        }
    }

    private sealed record RunRow
    {
        public required CrawlRun Run { get; init; }

        public required CrawlRunAttempt Attempt { get; init; }

        public required LastEventRow? LastEvent { get; init; }

        public required EventsRow Events { get; init; }
    }

    private sealed record LastEventRow
    {
        public required long Id { get; init; }

        public required string EventType { get; init; }

        public required DateTimeOffset CreatedAt { get; init; }

        public required double AgeSeconds { get; init; }

        public static LastEventRow Of(LastCrawlEvent last) =>
            new() { Id = last.Id, EventType = last.EventType, CreatedAt = last.CreatedAt, AgeSeconds = last.Age.TotalSeconds };
    }

    private sealed record EventsRow
    {
        public required long Count { get; init; }

        public required bool IsComplete { get; init; }

        public required IReadOnlyDictionary<string, long> CountByType { get; init; }

        public static EventsRow Of(CrawlEventSummary summary) =>
            new() { Count = summary.Count, IsComplete = summary.IsComplete, CountByType = summary.CountByType };
    }
}
