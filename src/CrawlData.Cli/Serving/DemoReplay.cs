using System.Text.Json;
using CrawlData.Crawls;

namespace CrawlData.Cli.Serving;

/// <summary>Stores the crawl of a recording as it happened: each event so long after the first as it was recorded, divided by a factor.</summary>
/// <param name="run">The recorded run.</param>
/// <param name="events">The recorded events, in order, with the time since the first.</param>
internal sealed class DemoReplay(NewCrawlRun run, IReadOnlyList<(TimeSpan After, NewCrawlEvent Event)> events)
{
    // Viewers see no difference from an event at a time, and the server has fewer transactions.
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    /// <summary>Gets the titles of the recorded pages by their URLs.</summary>
    public IReadOnlyDictionary<string, string> Titles { get; } = ReadTitles(events);

    /// <summary>Reads a recording with one run.</summary>
    public static async Task<DemoReplay> ReadAsync(Stream recording, CancellationToken cancellationToken)
    {
        NewCrawlRun? run = null;
        var events = new List<(TimeSpan, NewCrawlEvent)>();
        var first = DateTimeOffset.MinValue;
        using var lines = new StreamReader(recording);
        while (await lines.ReadLineAsync(cancellationToken) is { } line)
        {
            using var json = JsonDocument.Parse(line);
            var row = json.RootElement.GetProperty("row");
            if (json.RootElement.GetProperty("table").GetString() == "crawl_runs")
            {
                run = new NewCrawlRun
                {
                    AppPackage = row.GetProperty("app_package").GetString()!,
                    DeviceConfig = Jsonb.From(row.GetProperty("device_config")),
                    MaxSteps = row.GetProperty("max_steps").GetInt32(),
                    Goal = row.GetProperty("goal").GetString(),
                };
                continue;
            }

            var time = row.GetProperty("created_at").GetDateTimeOffset();
            first = events.Count == 0 ? time : first;
            events.Add((
                time - first,
                new NewCrawlEvent { EventType = row.GetProperty("event_type").GetString()!, Payload = Jsonb.From(row.GetProperty("payload")) }));
        }

        return new DemoReplay(run ?? throw new InvalidDataException("The recording holds no run."), events);
    }

    /// <summary>Stores the run and its events, and completes the run.</summary>
    public async Task RunAsync(
        CrawlRunRepository runs, CrawlEventRepository repository, double speed, TimeProvider time, CancellationToken cancellationToken)
    {
        var id = (await runs.InsertAsync(run, cancellationToken: cancellationToken)).Id;
        (await runs.StartAsync(id, cancellationToken: cancellationToken)).EnsureApplied();
        var start = time.GetTimestamp();
        for (var stored = 0; stored < events.Count;)
        {
            var now = time.GetElapsedTime(start) * speed;
            var due = events.Skip(stored).TakeWhile(one => one.After <= now).Select(one => one.Event).ToList();
            if (due.Count > 0)
            {
                await repository.AppendAsync(id, due, cancellationToken: cancellationToken);
                stored += due.Count;
            }
            else
            {
                await Task.Delay(Step, time, cancellationToken);
            }
        }

        // An operator may have ended it in the dashboard.
        await runs.CompleteAsync(id, cancellationToken: cancellationToken);
    }

    private static Dictionary<string, string> ReadTitles(IEnumerable<(TimeSpan After, NewCrawlEvent Event)> events)
    {
        var titles = new Dictionary<string, string>();
        foreach (var (_, one) in events)
        {
            var payload = one.Payload.ToElement();
            if (payload.TryGetProperty("url", out var url) && payload.TryGetProperty("title", out var title))
            {
                titles[url.GetString()!] = title.GetString()!;
            }
        }

        return titles;
    }
}
