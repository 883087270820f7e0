using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Dapper;
using Npgsql;

namespace CrawlData;

/// <summary>The few ways in which statements are run. Dapper executes them; rows are mapped by hand, since Dapper's mapping goes through type handlers and
/// conventions that are process-wide, and the application's to change.</summary>
internal static class Database
{
    /// <summary>Works on the caller's transaction's connection or, without one, on a connection of the data source, which then goes back to the
    /// pool.</summary>
    /// <exception cref="InvalidOperationException">The transaction has ended.</exception>
    public static async Task<T> UseAsync<T>(
        this NpgsqlDataSource dataSource, NpgsqlTransaction? transaction, Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        if (transaction is not null)
        {
            return await work(transaction.Connection!).ConfigureAwait(false);
        }

        var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            return await work(connection).ConfigureAwait(false);
        }
    }

    /// <summary>Works in a transaction, which is committed at the end and rolled back on an exception.</summary>
    public static async Task<T> InTransactionAsync<T>(
        this NpgsqlConnection connection, Func<NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken)
    {
        var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            var result = await work(transaction).ConfigureAwait(false);

            // Cancelled before it and not in it, where nobody could say whether it was done.
            cancellationToken.ThrowIfCancellationRequested();
            await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
            return result;
        }
    }

    /// <summary>A statement, with the caller's transaction or none.</summary>
    public static CommandDefinition Command(string sql, Parameters? parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        new(sql, parameters ?? new Parameters(), transaction, cancellationToken: cancellationToken);

    /// <summary>Reads all rows of a statement.</summary>
    public static Task<List<T>> ReadListAsync<T>(this NpgsqlDataSource dataSource, CommandDefinition command, Func<DbDataReader, T> read) =>
        dataSource.UseAsync((NpgsqlTransaction?)command.Transaction, connection => connection.ReadListAsync(command, read), command.CancellationToken);

    /// <inheritdoc cref="ReadListAsync{T}(NpgsqlDataSource, CommandDefinition, Func{DbDataReader, T})"/>
    public static async Task<List<T>> ReadListAsync<T>(this NpgsqlConnection connection, CommandDefinition command, Func<DbDataReader, T> read)
    {
        var reader = await connection.ExecuteReaderAsync(command).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            return await reader.ReadListAsync(read, command.CancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads all rows of a result.</summary>
    public static async Task<List<T>> ReadListAsync<T>(this DbDataReader reader, Func<DbDataReader, T> read, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    /// <summary>Reads counts by an enum's labels: one for each, 0 where there is no row.</summary>
    public static async Task<IReadOnlyDictionary<T, long>> CountByLabelAsync<T>(this NpgsqlDataSource dataSource, CommandDefinition command) where T : struct, Enum
    {
        var counts = Enum.GetValues<T>().ToDictionary(value => value, _ => 0L);
        foreach (var (value, count) in await dataSource.ReadListAsync(command, row => (row.GetLabel<T>(0), row.GetInt64(1))).ConfigureAwait(false))
        {
            counts[value] = count;
        }

        return counts;
    }

    /// <summary>Reads counts by a text column.</summary>
    public static async Task<IReadOnlyDictionary<string, long>> CountByTextAsync(this NpgsqlDataSource dataSource, CommandDefinition command) =>
        (await dataSource.ReadListAsync(command, row => KeyValuePair.Create(row.GetString(0), row.GetInt64(1))).ConfigureAwait(false)).ToDictionary();

    /// <summary>Inserts rows whose ids the caller made.</summary>
    /// <returns>The rows in the order of the ids; none when the statement inserted none.</returns>
    /// <exception cref="RowAlreadyExistsException">One of the ids is taken.</exception>
    public static async Task<IReadOnlyList<T>> InsertRowsAsync<T>(
        this NpgsqlDataSource dataSource, CommandDefinition command, string table, IReadOnlyList<Guid> ids, Func<DbDataReader, T> read, Func<T, Guid> id)
    {
        try
        {
            var rows = (await dataSource.ReadListAsync(command, read).ConfigureAwait(false)).ToDictionary(id);
            return rows.Count == 0 ? [] : [.. ids.Select(inserted => rows[inserted])];
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation && exception.ConstraintName == $"{table}_pkey")
        {
            throw new RowAlreadyExistsException(table, ids, exception);
        }
    }

    /// <summary>Reads the rows of a statement each as it arrives, on the caller's transaction's connection or, without one, on a connection that is held
    /// meanwhile. It may be enumerated several times, each with parameters and a reader of its own.</summary>
    public static async IAsyncEnumerable<T> StreamAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        Func<Parameters> parameters,
        Func<Func<DbDataReader, T>> reads,
        NpgsqlTransaction? transaction,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var own = transaction is null ? await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false) : null;
        try
        {
            var command = new NpgsqlCommand(sql, own ?? transaction!.Connection!, transaction);
            await using var commandDisposal = command.ConfigureAwait(false);
            parameters().AddTo(command);
            var reader = await command.ExecuteReaderAsync(CommandBehavior.SingleResult, cancellationToken).ConfigureAwait(false);
            await using var readerDisposal = reader.ConfigureAwait(false);
            var given = false;

            var read = reads();
            try
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    given = true;
                    yield return read(reader);

                    // The reader itself looks at the token only when it has to wait.
                    cancellationToken.ThrowIfCancellationRequested();
                    given = false;
                }
            }
            finally
            {
                // Left while a row was given: disposing reads what is left, and of a cancelled query little is. Not otherwise, since a cancel request costs a
                // connection; nor in a transaction of the caller's, which it would abort, unless the caller cancels.
                if (given && (own is not null || cancellationToken.IsCancellationRequested))
                {
                    command.Cancel();
                }
            }
        }
        finally
        {
            if (own is not null)
            {
                await own.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Reads an enum from its label.</summary>
    public static T GetLabel<T>(this DbDataReader reader, int ordinal) where T : struct, Enum => EnumLabels.Parse<T>(reader.GetString(ordinal));

    /// <summary>Reads a jsonb column.</summary>
    public static Jsonb GetJsonb(this DbDataReader reader, int ordinal) => Jsonb.FromDatabase(reader.GetFieldValue<byte[]>(ordinal));

    /// <summary>Reads a column that may be null.</summary>
    public static T? GetNullable<T>(this DbDataReader reader, int ordinal) => reader.IsDBNull(ordinal) ? default : reader.GetFieldValue<T>(ordinal);
}
