using System.Collections.Frozen;
using System.Reflection;
using System.Text.Json.Serialization;

namespace CrawlData.Storage;

/// <summary>Enums as PostgreSQL and recordings write them: by the labels that stand beside their members. Text, and cast in the statement: Npgsql's enum
/// mapping goes stale when a migration makes the type.</summary>
internal static class EnumLabels
{
    /// <exception cref="InvalidValueException">The value is none of the enum's.</exception>
    public static string ToLabel<T>(this T value) where T : struct, Enum => Of<T>.ByValue.GetValueOrDefault(value) ?? throw Undefined(value, typeof(T).Name);

    /// <summary>The labels of values, for a filter; null for null.</summary>
    public static string[]? ToLabels<T>(this IEnumerable<T>? values) where T : struct, Enum => values?.Select(ToLabel).ToArray();

    /// <summary>Checks a column's value.</summary>
    /// <exception cref="InvalidValueException">The value is none of the enum's.</exception>
    public static T Require<T>(T value, string column) where T : struct, Enum => Of<T>.ByValue.ContainsKey(value) ? value : throw Undefined(value, column);

    /// <inheritdoc cref="Require{T}(T, string)"/>
    public static T[]? Require<T>(IEnumerable<T>? values, string column) where T : struct, Enum => values?.Select(value => Require(value, column)).ToArray();

    /// <exception cref="InvalidOperationException">The text is none of the labels: the database has one that this version does not know.</exception>
    public static T Parse<T>(string label) where T : struct, Enum =>
        TryParse<T>(label) ?? throw new InvalidOperationException($"'{label}' is not a label of {typeof(T).Name}: one of {string.Join(", ", All<T>())} was expected.");

    public static T? TryParse<T>(string? label) where T : struct, Enum => label is not null && Of<T>.ByLabel.TryGetValue(label, out var value) ? value : null;

    /// <summary>All labels, in the enum's order.</summary>
    public static IEnumerable<string> All<T>() where T : struct, Enum => Enum.GetValues<T>().Select(ToLabel);

    private static InvalidValueException Undefined<T>(T value, string field) where T : struct, Enum =>
        new(field, $"is {value:D}, which is not one of {typeof(T).Name}'s values");

    private static class Of<T> where T : struct, Enum
    {
        public static readonly FrozenDictionary<T, string> ByValue = Enum.GetValues<T>().ToFrozenDictionary(
            value => value, value => typeof(T).GetField(value.ToString())!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name);

        public static readonly FrozenDictionary<string, T> ByLabel = ByValue.ToFrozenDictionary(pair => pair.Value, pair => pair.Key);
    }
}
