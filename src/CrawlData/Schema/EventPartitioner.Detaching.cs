using System.Data;
using System.Globalization;
using System.Runtime.CompilerServices;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Schema.EventPartitionStatements;

namespace CrawlData.Schema;

/// <summary>What a purge does with partitions: detaches them, and then drops them or attaches them again.</summary>
public sealed partial class EventPartitioner
{
    private static readonly TimeSpan WritersPatience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestPauseForWriters = TimeSpan.FromMilliseconds(100);

    internal const string TryLockSql = "select pg_catalog.pg_try_advisory_lock(4860209034541326709)";

    internal const string UnlockSql = "select pg_catalog.pg_advisory_unlock(4860209034541326709)";

    internal const string WritersSql = $"{HighWaterMark.Writers} and relation = 'crawl_events'::regclass::oid";

    /// <summary>The most crawls that a query of <see cref="ListCrawlsAsync"/> lists, 2 or more. A test sets it.</summary>
    internal int CrawlsInPage { get; init; } = 10_000;

    /// <summary>Lists the tables whose partitions were detached and not dropped, because a purge was interrupted.</summary>
    internal Task<List<EventPartition>> ListDetachedAsync(CancellationToken cancellationToken) => dataSource.UseAsync(
        null,
        connection => InNarrowTransactionAsync(connection, transaction => ListDetachedAsync(transaction, cancellationToken), cancellationToken),
        cancellationToken);

    internal static Task<List<EventPartition>> ListDetachedAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        transaction.Connection!.QueryAsync(ListDetachedSql, null, row =>
        {
            // crawl_events_FROM_to_TO
            var parts = row.GetString(0).Split('_');
            var (from, to) = (long.Parse(parts[2], CultureInfo.InvariantCulture), long.Parse(parts[4], CultureInfo.InvariantCulture));
            return new EventPartition
            {
                Table = row.GetString(0),
                FromId = from == 0 ? null : from,
                ToId = to,
                EstimatedRows = row.GetNullable<long?>(1),
                SizeBytes = row.GetInt64(2),
                IsDetaching = true,
            };
        }, transaction, cancellationToken);

    /// <summary>Reads the last id that was drawn.</summary>
    internal Task<long> ReadLastIdAsync(CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, connection => ReadLastIdAsync(connection, null, cancellationToken), cancellationToken);

