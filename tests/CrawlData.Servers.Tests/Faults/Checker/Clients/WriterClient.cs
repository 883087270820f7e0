using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Writes to a writer that other clients share, flushes it, and takes what it could not store: of one crawl, or of all.</summary>
internal class WriterClient(Workload workload, int number, CrawlEventWriter writer, int writerNumber, IReadOnlyList<Guid> crawls) : Client(workload, number)
{
    protected CrawlEventWriter Writer => writer;

    protected int WriterNumber => writerNumber;

    protected override async Task StepAsync()
    {
        var crawl = Any(crawls);
        switch (Random.Next(40))
        {
            case < 24:
                for (var count = Random.Next(1, 9); count > 0; count--)
                {
                    await WriteAsync(crawl, NextKey());
                }

                break;
            case < 30:
                await AppendAsync(crawl, refused: false);
                break;
            case 30:
                await AppendAsync(crawl, refused: true);
                break;
            case 31:
                await WriteAsync(crawl, NextKey(), refused: true);
                break;
            case 32:
                await WriteAsync(Guid.NewGuid(), NextKey());
                break;
            case 33:
                await WriteAsync(crawl, NextKey(), cancels: true);
                break;
            case 34:
                await TakeAsync(OneIn(2) ? crawl : null);
                break;
            default:
                await FlushAsync(crawl);
                break;
        }

        await ThinkAsync(1);
    }

    /// <summary>Writes an event. When the writer keeps unstored events of the crawl, it takes them.</summary>
    protected async Task<bool> WriteAsync(Guid crawl, EventKey key, bool refused = false, bool cancels = false)
    {
        Workload.Added(1);
        using var cancellation = new CancellationTokenSource(cancels ? TimeSpan.FromMilliseconds(Random.Next(5)) : Timeout.InfiniteTimeSpan);
        var write = new WriteOperation(Number, writerNumber, crawl, key) { IsRefused = refused };
        if (await History.RunAsync(write, () => writer.WriteAsync(crawl, Event(key, refused), cancellation.Token)))
        {
            return true;
        }

        await OnErrorAsync(write.Error, crawl);
        return false;
    }

    protected async Task FlushAsync(Guid crawl)
    {
        var flush = new FlushOperation(Number, writerNumber, OneIn(2) ? crawl : null);
        var isFlushed = await History.RunAsync(flush, () =>
        {
            var flushing = flush.Crawl is { } one ? writer.FlushAsync(one) : writer.FlushAsync();
            flush.Registered = History.Now;
            return flushing;
        });
        if (isFlushed)
        {
            await ReadAsync(crawl);
        }

        await OnErrorAsync(flush.Error, flush.Crawl);
    }

    protected async Task<TakeOperation> TakeAsync(Guid? crawl)
    {
        var take = new TakeOperation(Number, writerNumber, crawl);
        await History.RunAsync(take, () =>
        {
            var taken = crawl is { } one ? writer.TakeUnstored(one) : writer.TakeUnstored();
            take.Taken = [.. taken.Select(one => (one.CrawlId, KeyOf(one.Event.Payload), one.Error))];
            return Task.CompletedTask;
        });
        return take;
    }

    /// <summary>Takes the unstored events of a crawl, or of all, after an error that says that there are some.</summary>
    protected virtual async Task OnErrorAsync(Exception? error, Guid? crawl)
    {
        if (error is CrawlEventsNotStoredException)
        {
            // The writer also refuses events of a crawl without unstored events, when it is full of them.
            var take = await TakeAsync(crawl);
            if (take.Taken.Count == 0)
            {
                await TakeAsync(null);
            }
        }
    }

    private async Task AppendAsync(Guid crawl, bool refused)
    {
        var key = NextKey();
        Workload.Added(1);
        var append = new AppendOperation(Number, "append", [(crawl, key)]) { Writer = writerNumber, HasRefusedRow = refused };
        await History.RunAsync(append, async () => append.Ids = [await writer.AppendAsync(crawl, Event(key, refused))]);
        await OnErrorAsync(append.Error, crawl);
    }

    /// <summary>Reads the client's events with plain SQL.</summary>
    private async Task ReadAsync(Guid crawl)
    {
        var read = new ReadOperation(Number, writerNumber, crawl);
        await History.RunAsync(read, async () =>
        {
            await using var command = Workload.Witness.CreateCommand(
                "select (payload->>'number')::int from crawl_events where crawl_id = $1 and (payload->>'client')::int = $2");
            command.Parameters.Add(new NpgsqlParameter { Value = crawl });
            command.Parameters.Add(new NpgsqlParameter { Value = Number });
            await using var reader = await command.ExecuteReaderAsync();
            var keys = new HashSet<EventKey>();
            while (await reader.ReadAsync())
            {
                keys.Add(new EventKey(Number, reader.GetInt32(0)));
            }

            read.Keys = keys;
        });
    }
}
