using CrawlData.Tests.Cli;

namespace CrawlData.Tests.Faults;

/// <summary>The faults that need nothing but PostgreSQL.</summary>
[Category("Faults")]
public sealed class StreamFaultTests : StreamFaultTest
{
    [Test]
    public async Task No_fault_at_all([Values(1, 100)] int crawls)
    {
        await using var dataSource = CreateDataSource($"none{crawls}");
        await RunAsync(new Load(dataSource, DataSource, crawls), _ => Task.CompletedTask);
    }

    [Test]
    public async Task Connections_are_terminated([Values(1, 100)] int crawls)
    {
        await using var dataSource = CreateDataSource($"terminated{crawls}");
        await RunAsync(
            new Load(dataSource, DataSource, crawls),
            ended => TerminateRepeatedlyAsync($"application_name = 'terminated{crawls}'", connections: 2, TimeSpan.FromMilliseconds(15), ended));
    }

    [Test]
    public async Task Connections_are_cut_at_random_steps([Values(1, 100)] int crawls)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString, settings => settings.MaxPoolSize = PoolSize);

        await RunAsync(new Load(dataSource, DataSource, crawls), async ended =>
        {
            proxy.OnSent = (_, piece) => Random.Shared.Next(FaultProxy.IsCommit(piece) ? 10 : 60) == 0 ? (Fault)Random.Shared.Next(1, 5) : Fault.None;
            await Wait.UntilCancelledAsync(ended);
            proxy.OnSent = (_, _) => Fault.None;
        });
    }

    [Test]
    public async Task The_pool_has_two_connections([Values(1, 100)] int crawls)
    {
        await using var dataSource = CreateDataSource("two", settings => settings.MaxPoolSize = 2);

        await RunAsync(new Load(dataSource, DataSource, crawls), _ => Task.CompletedTask);
    }

    [Test]
    public async Task Calls_are_cancelled([Values(1, 100)] int crawls)
    {
        await using var dataSource = CreateDataSource($"cancelled{crawls}");
        await RunAsync(new Load(dataSource, DataSource, crawls) { Cancels = true }, _ => Task.CompletedTask);
    }

    /// <summary>Kills a crawler's process while it appends. The next one continues after the last acknowledgement.</summary>
    [Test]
    public async Task The_process_that_appends_is_killed()
    {
        var crawl = await CreateCrawlAsync();
        var following = Task.Run(async () => await Events.FollowAsync(crawl).Select(crawlEvent => crawlEvent.Id).ToListAsync());
        var (sent, acknowledged) = (0, new List<(int Number, long Id)>());
        for (var round = 0; round < 5; round++)
        {
            using var process = Tool.Start(Database.ConnectionString, ["append", $"{crawl}", "--acknowledge"]);
            var first = sent;
            var sending = Task.Run(async () =>
            {
                try
                {
                    while (true)
                    {
                        await process.StandardInput.WriteLineAsync($$$"""{"event_type":"step","payload":{"writer":0,"number":{{{sent}}}}}""");
                        sent++;
                    }
                }
                catch (IOException)
                {
                    // The process was killed.
                }
            });
            for (var kill = 200 + Random.Shared.Next(400); await process.StandardOutput.ReadLineAsync() is { } line;)
            {
                var acknowledgement = Jsonb.Parse(line).ToElement();
                acknowledged.Add((first + (int)acknowledgement.GetProperty("line").GetInt64() - 1, acknowledgement.GetProperty("id").GetInt64()));
                if (acknowledged.Count(one => one.Number >= first) == kill)
                {
                    process.Kill();
                }
            }

            await sending;
        }

        await Wait.UntilAsync(
            DataSource,
            "select not exists (select from pg_stat_activity where datname = current_database() and application_name = 'crawldata' and state <> 'idle')");
        (await Runs.CancelAsync(crawl)).EnsureApplied();
        var stored = await Events.StreamAsync(crawl).ToListAsync();
        var numbers = stored.Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32()).ToList();
        var counts = new FaultCounts
        {
            Fault = TestContext.CurrentContext.Test.MethodName!.Replace('_', ' '),
            Crawls = 1,
            Acknowledged = acknowledged.Count,
            Stored = stored.Count,
            Unknown = sent - acknowledged.Count,
            Lost = acknowledged.Except(numbers.Zip(stored, (number, crawlEvent) => (number, crawlEvent.Id))).Count(),
            Duplicated = numbers.Count - numbers.Distinct().Count(),
            OutOfOrder = numbers.Zip(numbers.Skip(1)).Count(pair => pair.First >= pair.Second),
        }.AndFollowed([.. stored.Select(crawlEvent => crawlEvent.Id)], await following.WaitAsync(Wait.Longest));
        Add(counts);
        counts.Check();
    }
}
