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
}
