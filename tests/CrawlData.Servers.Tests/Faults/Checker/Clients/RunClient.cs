using CrawlData.Crawls;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Inserts runs, starts and ends them twice at once, and leaves them to be purged.</summary>
internal sealed class RunClient(Workload workload, int number) : Client(workload, number)
{
    private readonly CrawlRunRepository runs = new(workload.DataSource);
    private readonly CrawlEventRepository events = workload.Events(number);

    protected override async Task StepAsync()
    {
        var run = Guid.NewGuid();
        var insert = new InsertOperation(Number, "crawl_runs", [run]);
        if (await History.RunAsync(insert, () => runs.InsertAsync(new NewCrawlRun { Id = run, AppPackage = "org.example.app" })))
        {
            await Task.WhenAll(ChangeAsync(run, "start", id => runs.StartAsync(id)), ChangeAsync(run, "start", id => runs.StartAsync(id)));
            for (var count = Random.Next(3); count > 0; count--)
            {
                var key = NextKey();
                var append = new AppendOperation(Number, "append one", [(run, key)]) { MustSucceed = true };
                await History.RunAsync(append, async () => append.Ids = [await events.AppendAsync(run, Event(key))]);
            }

            if (!OneIn(4))
            {
                await Task.WhenAll(
                    ChangeAsync(run, "complete", id => runs.CompleteAsync(id)),
                    OneIn(2) ? ChangeAsync(run, "fail", id => runs.FailAsync(id, "reason")) : ChangeAsync(run, "cancel", id => runs.CancelAsync(id)));
                Workload.EndedRuns.Enqueue(run);
            }
        }

        await ThinkAsync(20);
    }

    private async Task ChangeAsync(Guid run, string transition, Func<Guid, Task<Transition<CrawlRun>>> call)
    {
        var status = new StatusOperation(Number, run, transition);
        await History.RunAsync(status, async () => status.Result = (await call(run)).Outcome);
    }
}
