using System.Buffers;
using System.Data.Common;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Reads rows and columns.</summary>
internal static class RowReader
{
    // PostgreSQL sends the version of its format before the text.
    private const int JsonbVersionBytes = 1;

    private static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>Maps all rows of a result.</summary>
    public static async Task<List<T>> ReadAllAsync<T>(this DbDataReader reader, Func<DbDataReader, T> map, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            rows.Add(map(reader));
        }

        return rows;
    }

    /// <summary>Maps the row of a result that has at most one.</summary>
    /// <returns>The row; null when there is none.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<T?> ReadRowAsync<T>(this NpgsqlDataReader reader, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken)
        where T : struct
    {
        T? row = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? map(reader) : null;

        // An error of a trigger or a constraint comes after the row.
        return row is null || !await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? row
            : throw new InvalidOperationException("The statement returned more than one row.");
    }

    /// <summary>Goes on to the next result, and maps its row.</summary>
    /// <returns>The row; null when there is none.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<T?> ReadNextRowAsync<T>(this NpgsqlDataReader reader, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken)
        where T : struct
    {
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadRowAsync(map, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads an enum from its label.</summary>
    /// <exception cref="UnreadableRowException">This version does not know the label.</exception>
    public static T GetLabel<T>(this DbDataReader row, string table, int ordinal) where T : struct, Enum =>
        EnumLabels.TryParse<T>(row.GetString(ordinal))
            ?? throw UnreadableRowException.OfLabel(table, row.GetKey(), row.GetName(ordinal), row.GetString(ordinal));

    /// <summary>Reads a jsonb column.</summary>
    public static Jsonb GetJsonb(this DbDataReader row, int ordinal) => Jsonb.FromDatabase(row.GetFieldValue<byte[]>(ordinal));

    /// <summary>Copies the JSON text of a jsonb column, without an object for it.</summary>
    public static void CopyJsonb(this DbDataReader row, int ordinal, ArrayBufferWriter<byte> output) =>
        output.Advance(row.Peek(ordinal, JsonbVersionBytes, output).Length);

    /// <summary>Copies the UTF-8 of a text column, without a string for it.</summary>
    public static void CopyText(this DbDataReader row, int ordinal, ArrayBufferWriter<byte> output) => output.Advance(row.Peek(ordinal, 0, output).Length);

    /// <summary>Copies a text column as a JSON string.</summary>
    public static void CopyTextAsJson(this DbDataReader row, int ordinal, ArrayBufferWriter<byte> output)
    {
        output.Write("\""u8);
        var utf8 = row.Peek(ordinal, 0, output);
        if (Encoder.FindFirstCharacterToEncodeUtf8(utf8) < 0)
        {
            output.Advance(utf8.Length);
        }
        else
        {
            output.Write(JsonEncodedText.Encode(row.GetString(ordinal), Encoder).EncodedUtf8Bytes);
        }

        output.Write("\""u8);
    }

    /// <summary>Reads a column that may be null.</summary>
    public static T? GetNullable<T>(this DbDataReader row, int ordinal) => row.IsDBNull(ordinal) ? default : row.GetFieldValue<T>(ordinal);

    /// <summary>Reads a <c>timestamp</c> that holds UTC, or a <c>timestamptz</c>, as it is stored.</summary>
    public static Instant GetInstant(this DbDataReader row, int ordinal) => new(row.GetFieldValue<long>(ordinal));

    /// <summary>Reads a <c>timestamp</c> that holds UTC, or a <c>timestamptz</c>.</summary>
    /// <exception cref="UnreadableRowException"><see cref="DateTimeOffset"/> cannot hold the time.</exception>
    public static DateTimeOffset GetTime(this DbDataReader row, string table, int ordinal) => row.GetInstant(ordinal) is { IsReadable: true } instant
        ? instant.ToDateTimeOffset()
        : throw UnreadableRowException.OfTime(table, row.GetKey(), row.GetName(ordinal), row.GetInstant(ordinal).ToString());

    /// <inheritdoc cref="GetTime"/>
    public static DateTimeOffset? GetNullableTime(this DbDataReader row, string table, int ordinal) =>
        row.IsDBNull(ordinal) ? null : row.GetTime(table, ordinal);

    /// <summary>Copies a column's bytes to where the buffer goes on. They are not yet a part of it.</summary>
    private static ReadOnlySpan<byte> Peek(this DbDataReader row, int ordinal, int skipped, ArrayBufferWriter<byte> output)
    {
        var length = (int)row.GetBytes(ordinal, 0, null, 0, 0) - skipped;
        MemoryMarshal.TryGetArray<byte>(output.GetMemory(length), out var free);
        row.GetBytes(ordinal, skipped, free.Array, free.Offset, length);
        return free.AsSpan(0, length);
    }

    // The first column of each table is its key.
    private static string GetKey(this DbDataReader row) => Convert.ToString(row.GetValue(row.GetOrdinal("id")), CultureInfo.InvariantCulture)!;
}
