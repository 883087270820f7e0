using System.Collections.Concurrent;
using System.Diagnostics;
using CrawlData.Crawls;
using CrawlData.Tests.Servers;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Writers and followers, while the primary fails for good and its synchronous standby is promoted.</summary>
[Category("Faults")]
[Parallelizable(ParallelScope.All)]
public sealed class PromotionTests
{
    private readonly ConcurrentBag<string> counted = [];

    [OneTimeTearDown]
    public void Print() => TestContext.Progress.WriteLine(
        string.Join('\n', counted.Order(StringComparer.Ordinal).Prepend($"{FaultCounts.Header} | no append for").Prepend("")));

    /// <summary>When the standby was disconnected before, the primary has acknowledged nothing since. Goes red with an asynchronous standby.</summary>
    [TestCase(1, false)]
    [TestCase(100, true)]
    public async Task The_primary_is_lost_and_its_standby_promoted(int crawls, bool cutOffBefore)
    {
        await using var servers = await ReplicatedServers.StartAsync(synchronous: true);
        await using var services = new ServiceCollection().AddCrawlData(servers.ConnectionString).BuildServiceProvider();
        await using var witnessHosts = new NpgsqlDataSourceBuilder(servers.ConnectionString).BuildMultiHost();
        var witness = witnessHosts.WithTargetSession(TargetSessionAttributes.Primary);
        using var load = new Load(services.GetRequiredService<NpgsqlDataSource>(), witness, crawls);
        var other = (await new CrawlRunRepository(witness).InsertAsync(new NewCrawlRun { AppPackage = "org.example.other" })).Id;
        await load.PrepareAsync();
        using var ended = new CancellationTokenSource();
        var writing = load.WriteAsync(ended.Token);

        await WriteForAsync(StreamFaultTest.Duration / 2);
        if (cutOffBefore)
        {
            await servers.CutOffAsync();
            await Wait.UntilAsync(
                servers.Primary.DataSource, "select exists (select from pg_stat_activity where wait_event = 'SyncRep')");
        }

        var gap = Stopwatch.StartNew();
        await servers.Primary.StopAsync();
        await servers.PromoteAsync();
        await services.GetRequiredService<CrawlEventRepository>()
            .AppendAsync(other, new NewCrawlEvent { EventType = "after", Payload = Jsonb.Parse("{}") });
        gap.Stop();
        await WriteForAsync(StreamFaultTest.Duration / 2);
        await ended.CancelAsync();
        await writing;

        counted.Add(
            $"{await load.CheckAsync($"The primary is lost, its standby{(cutOffBefore ? ", cut off," : "")} promoted")} | {gap.Elapsed.TotalSeconds,9:N1} s");
    }

    /// <summary>Lets the writers write for a part of the test's duration.</summary>
    private static async Task WriteForAsync(TimeSpan duration)
    {
        using var end = new CancellationTokenSource(duration);
        await Wait.UntilCancelledAsync(end.Token);
    }
}
