using System.Globalization;
using System.Text.RegularExpressions;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Schema.EventPartitionStatements;

namespace CrawlData.Schema;

/// <summary>Partitions <c>crawl_events</c> by ranges of its ids, while crawlers write and readers read. It makes the next partitions ahead. Old events are then
/// deleted with their partition, at next to no cost: see <see cref="Retention.RetentionPurger"/>.</summary>
/// <remarks>
/// <para><b>Conversion.</b> The rows of a table stay where they are, as the oldest partition. New events go to new partitions at once. The table keeps
/// its name, primary key, foreign key, indexes, sequence, owner, rights, policies, comments and publications.</para>
/// <para><b>Interruption.</b> Each step is a transaction. A killed process leaves a table that works, and the next call goes on where it ended.</para>
/// <para><b>Locks.</b> Readers and writers wait for an instant, at most twice 300 ms an attempt. An attempt that gets no lock in time is repeated.</para>
/// <para><b>Rights.</b> The role must own the tables. It needs a direct connection, not PgBouncer's transaction mode. Errors of the server are thrown as
/// <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <example>
/// <code>
/// foreach (var partition in await new EventPartitioner(dataSource).PartitionAsync())
/// {
///     Console.WriteLine($"{partition.Table}: {partition.SizeBytes} bytes");
/// }
/// </code>
/// </example>
public sealed partial class EventPartitioner
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    private readonly NpgsqlDataSource dataSource;
    private readonly EventPartitionerOptions options;
    private readonly ILogger log;
    private readonly TimeProvider time;

    /// <summary>Makes a partitioner.</summary>
    /// <param name="dataSource">The application's data source. The application disposes it.</param>
    /// <param name="options">How large partitions are, and how many are made ahead; the defaults when null.</param>
    /// <param name="logger">Logs each step; may be null.</param>
    /// <param name="timeProvider">Measures pauses; <see cref="TimeProvider.System"/> when null.</param>
    public EventPartitioner(
        NpgsqlDataSource dataSource,
        EventPartitionerOptions? options = null,
        ILogger<EventPartitioner>? logger = null,
        TimeProvider? timeProvider = null)
        : this(dataSource, options, logger.Guarded(), timeProvider)
    {
    }

    /// <summary>Makes a partitioner that logs as its caller does.</summary>
    internal EventPartitioner(NpgsqlDataSource dataSource, EventPartitionerOptions? options, ILogger log, TimeProvider? timeProvider)
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        (this.dataSource, this.options, this.log) = (dataSource, options ?? new EventPartitionerOptions(), log);
        time = timeProvider ?? TimeProvider.System;
    }

    /// <summary>Runs before each step of a conversion. A test ends the conversion there.</summary>
    internal Func<string, Task>? BeforeStep { get; init; }

    /// <summary>Lists the partitions, the oldest first. It changes nothing.</summary>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The partitions; empty when the table is not partitioned.</returns>
    public Task<IReadOnlyList<EventPartition>> ListAsync(CancellationToken cancellationToken = default) => dataSource.UseAsync(
        null,
        connection => InNarrowTransactionAsync(connection, transaction => ListAsync(transaction, cancellationToken), cancellationToken),
        cancellationToken);

    /// <summary>Partitions the table if it is not partitioned, and makes the next partitions ahead.</summary>
    /// <remarks>
    /// <para>It adds a check that all ids are below a bound, far above the newest id, and validates it, which reads the table and holds up nobody. Then it
    /// swaps the table for a partitioned one, in which the table is the partition below the bound. The sequence goes on at the bound, so ids have a gap
    /// there.</para>
    /// <para>Should the sequence come near the bound during the validation, the check is dropped, and a higher bound is chosen. So it refuses no
    /// append.</para>
    /// </remarks>
    /// <param name="cancellationToken">Cancels between two steps, or the running one. What is done stays.</param>
    /// <returns>All partitions, the oldest first.</returns>
    /// <exception cref="PartitioningRefusedException">The table has something that would not be carried over. Nothing was changed.</exception>
    /// <exception cref="MigrationLockTimeoutException">Another session migrates or partitions.</exception>
    /// <exception cref="PostgresException">The role does not own the tables (SQLSTATE <c>42501</c>), the tables are missing (<c>42P01</c>), or a lock could not
    /// be had within <see cref="EventPartitionerOptions.LockPatience"/> (<c>55P03</c>).</exception>
    public async Task<IReadOnlyList<EventPartition>> PartitionAsync(CancellationToken cancellationToken = default)
    {
        await WithMigrationLockAsync(async connection =>
        {
            var state = await ReadStateAsync(connection, cancellationToken).ConfigureAwait(false);
            if (!state.IsPartitioned)
            {
                await ConvertAsync(connection, state, cancellationToken).ConfigureAwait(false);
            }
            else if (state.Key != "RANGE (id)")
            {
                throw new PartitioningRefusedException([$"partitions by {state.Key}"]);
            }
        }, cancellationToken).ConfigureAwait(false);
        await MakeAheadAsync(cancellationToken).ConfigureAwait(false);
        return await ListAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes back a conversion that was interrupted before its end: drops its check. A table that is partitioned stays so.</summary>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="MigrationLockTimeoutException">Another session migrates or partitions.</exception>
    public async Task<bool> AbandonAsync(CancellationToken cancellationToken = default)
    {
        var isAbandoned = false;
        await WithMigrationLockAsync(async connection =>
        {
            var state = await ReadStateAsync(connection, cancellationToken).ConfigureAwait(false);
            if (isAbandoned = !state.IsPartitioned && state.Bound is not null)
            {
                await DropConstraintAsync(connection, cancellationToken).ConfigureAwait(false);
            }
        }, cancellationToken).ConfigureAwait(false);
        return isAbandoned;
    }

    /// <summary>Makes the next partitions until <see cref="EventPartitionerOptions.Ahead"/> of them are ready beyond the newest id. Any number of processes may
    /// call it at once. Readers and writers of events do not wait.</summary>
    /// <param name="cancellationToken">Cancels the call. Partitions that were made stay.</param>
    /// <returns>The partitions that this call made; empty when enough were ready, or when the table is not partitioned.</returns>
    /// <exception cref="PostgresException">The role does not own the tables (SQLSTATE <c>42501</c>), or a lock could not be had within
    /// <see cref="EventPartitionerOptions.LockPatience"/> (<c>55P03</c>).</exception>
    public async Task<IReadOnlyList<EventPartition>> MakeAheadAsync(CancellationToken cancellationToken = default)
    {
        var made = new List<EventPartition>();
        while (await NeedsPartitionAsync(cancellationToken).ConfigureAwait(false))
        {
            var partition = await dataSource.UseAsync(
                null, connection => WithShortLocksAsync(connection, "make a partition", null, MakeIfNeededAsync, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            if (partition is not null)
            {
                Log.PartitionMade(log, partition.Table);
                made.Add(partition);
            }
        }

        return made;

        async Task<EventPartition?> MakeIfNeededAsync(NpgsqlTransaction transaction)
        {
            await ExecuteAsync(transaction, LockPartitionsSql, cancellationToken).ConfigureAwait(false);
            var (partitions, isEnough) = await ReadAheadAsync(transaction, cancellationToken).ConfigureAwait(false);
            return isEnough ? null : await MakeNextAsync(transaction, partitions[^1], cancellationToken).ConfigureAwait(false);
        }
    }

    private Task<bool> NeedsPartitionAsync(CancellationToken cancellationToken) => dataSource.InTransactionAsync(async (_, transaction) =>
    {
        await NarrowAsync(transaction, cancellationToken).ConfigureAwait(false);
        return !(await ReadAheadAsync(transaction, cancellationToken).ConfigureAwait(false)).IsEnough;
    }, cancellationToken);

    private async Task<(IReadOnlyList<EventPartition> Partitions, bool IsEnough)> ReadAheadAsync(
        NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var partitions = await ListAsync(transaction, cancellationToken).ConfigureAwait(false);
        var last = await ReadLastIdAsync(transaction.Connection!, transaction, cancellationToken).ConfigureAwait(false);
        return (partitions, partitions.Count == 0 || partitions.Count(partition => partition.IsAhead(last)) >= options.Ahead);
    }

    private async Task ConvertAsync(NpgsqlConnection connection, State state, CancellationToken cancellationToken)
    {
        var margin = options.Margin;
        while (true)
        {
            if (state.Bound is not { } bound)
            {
                await RequireNoObstaclesAsync(connection, cancellationToken).ConfigureAwait(false);
                await StepAsync("add the check").ConfigureAwait(false);

                // A round number, so that the names of partitions are.
                var width = options.Width ?? EventPartitionerOptions.DefaultWidth;
                bound = (((state.LastId + margin) / width) + 1) * width;
                await WithShortLocksAsync(
                    connection,
                    "add a check",
                    null,
                    transaction => ExecuteReturnedAsync(transaction, AddConstraintSql, Bound(bound), cancellationToken),
                    cancellationToken).ConfigureAwait(false);
            }

            await StepAsync("validate the check").ConfigureAwait(false);
            if (state.IsValidated || await TryValidateAsync(connection, bound, margin, cancellationToken).ConfigureAwait(false))
            {
                await StepAsync("swap the tables").ConfigureAwait(false);
                await RequireNoObstaclesAsync(connection, cancellationToken).ConfigureAwait(false);
                await WithShortLocksAsync(
                    connection, "swap the tables", null, transaction => SwapAsync(transaction, bound, cancellationToken), cancellationToken)
                    .ConfigureAwait(false);
                Log.EventsPartitioned(log, bound);
                await StepAsync("analyze the table").ConfigureAwait(false);
                await connection.InTransactionAsync(
                    async transaction =>
                    {
                        await NarrowAsync(transaction, cancellationToken).ConfigureAwait(false);
                        return await ExecuteAsync(transaction, AnalyzeSql, cancellationToken).ConfigureAwait(false);
                    },
                    cancellationToken).ConfigureAwait(false);
                return;
            }

            margin *= 2;
            await DropConstraintAsync(connection, cancellationToken).ConfigureAwait(false);
            state = await ReadStateAsync(connection, cancellationToken).ConfigureAwait(false);
        }

        Task StepAsync(string step) => BeforeStep?.Invoke(step) ?? Task.CompletedTask;
    }

    /// <summary>Validates the check, and watches the sequence meanwhile.</summary>
    /// <returns>False when the sequence came near the bound.</returns>
    private async Task<bool> TryValidateAsync(NpgsqlConnection connection, long bound, long margin, CancellationToken cancellationToken)
    {
        if (bound - await ReadLastIdAsync(connection, null, cancellationToken).ConfigureAwait(false) < margin / 2)
        {
            return false;
        }

        using var near = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var watching = WatchAsync();
        try
        {
            await WithShortLocksAsync(
                connection, "validate a check", null, transaction => ExecuteAsync(transaction, ValidateSql, near.Token), near.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (near.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task WatchAsync()
        {
            while (true)
            {
                long last;
                try
                {
                    last = await dataSource.UseAsync(
                        null, one => ReadLastIdAsync(one, null, ended.Token), ended.Token).ConfigureAwait(false);
                }
                catch (NpgsqlException)
                {
                    // Without the sequence's value there is nothing to go by: the check must not stay for long.
                    last = bound;
                }

                if (bound - last < margin / 2)
                {
                    await near.CancelAsync().ConfigureAwait(false);
                    return;
                }

                await Task.Delay(WatchInterval, time, ended.Token).ConfigureAwait(false);
            }
        }
    }

    private async Task<bool> SwapAsync(NpgsqlTransaction transaction, long bound, CancellationToken cancellationToken)
    {
        await ExecuteAsync(transaction, LockSql, cancellationToken).ConfigureAwait(false);
        var old = EventPartition.NameOf(null, bound);
        var connection = transaction.Connection!;
        var parameters = Bound(bound);
        parameters.Add("table", NpgsqlDbType.Text, old);
        var statements = await connection.QueryAsync(
            SwapSql, parameters, row => (Step: row.GetInt32(0), Statement: row.GetString(1)), transaction, cancellationToken).ConfigureAwait(false);
        foreach (var step in statements.GroupBy(statement => statement.Step))
        {
            foreach (var (_, statement) in step)
            {
                await ExecuteAsync(transaction, statement, cancellationToken).ConfigureAwait(false);
            }

            if (step.Key == 3)
            {
                await RevokeAsync(transaction, "crawl_events", cancellationToken).ConfigureAwait(false);
            }
        }

        // All of them, so that a process that is killed now leaves enough.
        var newest = new EventPartition { Table = old, FromId = null, ToId = bound, EstimatedRows = null, SizeBytes = 0 };
        for (var made = 0; made <= options.Ahead; made++)
        {
            newest = await MakeNextAsync(transaction, newest, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private async Task<EventPartition> MakeNextAsync(NpgsqlTransaction transaction, EventPartition newest, CancellationToken cancellationToken)
    {
        var width = options.Width ?? (newest.FromId is { } from ? newest.ToId - from : EventPartitionerOptions.DefaultWidth);
        var next = new EventPartition
        {
            Table = EventPartition.NameOf(newest.ToId, newest.ToId + width),
            FromId = newest.ToId,
            ToId = newest.ToId + width,
            EstimatedRows = null,
            SizeBytes = 0,
        };
        var parameters = new Parameters { { "table", NpgsqlDbType.Text, next.Table }, { "like_table", NpgsqlDbType.Text, newest.Table } };
        await ExecuteReturnedAsync(transaction, CreatePartitionSql, parameters, cancellationToken).ConfigureAwait(false);
        await RevokeAsync(transaction, next.Table, cancellationToken).ConfigureAwait(false);
        await AttachAsync(transaction, next, cancellationToken).ConfigureAwait(false);
        return next;
    }

    private static Task<bool> AttachAsync(NpgsqlTransaction transaction, EventPartition partition, CancellationToken cancellationToken) =>
        ExecuteReturnedAsync(
            transaction,
            AttachPartitionSql,
            new Parameters
            {
                { "table", NpgsqlDbType.Text, partition.Table },
                { "after_id", NpgsqlDbType.Bigint, partition.FromId },
                { "up_to_id", NpgsqlDbType.Bigint, partition.ToId },
            },
            cancellationToken);

    private static Task<bool> RevokeAsync(NpgsqlTransaction transaction, string table, CancellationToken cancellationToken) =>
        ExecuteReturnedAsync(transaction, RevokeSql, new Parameters { { "table", NpgsqlDbType.Text, table } }, cancellationToken);

    private Task<bool> DropConstraintAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        WithShortLocksAsync(
            connection, "drop a check", null, transaction => ExecuteAsync(transaction, DropConstraintSql, cancellationToken), cancellationToken);

    private static async Task RequireNoObstaclesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var (placement, obstacles) = await InNarrowTransactionAsync(connection, async transaction => (
            await CitusPlacement.ReadAsync(connection, transaction, cancellationToken).ConfigureAwait(false),
            await connection.QueryAsync(ObstaclesSql, null, row => row.GetString(0), transaction, cancellationToken).ConfigureAwait(false)), cancellationToken)
            .ConfigureAwait(false);
        if (placement is { IsDistributed: true })
        {
            throw new PartitioningRefusedException();
        }

        if (obstacles.Count > 0)
        {
            throw new PartitioningRefusedException(obstacles);
        }
    }

    private static Task<State> ReadStateAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        InNarrowTransactionAsync(connection, async transaction => (await connection.QueryAsync(
            StateSql,
            null,
            row => new State(row.GetBoolean(0), row.GetString(1), row.GetNullable<string>(2), row.GetInt64(3)),
            transaction,
            cancellationToken).ConfigureAwait(false)).Single(), cancellationToken);

    internal static async Task<IReadOnlyList<EventPartition>> ListAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        await transaction.Connection!.QueryAsync(
            ListPartitionsSql,
            null,
            row => new EventPartition
            {
                Table = row.GetString(0),
                FromId = row.GetNullable<long?>(1),
                ToId = row.GetInt64(2),
                EstimatedRows = row.GetNullable<long?>(3),
                SizeBytes = row.GetInt64(4),
                IsDetaching = row.GetBoolean(5),
            },
            transaction,
            cancellationToken).ConfigureAwait(false);

    private static Task<long> ReadLastIdAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        connection.QuerySingleAsync(LastIdSql, null, row => row.GetInt64(0), transaction, cancellationToken);

    private Task<bool> WithMigrationLockAsync(Func<NpgsqlConnection, Task> work, CancellationToken cancellationToken)
    {
        Connections.ThrowIfAmbient(null);
        return dataSource.UseAsync(null, async connection =>
        {
            var migrationLock = new MigrationLock(connection, dataSource, options.LockPatience, time, log);
            await using (migrationLock.ConfigureAwait(false))
            {
                await migrationLock.AcquireAsync(cancellationToken).ConfigureAwait(false);
                await work(connection).ConfigureAwait(false);
                return true;
            }
        }, cancellationToken);
    }

    /// <summary>Runs work that needs a lock, in a transaction that waits for it for an instant only, until it gets it.</summary>
    private Task<T> WithShortLocksAsync<T>(
        NpgsqlConnection connection,
        string purpose,
        string? partition,
        Func<NpgsqlTransaction, Task<T>> work,
        CancellationToken cancellationToken) => TryForLocksAsync(
            purpose,
            () => InNarrowTransactionAsync(connection, async transaction =>
            {
                await ExecuteAsync(transaction, LockTimeoutSql, cancellationToken).ConfigureAwait(false);
                return await work(transaction).ConfigureAwait(false);
            }, cancellationToken),
            () => EndAutovacuumAsync(connection, partition, cancellationToken),
            cancellationToken);

    /// <summary>Makes attempts that wait for locks for an instant only, until one gets them. Others pass between two attempts.</summary>
    private async Task<T> TryForLocksAsync<T>(string purpose, Func<Task<T>> attempt, Func<Task> endAutovacuum, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        for (var pause = TimeSpan.FromMilliseconds(50); ; pause = pause * 1.5 < LongestPause ? pause * 1.5 : LongestPause)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (PostgresException exception) when (
                exception.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected && HasTime(started))
            {
                Log.WaitingForLocks(log, purpose, time.GetElapsedTime(started).TotalSeconds);
            }

            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), time, cancellationToken).ConfigureAwait(false);
            await endAutovacuum().ConfigureAwait(false);
        }
    }

    /// <summary>Ends an autovacuum of the tables, which would outlast each attempt.</summary>
    private static async Task<bool> EndAutovacuumAsync(NpgsqlConnection connection, string? partition, CancellationToken cancellationToken)
    {
        try
        {
            return await InNarrowTransactionAsync(connection, async transaction =>
            {
                await ExecuteAsync(transaction, EndAutovacuumTimeoutSql, cancellationToken).ConfigureAwait(false);
                return await ExecuteReturnedAsync(
                    transaction, EndAutovacuumSql, new Parameters { { "table", NpgsqlDbType.Text, partition } }, cancellationToken).ConfigureAwait(false);
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
        {
            // A session holds it, or an autovacuum that prevents a wraparound. The next attempt tells.
            return false;
        }
    }

    private bool HasTime(long started) => options.LockPatience == Timeout.InfiniteTimeSpan || time.GetElapsedTime(started) < options.LockPatience;

    private static Task<T> InNarrowTransactionAsync<T>(
        NpgsqlConnection connection, Func<NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken) =>
        connection.InTransactionAsync(async transaction =>
        {
            await NarrowAsync(transaction, cancellationToken).ConfigureAwait(false);
            return await work(transaction).ConfigureAwait(false);
        }, cancellationToken);

    private static async Task NarrowAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        await transaction.Connection!.ExecuteAsync(TransactionTimeouts.DisableSql, null, transaction, cancellationToken).ConfigureAwait(false);
        await transaction.Connection!.ExecuteAsync(SchemaCatalog.NarrowSearchPathSql, null, transaction, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<bool> ExecuteReturnedAsync(
        NpgsqlTransaction transaction, string sql, Parameters parameters, CancellationToken cancellationToken)
    {
        var statements = await transaction.Connection!.QueryAsync(sql, parameters, row => row.GetString(0), transaction, cancellationToken)
            .ConfigureAwait(false);
        foreach (var statement in statements)
        {
            await ExecuteAsync(transaction, statement, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    // A validation reads the whole table, however long that takes.
    private static async Task<bool> ExecuteAsync(NpgsqlTransaction transaction, string sql, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, transaction.Connection, transaction) { CommandTimeout = 0 };
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
    }

    private static Parameters Bound(long bound) => new() { { "up_to_id", NpgsqlDbType.Bigint, bound } };

    /// <summary>How far a conversion is.</summary>
    /// <param name="IsPartitioned">Whether the table is partitioned.</param>
    /// <param name="Key">By what.</param>
    /// <param name="Check">The check's definition; null when there is none.</param>
    /// <param name="LastId">The last id that was drawn.</param>
    private sealed partial record State(bool IsPartitioned, string Key, string? Check, long LastId)
    {
        public long? Bound => Check is null ? null : long.Parse(Digits().Match(Check).Value, CultureInfo.InvariantCulture);

        public bool IsValidated => Check?.EndsWith("NOT VALID", StringComparison.Ordinal) == false;

        [GeneratedRegex(@"\d+")]
        private static partial Regex Digits();
    }
}
