using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>Adds the parameters of statements with <c>$1</c> and so on. Npgsql sends such a statement as it is. One with named parameters it rewrites at each
/// call.</summary>
internal static class PositionalParameters
{
    /// <summary>Adds the next parameter.</summary>
    public static void AddValue<T>(this NpgsqlParameterCollection parameters, NpgsqlDbType type, T value) =>
        parameters.Add(new NpgsqlParameter<T> { NpgsqlDbType = type, TypedValue = value });

    /// <summary>Adds an array. By the name of its type, since Npgsql would make the name of a <see cref="NpgsqlDbType"/> anew.</summary>
    public static void AddArray<T>(this NpgsqlParameterCollection parameters, string type, T? value) =>
        parameters.Add(new NpgsqlParameter<T> { DataTypeName = type, TypedValue = value });

    /// <summary>Adds a column of rows as an array of texts.</summary>
    public static void AddTexts<TRow, TValue>(this NpgsqlParameterCollection parameters, IReadOnlyList<TRow> rows, Func<TRow, TValue> value) =>
        parameters.AddArray<IList<TValue>>("text[]", new RowColumn<TRow, TValue>(rows, value));

    /// <summary>Adds the times of rows as an array. It is null when no row has one.</summary>
    public static void AddTimes<TRow>(this NpgsqlParameterCollection parameters, string type, IReadOnlyList<TRow> rows, Func<TRow, Instant?> time)
    {
        var any = false;
        for (var index = 0; index < rows.Count && !any; index++)
        {
            any = time(rows[index]) is not null;
        }

        parameters.AddArray(type, any ? rows.Select(row => time(row)?.Microseconds).ToArray() : null);
    }
}
