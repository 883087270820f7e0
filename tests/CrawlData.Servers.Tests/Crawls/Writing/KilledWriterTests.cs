using System.Diagnostics;
using System.Globalization;
using CrawlData.Crawls;
using CrawlData.Tests.Servers;
using Npgsql;
using static CrawlData.Tests.Crawls.SpoolingProcess;

namespace CrawlData.Tests.Crawls;

/// <summary>A process that writes with a spool is killed again and again, while the server is up, down, restarted or failed over. Each next process goes on
/// with the folder. <c>CRAWLDATA_FAULT_KILLS</c> says how often.</summary>
[Category("Faults")]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class KilledWriterTests
{
    private static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("CRAWLDATA_FAULT_KILLS") ?? "5", CultureInfo.InvariantCulture);


    private readonly List<EventKey> acknowledged = [];
    private int inDoubt;

    /// <summary>What happens to the server while a process writes.</summary>
    private enum ServerFault
    {
        None,
        Stop,
        Restart,
        StopBefore,
    }

    [Test]
    public async Task Acknowledged_events_are_stored_once_and_in_order_after_processes_were_killed()
    {
        await using var server = await RestartableServer.StartAsync();
        var crawls = await CreateCrawlsAsync(server.DataSource);
        var folder = Directory.CreateTempSubdirectory("crawldata-killed-");
        var seed = Environment.TickCount;
        var random = new Random(seed);
        try
        {
            for (var round = 0; round < Kills; round++)
            {
                var fault = Enum.GetValues<ServerFault>()[round % 4];
                if (fault == ServerFault.StopBefore)
                {
                    await server.StopAsync();
                }

                await RunAsync(server.ConnectionString, folder.FullName, round, crawls, random.Next(1, 4_000), random.Next(0, 1_000), () => fault switch
                {
                    ServerFault.Stop => server.StopAsync(),
                    ServerFault.Restart => server.RestartAsync(),
                    _ => Task.CompletedTask,
                });
                if (fault is ServerFault.Stop or ServerFault.StopBefore)
                {
                    await server.RestartAsync();
                }
            }

            await CheckAsync(server.ConnectionString, folder.FullName, crawls, $"{Kills} kills, seed {seed}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public async Task Acknowledged_events_are_stored_once_and_in_order_after_a_kill_during_a_failover()
    {
        await using var servers = await ReplicatedServers.StartAsync(synchronous: true);
        var crawls = await CreateCrawlsAsync(servers.Primary.DataSource);
        var connectionString = new NpgsqlConnectionStringBuilder(servers.ConnectionString) { TargetSessionAttributes = "primary" }.ConnectionString;
        var folder = Directory.CreateTempSubdirectory("crawldata-killed-");
        try
        {
            await RunAsync(connectionString, folder.FullName, 0, crawls, 2_000, 500, async () =>
            {
                await servers.Primary.StopAsync();
                await servers.PromoteAsync();
            });
            await RunAsync(connectionString, folder.FullName, 1, crawls, 2_000, 0, () => Task.CompletedTask);
            await CheckAsync(connectionString, folder.FullName, crawls, "2 kills, 1 failover");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<Guid[]> CreateCrawlsAsync(NpgsqlDataSource dataSource)
    {
        var runs = new CrawlRunRepository(dataSource);
        var crawls = new List<Guid>();
        for (var number = 0; number < 3; number++)
        {
            crawls.Add((await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id);
        }

        return [.. crawls];
    }

    /// <summary>Starts a process, injects a fault after some events, and kills the process after some more.</summary>
    private async Task RunAsync(string connectionString, string folder, int round, Guid[] crawls, int before, int after, Func<Task> injectAsync)
    {
        var host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string[] arguments = [typeof(SpoolingProcess).Assembly.Location, "spool", connectionString, folder, $"{round}", .. crawls.Select(crawl => $"{crawl}")];
        using var process = Process.Start(new ProcessStartInfo(host, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            await ReadAsync(process, before);
            await injectAsync();
            await ReadAsync(process, after);
        }
        finally
        {
            process.Kill();
        }

        await ReadAsync(process, int.MaxValue);
        await process.WaitForExitAsync();
        Assert.That(await errors, Is.Empty, "the process ended by itself");
        inDoubt += CrawlEventSpool.Read(folder).InDoubt.Count;
    }

    private async Task ReadAsync(Process process, int count)
    {
        using var longest = new CancellationTokenSource(Wait.Longest);
        while (count-- > 0 && await process.StandardOutput.ReadLineAsync(longest.Token) is { } line)
        {
            if (EventKey.TryParse(line) is { } key)
            {
                acknowledged.Add(key);
            }
        }
    }

    private async Task CheckAsync(string connectionString, string folder, Guid[] crawls, string description)
    {
        await using var dataSource = NpgsqlDataSource.Create(connectionString);
        var events = new CrawlEventRepository(dataSource);
        var left = CrawlEventSpool.Read(folder).Events;
        await using (var writer = new CrawlEventWriter(events, new CrawlEventWriterOptions { SpoolDirectory = folder }))
        {
            await writer.FlushAsync().WaitAsync(Wait.Longest);
        }

        Assert.That(Directory.GetFiles(folder, "*.spool"), Is.Empty);
        var stored = new List<EventKey>();
        foreach (var crawl in crawls)
        {
            stored.AddRange((await events.StreamAsync(crawl).ToListAsync()).Select(EventKey.Of));
        }

        TestContext.Out.WriteLine(
            $"{description}: {acknowledged.Count:N0} events acknowledged, {stored.Count:N0} stored, {left:N0} of them by the last replay; "
                + $"{inDoubt} batches in doubt.");
        Assert.That(acknowledged.Except(stored), Is.Empty, "acknowledged and lost");
        Assert.That(stored.CountBy(key => key).Where(count => count.Value > 1), Is.Empty, "stored twice");
        foreach (var crawl in crawls)
        {
            var ofCrawl = stored.Where(key => key.Crawl == crawl).ToList();
            Assert.That(ofCrawl, Is.EqualTo(ofCrawl.OrderBy(key => key.Round).ThenBy(key => key.Number)), "out of order");
            Assert.That(ofCrawl.GroupBy(key => key.Round).All(ofRound => ofRound.Last().Number == ofRound.Count() - 1), "without gaps");
        }
    }
}
