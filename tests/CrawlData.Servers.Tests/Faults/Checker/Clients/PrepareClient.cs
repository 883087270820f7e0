using System.Data;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Appends to a crawl of its own in a transaction that it prepares, and commits or rolls it back later. Restarts of the server come between.</summary>
internal sealed class PrepareClient(Workload workload, int number, Guid crawl) : Client(workload, number)
{
    private const int LongestHold = 750;

    private readonly CrawlEventRepository events = workload.Events(number);
    private int prepared;

    protected override async Task StepAsync()
    {
        var rows = Enumerable.Range(0, OneIn(10) ? 1_000 : Random.Next(1, 5)).Select(_ => (crawl, NextKey())).ToList();
        Workload.Added(rows.Count);

        // What was not prepared is rolled back. So every error before means that nothing is stored.
        var append = new AppendOperation(Number, $"append {rows.Count} and prepare", rows);
        await History.RunAsync(append, async () =>
        {
            var name = $"{Workload.Name} {Number} {++prepared}";
            var ids = await PrepareAsync(name, rows.Select(row => Event(row.Item2)));
            Workload.Counter.Add("prepared transaction");
            await ThinkAsync(LongestHold);

            // A restart may take longer. Readers must find the prepared transaction after it.
            await UntilDoneAsync(async () =>
            {
                await using var up = Workload.Witness.CreateCommand("select 1");
                return await up.ExecuteScalarAsync() is not null;
            });
            await ThinkAsync(LongestHold);
            var isCommitted = !OneIn(5);
            await EndAsync($"{(isCommitted ? "commit" : "rollback")} prepared '{name}'");
            append.Ids = isCommitted ? ids : throw new RolledBackException();
        });
        await ThinkAsync(20);
    }

    /// <summary>Appends, and prepares the transaction. When it throws, the transaction is not prepared.</summary>
    private async Task<IReadOnlyList<long>> PrepareAsync(string name, IEnumerable<NewCrawlEvent> rows)
    {
        await using var connection = await Workload.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var ids = await events.AppendAsync(crawl, rows, transaction);
        var process = connection.ProcessID;
        try
        {
            await using var prepare = new NpgsqlCommand($"prepare transaction '{name}'", connection, transaction);
            await prepare.ExecuteNonQueryAsync();
        }
        catch (NpgsqlException) when (connection.State != ConnectionState.Open)
        {
            if (!await IsPreparedAsync(name, process))
            {
                throw;
            }
        }

        return ids;
    }

    /// <summary>Finds out whether a transaction whose connection was lost is prepared. Its session is ended first.</summary>
    private async Task<bool> IsPreparedAsync(string name, int process)
    {
        await UntilDoneAsync(async () =>
        {
            await using var terminate = Workload.Witness.CreateCommand("select pg_terminate_backend(pid) from pg_stat_activity where pid = $1");
            terminate.Parameters.Add(new NpgsqlParameter { Value = process });
            return await terminate.ExecuteScalarAsync() is null;
        });
        var isPrepared = false;
        await UntilDoneAsync(async () =>
        {
            await using var find = Workload.Witness.CreateCommand("select exists (select from pg_prepared_xacts where gid = $1)");
            find.Parameters.Add(new NpgsqlParameter { Value = name });
            isPrepared = (bool)(await find.ExecuteScalarAsync())!;
            return true;
        });
        return isPrepared;
    }

    /// <summary>Commits or rolls back the prepared transaction. When an answer is lost, the transaction does not exist any more.</summary>
    private Task EndAsync(string statement) => UntilDoneAsync(async () =>
    {
        try
        {
            await using var end = Workload.Witness.CreateCommand(statement);
            await end.ExecuteNonQueryAsync();
        }
        catch (PostgresException error) when (error.SqlState == PostgresErrorCodes.UndefinedObject)
        {
        }

        return true;
    });

    /// <summary>Repeats a call while the server restarts, and until it returns true.</summary>
    private static async Task UntilDoneAsync(Func<Task<bool>> call)
    {
        for (var isDone = false; !isDone; await Task.Delay(10))
        {
            try
            {
                isDone = await call();
            }
            catch (NpgsqlException)
            {
                // The server restarts.
            }
        }
    }

    /// <summary>The client rolled its transaction back.</summary>
    private sealed class RolledBackException : Exception;
}
