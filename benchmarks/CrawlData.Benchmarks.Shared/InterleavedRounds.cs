using System.Diagnostics;

namespace CrawlData.Benchmarks;

/// <summary>Measures several methods of doing the same work. Each round runs all methods once, in random order, so the machine's other load affects all of them
/// alike. Ratios between the methods are therefore more reliable than their times.</summary>
public sealed class InterleavedRounds
{
    private readonly List<(string Name, Func<Task> Work)> methods = [];

    /// <summary>Adds a method. The first is the baseline.</summary>
    public InterleavedRounds Add(string name, Func<Task> work)
    {
        methods.Add((name, work));
        return this;
    }

    /// <summary>Runs the rounds.</summary>
    /// <param name="rounds">The number of measured rounds.</param>
    /// <param name="warmUp">The number of unmeasured rounds before them.</param>
    /// <param name="beforeEach">Called before each run, outside of its time.</param>
    /// <returns>A measurement of each method, in the order of their addition.</returns>
    public async Task<IReadOnlyList<Measurement>> RunAsync(int rounds, int warmUp = 2, Func<Task>? beforeEach = null)
    {
        var times = methods.ToDictionary(method => method.Name, _ => new List<TimeSpan>());
        var bytes = methods.ToDictionary(method => method.Name, _ => new List<long>());
        for (var round = -warmUp; round < rounds; round++)
        {
            var order = methods.ToArray();
            Random.Shared.Shuffle(order);
            foreach (var (name, work) in order)
            {
                if (beforeEach is not null)
                {
                    await beforeEach();
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
            .. methods.Select(method => new Measurement
            {
                Name = method.Name,
                Times = [.. times[method.Name].Order()],
                Bytes = [.. bytes[method.Name].Order()],
            }),
        ];
    }
}
