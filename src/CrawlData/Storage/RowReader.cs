using System.Data.Common;

namespace CrawlData.Storage;

/// <summary>Reads rows and columns.</summary>
internal static class RowReader
{
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

    /// <summary>Reads an enum from its label.</summary>
    public static T GetLabel<T>(this DbDataReader reader, int ordinal) where T : struct, Enum => EnumLabels.Parse<T>(reader.GetString(ordinal));

    /// <summary>Reads a jsonb column.</summary>
    public static Jsonb GetJsonb(this DbDataReader reader, int ordinal) => Jsonb.FromDatabase(reader.GetFieldValue<byte[]>(ordinal));

    /// <summary>Reads a column that may be null.</summary>
    public static T? GetNullable<T>(this DbDataReader reader, int ordinal) => reader.IsDBNull(ordinal) ? default : reader.GetFieldValue<T>(ordinal);

    /// <summary>Reads the instant that a <c>timestamp</c> or <c>timestamptz</c> column holds.</summary>
    public static DateTimeOffset GetInstant(this DbDataReader reader, int ordinal) => new(reader.GetDateTime(ordinal).Ticks, TimeSpan.Zero);

    /// <inheritdoc cref="GetInstant"/>
    public static DateTimeOffset? GetNullableInstant(this DbDataReader reader, int ordinal) => reader.IsDBNull(ordinal) ? null : reader.GetInstant(ordinal);
}
