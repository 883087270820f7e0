using CrawlData.Crawls;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Writes to a writer of its own. What could not be stored it takes, and writes again in its order, as the documentation says.</summary>
internal sealed class OwnerClient(Workload workload, int number, CrawlEventWriter writer, int writerNumber, IReadOnlyList<Guid> crawls)
    : WriterClient(workload, number, writer, writerNumber, crawls)
{
    private readonly IReadOnlyList<Guid> crawls = crawls;

    protected override async Task StepAsync()
    {
        var crawl = Any(crawls);
        for (var count = Random.Next(1, 30); count > 0; count--)
        {
            await WriteAsync(crawl, NextKey(), refused: OneIn(150));
        }

        if (OneIn(6))
        {
            await FlushAsync(crawl);
        }

        await ThinkAsync(2);
    }

    protected override async Task FinishAsync()
    {
        var flush = new FlushOperation(Number, WriterNumber);
        await History.RunAsync(flush, () => Writer.FlushAsync());
        await OnErrorAsync(flush.Error, null);
    }

    /// <summary>Takes and writes again, until the writer takes all of it.</summary>
    protected override async Task OnErrorAsync(Exception? error, Guid? crawl)
    {
        if (error is not CrawlEventsNotStoredException)
        {
            return;
        }

        var remaining = new Queue<(Guid Crawl, EventKey Key)>();
        do
        {
            // What is given back now was written before what remains.
            var take = await TakeAsync(OneIn(2) ? crawl : null);
            var taken = take.Taken.Where(one => one.Error is not AppendOutcomeUnknownException && Judge.IsOutage(one.Error));
            remaining = new Queue<(Guid, EventKey)>([.. taken.Select(one => (one.Crawl, one.Key)), .. remaining]);
            while (remaining.TryPeek(out var next))
            {
                var write = new WriteOperation(Number, WriterNumber, next.Crawl, next.Key);
                if (!await History.RunAsync(write, () => Writer.WriteAsync(next.Crawl, Event(next.Key))))
                {
                    break;
                }

                remaining.Dequeue();
            }
        }
        while (remaining.Count > 0 && !History.HasHung);
    }
}
