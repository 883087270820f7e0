using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using CrawlData.Benchmarks.Crawls;
using CrawlData.Benchmarks.Retention;
using CrawlData.Benchmarks.Tool;

namespace CrawlData.Benchmarks;

/// <summary>Runs every benchmark once on little data. It shows that they work, not how fast they are.</summary>
public static class Smoke
{
    /// <returns>The exit code: 1 when a benchmark fails, or when no benchmark is found.</returns>
    public static async Task<int> RunAsync()
    {
        BenchmarkScale.OfSuites = BenchmarkScale.Quick;
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

        await WriterComparison.RunAsync(BenchmarkScale.Quick);
        await FollowLatency.RunAsync(BenchmarkScale.Quick);
        await FollowCost.RunAsync(BenchmarkScale.Quick);
        await ToolTransfers.RunAsync(BenchmarkScale.Quick);
        await PartitionComparison.RunAsync(BenchmarkScale.Quick);
        return 0;
    }

    public static bool Failed(Summary summary) =>
        summary.HasCriticalValidationErrors || summary.Reports.Length == 0 || summary.Reports.Any(report => !report.Success);
}
