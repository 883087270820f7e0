using System.Diagnostics;
using System.Globalization;

namespace CrawlData.Benchmarks;

/// <summary>Ways of doing one thing, measured in turns: what the machine does meanwhile falls on all of them, and their ratios can be trusted where times
/// cannot.</summary>
public sealed class Interleaved
{
    private readonly List<(string Name, Func<Task> Work)> ways = [];

    /// <summary>Adds a way; the first is the floor, which the others are compared with.</summary>
    public Interleaved Add(string name, Func<Task> work)
    {
        ways.Add((name, work));
        return this;
    }

    /// <summary>Runs each way so many times, in another order each round, after rounds that do not count.</summary>
    /// <param name="rounds">How many rounds count.</param>
    /// <param name="warmUp">How many come before.</param>
    /// <param name="between">Done before each run, outside of its time; may be null.</param>
    public async Task<IReadOnlyList<Measured>> RunAsync(int rounds, int warmUp = 2, Func<Task>? between = null)
    {
        var times = ways.ToDictionary(way => way.Name, _ => new List<TimeSpan>());
        var bytes = ways.ToDictionary(way => way.Name, _ => new List<long>());
        for (var round = -warmUp; round < rounds; round++)
        {
            var order = ways.ToArray();
            Random.Shared.Shuffle(order);
            foreach (var (name, work) in order)
            {
                if (between is not null)
                {
                    await between();
                }

                var before = GC.GetTotalAllocatedBytes(precise: true);
                var watch = Stopwatch.StartNew();
                await work();
                var time = watch.Elapsed;
                if (round >= 0)
                {
                    times[name].Add(time);
                    bytes[name].Add(GC.GetTotalAllocatedBytes(precise: true) - before);
                }
            }
        }

        return
        [
            .. ways.Select(way => new Measured { Name = way.Name, Times = [.. times[way.Name].Order()], Bytes = [.. bytes[way.Name].Order()] }),
        ];
    }
}

/// <summary>What a way was measured with, in ascending order.</summary>
public sealed record Measured
{
    public required string Name { get; init; }

    public required IReadOnlyList<TimeSpan> Times { get; init; }

    public required IReadOnlyList<long> Bytes { get; init; }

    public TimeSpan Median => Quantile(0.5);

    public TimeSpan Fastest => Times[0];

    public long MedianBytes => Bytes[Bytes.Count / 2];

    public TimeSpan Quantile(double quantile) => Times[(int)Math.Ceiling(quantile * Times.Count) - 1];

    public static string Format(TimeSpan time) =>
        time.TotalMilliseconds.ToString(time.TotalMilliseconds < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + " ms";
}
