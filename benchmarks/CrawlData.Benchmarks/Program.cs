using System.Globalization;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using CrawlData.Benchmarks;
using CrawlData.Benchmarks.Crawls;
using CrawlData.Benchmarks.Retention;
using CrawlData.Benchmarks.Tool;

switch (args)
{
    case ["gate"]:
        return await Gate.RunAsync();
    case ["smoke"]:
        return await Smoke.RunAsync();
    case ["writer"]:
        await WriterComparison.RunAsync(BenchmarkScale.Full);
        return 0;
    case ["follow"]:
        await FollowLatency.RunAsync(BenchmarkScale.Full);
        return 0;
    case ["follow-cost"]:
        await FollowCost.RunAsync(BenchmarkScale.Full);
        return 0;
    case ["transfer"]:
        await ToolTransfers.RunAsync(BenchmarkScale.Full);
        return 0;
    case ["partitions", .. var events]:
        await PartitionComparison.RunAsync(
            events is [var number]
                ? BenchmarkScale.Full with { PartitionedEvents = int.Parse(number, CultureInfo.InvariantCulture) }
                : BenchmarkScale.Full);
        return 0;
    case ["citus"]:
        return await CitusComparison.RunAsync(BenchmarkScale.Full);
}

// In this process, because it owns the server: a process per benchmark would start a server each. Seeding a case may take minutes.
var toolchain = new InProcessEmitToolchain(TimeSpan.FromHours(1), logOutput: true);
var job = Job.Default.WithToolchain(toolchain).WithInvocationCount(1).WithUnrollFactor(1).WithWarmupCount(5).WithIterationCount(30);
var summaries = BenchmarkSwitcher.FromAssembly(typeof(Smoke).Assembly).Run(args, DefaultConfig.Instance.AddJob(job));
return summaries.Any(Smoke.Failed) ? 1 : 0;
