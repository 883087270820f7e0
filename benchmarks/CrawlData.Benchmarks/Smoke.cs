using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using CrawlData.Benchmarks.Crawls;

namespace CrawlData.Benchmarks;

/// <summary>Every benchmark once, with small seeds: whether they work, and not how fast.</summary>
public static class Smoke
{
    /// <returns>The exit code: 1 when a benchmark failed, or there was none.</returns>
    public static async Task<int> RunAsync()
    {
        var log = new AccumulationLogger();
        var job = Job.Dry.WithToolchain(InProcessEmitToolchain.Instance);
        var config = ManualConfig.CreateEmpty().AddJob(job).AddLogger(log).WithOptions(ConfigOptions.DisableLogFile);
        var summaries = BenchmarkRunner.Run(typeof(Smoke).Assembly, config);
        foreach (var summary in summaries)
        {
            Console.WriteLine($"{summary.Title}: {summary.Reports.Count(report => report.Success)} of {summary.BenchmarksCases.Length} ran");
        }

        if (summaries.Length == 0 || summaries.Any(Failed))
        {
            await Console.Error.WriteLineAsync(log.GetLog());
            return 1;
        }

        await WriterComparison.RunAsync(rounds: 1, awaited: 64, unawaited: 500);
        await FollowLatency.RunAsync(events: 5);
        return 0;
    }

    public static bool Failed(Summary summary) =>
        summary.HasCriticalValidationErrors || summary.Reports.Length == 0 || summary.Reports.Any(report => !report.Success);
}
