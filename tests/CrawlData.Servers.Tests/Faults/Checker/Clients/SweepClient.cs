using CrawlData.Retention;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Sweeps with a store that deletes some of the artifacts, and that throws now and then.</summary>
internal sealed class SweepClient(Workload workload, int number) : Client(workload, number), IArtifactStore, IProgress<SweepTotal>
{
    private readonly ArtifactSweeper sweeper = new(workload.DataSource, workload.Logger<ArtifactSweeper>(number));
    private SweepOperation? batch;

    public Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken)
    {
        batch = new SweepOperation(Number, [.. artifacts.Select(artifact => artifact.Id)]);
        History.Begin(batch);
        if (OneIn(20))
        {
            throw new IOException("The storage fails.");
        }

        IReadOnlyList<ExpiredArtifact> deleted = [.. artifacts.Where(_ => !OneIn(4))];
        batch.Returned = [.. deleted.Select(artifact => artifact.Id)];
        return Task.FromResult(deleted);
    }

    public void Report(SweepTotal value) => End(Outcome.Acknowledged);

    protected override async Task StepAsync()
    {
        try
        {
            await sweeper.SweepAsync(this, batchSize: Random.Next(1, 20), progress: this).WaitAsync(History.LongestCall);
        }
        catch (Exception error)
        {
            if (batch is null)
            {
                History.Begin(batch = new SweepOperation(Number, []));
            }

            batch.Error = error;
            End(Outcome.Unknown);
        }

        await ThinkAsync(20);
    }

    private void End(Outcome outcome)
    {
        if (batch is not null)
        {
            History.End(batch, outcome);
            batch = null;
        }
    }
}
