using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>The beginning of an id, as people type it: hexadecimal digits, with or without hyphens.</summary>
/// <param name="First">The least id that begins so.</param>
/// <param name="Last">The greatest id that begins so.</param>
internal readonly record struct IdPrefix(Guid First, Guid Last)
{
    // A short prefix of one id soon becomes a prefix of others.
    private const int ShortestShown = 8;

    private const int Digits = 32;

    /// <summary>Parses a prefix.</summary>
    /// <exception cref="InvalidValueException">The text is not the beginning of an id.</exception>
    public static IdPrefix Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text, "idPrefix");
        var digits = text.Replace("-", "", StringComparison.Ordinal);
        return digits.Length is >= 1 and <= Digits && digits.All(char.IsAsciiHexDigit)
            ? new IdPrefix(Guid.ParseExact(digits.PadRight(Digits, '0'), "N"), Guid.ParseExact(digits.PadRight(Digits, 'f'), "N"))
            : throw new InvalidValueException("id_prefix", $"is not the beginning of an id: 1 to {Digits} hexadecimal digits, with or without hyphens");
    }

    /// <summary>Finds the ids that begin so, in order.</summary>
    /// <param name="dataSource">The data source.</param>
    /// <param name="sql">A query that takes <c>@first_id</c>, <c>@last_id</c> and <c>@limit</c>.</param>
    /// <param name="limit">The most ids.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public async Task<IReadOnlyList<Guid>> FindAsync(
        NpgsqlDataSource dataSource, string sql, int limit, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var parameters = new Parameters
        {
            { "first_id", NpgsqlDbType.Uuid, First },
            { "last_id", NpgsqlDbType.Uuid, Last },
            { "limit", NpgsqlDbType.Bigint, (long)limit },
        };
        return await dataSource.QueryAsync(sql, parameters, row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Shortens ids to prefixes that no other row of the table has.</summary>
    /// <param name="dataSource">The data source.</param>
    /// <param name="sql">A query that takes <c>@ids</c>, and returns each with the id before and the id after it in the table.</param>
    /// <param name="ids">The ids.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public static async Task<IReadOnlyDictionary<Guid, string>> ShortenAsync(
        NpgsqlDataSource dataSource, string sql, IEnumerable<Guid> ids, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Guid[] sorted = [.. ids.Distinct().Order()];
        var parameters = new Parameters
        {
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, sorted },
            { "first_id", NpgsqlDbType.Uuid, sorted.FirstOrDefault() },
            { "last_id", NpgsqlDbType.Uuid, sorted.LastOrDefault() },
        };
        var rows = await dataSource.QueryAsync(
            sql,
            parameters,
            row => (Id: row.GetGuid(0), Before: row.GetNullable<Guid?>(1), After: row.GetNullable<Guid?>(2)),
            transaction,
            cancellationToken).ConfigureAwait(false);
        return rows.ToDictionary(row => row.Id, row => Shorten(row.Id, row.Before, row.After));
    }

    private static string Shorten(Guid id, Guid? before, Guid? after)
    {
        var text = $"{id}";
        var length = Math.Max(ShortestShown, Math.Max(CommonLength(text, before), CommonLength(text, after)) + 1);
        return text[..Math.Min(text.Length, length)].TrimEnd('-');
    }

    private static int CommonLength(string text, Guid? other) => other is { } id ? text.AsSpan().CommonPrefixLength($"{id}") : 0;
}