    /// <summary>Runs work that one process may do at a time, unless another does it.</summary>
    internal Task<bool> TryRunAloneAsync(Func<Task> work, CancellationToken cancellationToken) => dataSource.UseAsync(null, async connection =>
    {
        if (!await connection.QuerySingleAsync(TryLockSql, null, row => row.GetBoolean(0), null, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        try
        {
            await work().ConfigureAwait(false);
            return true;
        }
        finally
        {
            // A session that is broken has lost the lock.
            if (connection.FullState == ConnectionState.Open)
            {
                await connection.ExecuteAsync(UnlockSql, null, null, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }, cancellationToken);

    /// <summary>Finishes detachments that were interrupted, and attaches those tables again.</summary>
    internal async Task AttachLeftAsync(CancellationToken cancellationToken)
    {
        foreach (var partition in (await ListAsync(cancellationToken).ConfigureAwait(false)).Where(partition => partition.IsDetaching))
        {
            await DetachAsync(partition, cancellationToken).ConfigureAwait(false);
        }

        foreach (var partition in await ListDetachedAsync(cancellationToken).ConfigureAwait(false))
        {
            await AttachAgainAsync(partition, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until the transactions that may have drawn an id have ended, for at most a minute. After it, no event with an id below those that are
    /// drawn from now on appears.</summary>
    /// <returns>False when one is still open.</returns>
    internal async Task<bool> WaitForWritersAsync(CancellationToken cancellationToken)
    {
        var mark = new HighWaterMark();
        var pause = GrowingPause.ForTransactions;
        for (var started = time.GetTimestamp(); ; await Task.Delay(pause.Next(LongestPauseForWriters), time, cancellationToken).ConfigureAwait(false))
        {
            var writers = await dataSource.QuerySingleAsync(WritersSql, null, row => row.GetString(0), null, cancellationToken).ConfigureAwait(false);
            mark.Advance(1, HighWaterMark.Split(writers));
            if (!mark.IsHeldBack)
            {
                return true;
            }

            if (time.GetElapsedTime(started) > WritersPatience)
            {
                return false;
            }
        }
    }

    /// <summary>Lists the crawls whose events a table of events has, the newest first. The first page is small, for a caller that ends early.</summary>
    internal async IAsyncEnumerable<IReadOnlyList<Guid>> ListCrawlsAsync(
        EventPartition partition, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Guid? last = null;
        var isFull = true;
        for (var limit = 2; isFull; limit = CrawlsInPage)
        {
            var page = await ListPageAsync(limit).ConfigureAwait(false);
            isFull = page.Count == limit;
            if (last is { } seen)
            {
                // It begins the page, unless it was deleted meanwhile.
                page.Remove(seen);
            }

            yield return page;
            last = isFull ? page[^1] : null;
        }

        Task<List<Guid>> ListPageAsync(int limit) => dataSource.UseAsync(
            null,
            connection => InNarrowTransactionAsync(connection, async transaction =>
            {
                var sql = await connection.QuerySingleAsync(
                    ListCrawlsSql, TableOf(partition), row => row.GetString(0), transaction, cancellationToken).ConfigureAwait(false);
                var parameters = new Parameters { { "from_key", NpgsqlDbType.Uuid, last ?? Guid.AllBitsSet }, { "limit", NpgsqlDbType.Integer, limit } };
                return await connection.QueryAsync(sql, parameters, row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false);
            }, cancellationToken),
            cancellationToken);
    }

    /// <summary>Detaches a partition concurrently: readers and writers go on. It waits for the transactions that may use it, an instant at a time.</summary>
    internal Task DetachAsync(EventPartition partition, CancellationToken cancellationToken)
    {
        return TryForLocksAsync(
            "detach a partition",
            TryDetachAsync,
            () => dataSource.UseAsync(null, connection => EndAutovacuumAsync(connection, partition.Table, cancellationToken), cancellationToken),
            cancellationToken);

        async Task<bool> TryDetachAsync()
        {
            var current = (await ListAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault(one => one.Table == partition.Table);
            return current is not null && await dataSource.UseAsync(
                null,
                connection => current.IsDetaching
                    ? InNarrowTransactionAsync(connection, async transaction =>
                    {
                        await ExecuteAsync(transaction, LockTimeoutSql, cancellationToken).ConfigureAwait(false);
                        return await ExecuteReturnedAsync(transaction, FinalizeSql, TableOf(partition), cancellationToken).ConfigureAwait(false);
                    }, cancellationToken)
                    : DetachConcurrentlyAsync(connection, partition, cancellationToken),
                cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Attaches a table whose partition was detached. Its check, which the detachment made, saves reading it for the range.</summary>
    internal Task<bool> AttachAgainAsync(EventPartition partition, CancellationToken cancellationToken) => dataSource.UseAsync(
        null,
        connection => WithShortLocksAsync(connection, "attach a partition again", partition.Table, async transaction =>
        {
            await ExecuteAsync(transaction, LockRunsSql, cancellationToken).ConfigureAwait(false);
            return await AttachAsync(transaction, partition, cancellationToken).ConfigureAwait(false);
        }, cancellationToken),
        cancellationToken);

    /// <summary>Drops a table whose partition was detached, if a last look under the lock of all runs allows it. Nothing is appended meanwhile.</summary>
    internal Task<bool> TryDropAsync(EventPartition partition, Func<NpgsqlTransaction, Task<bool>> isAllowed, CancellationToken cancellationToken) =>
        dataSource.UseAsync(
            null,
            connection => WithShortLocksAsync(connection, "drop a partition", partition.Table, async transaction =>
            {
                await ExecuteAsync(transaction, LockRunsSql, cancellationToken).ConfigureAwait(false);
                return await isAllowed(transaction).ConfigureAwait(false)
                    && await ExecuteReturnedAsync(transaction, DropSql, TableOf(partition), cancellationToken).ConfigureAwait(false);
            }, cancellationToken),
            cancellationToken);

    // It takes no transaction, so its settings are the session's.
    private static async Task<bool> DetachConcurrentlyAsync(NpgsqlConnection connection, EventPartition partition, CancellationToken cancellationToken)
    {
        var statement = await connection.QuerySingleAsync(DetachSql, TableOf(partition), row => row.GetString(0), null, cancellationToken)
            .ConfigureAwait(false);
        await connection.ExecuteAsync(DetachSettingsSql, null, null, cancellationToken).ConfigureAwait(false);
        try
        {
            var command = new NpgsqlCommand(statement, connection) { CommandTimeout = 0 };
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                return true;
            }
        }
        finally
        {
            if (connection.FullState == ConnectionState.Open)
            {
                await connection.ExecuteAsync(ResetSettingsSql, null, null, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private static Parameters TableOf(EventPartition partition) => new() { { "table", NpgsqlDbType.Text, partition.Table } };
}
