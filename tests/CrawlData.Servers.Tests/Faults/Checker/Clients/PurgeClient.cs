using CrawlData.Retention;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Purges what is some tenths of a second old.</summary>
internal sealed class PurgeClient(Workload workload, int number) : Client(workload, number)
{
    private readonly RetentionPurger purger = new(workload.DataSource, workload.Logger<RetentionPurger>(number));

    protected override async Task StepAsync()
    {
        var age = TimeSpan.FromMilliseconds(20 + Random.Next(300));
        var batchSize = Random.Next(1, 50);
        switch (Random.Next(4))
        {
            case 0:
                await History.RunAsync(new PurgeOperation(Number, "crawl_runs", age), () => purger.PurgeCrawlsAsync(age, batchSize));
                break;
            case 1:
                await History.RunAsync(new PurgeOperation(Number, "artifacts", age), () => purger.PurgeArtifactsAsync(age, batchSize));
                break;
            default:
                await History.RunAsync(new PurgeOperation(Number, "audit_sessions", age), () => purger.PurgeSessionsAsync(age, batchSize));
                break;
        }

        await ThinkAsync(20);
    }
}
