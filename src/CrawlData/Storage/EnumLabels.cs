using System.Collections.Frozen;
using System.Reflection;
using System.Text.Json.Serialization;

namespace CrawlData.Storage;

/// <summary>Converts enums to and from the labels that PostgreSQL and recordings use. A member's attribute has its label. Labels are sent as text, and the
/// statement casts them, because Npgsql's enum mapping goes stale when a migration makes the type.</summary>
internal static class EnumLabels
{
    /// <summary>Gets the label of a value.</summary>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public static string ToLabel<T>(this T value) where T : struct, Enum =>
        Labels<T>.ByValue.GetValueOrDefault(value) ?? throw Undefined(value, typeof(T).Name);

    /// <summary>Gets the labels of values, for a filter; null for null.</summary>
    /// <exception cref="InvalidValueException">A value is not defined.</exception>
    public static string[]? ToLabels<T>(this IEnumerable<T>? values) where T : struct, Enum => values?.Select(ToLabel).ToArray();

    /// <summary>Checks a column's value.</summary>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public static T Require<T>(T value, string column) where T : struct, Enum => Labels<T>.ByValue.ContainsKey(value) ? value : throw Undefined(value, column);

    /// <inheritdoc cref="Require{T}(T, string)"/>
    public static T[]? Require<T>(IEnumerable<T>? values, string column) where T : struct, Enum => values?.Select(value => Require(value, column)).ToArray();

    /// <summary>Gets the value of a label; null when the label is unknown or null.</summary>
    public static T? TryParse<T>(string? label) where T : struct, Enum =>
        label is not null && Labels<T>.ByLabel.TryGetValue(label, out var value) ? value : null;

    /// <summary>Gets all labels, in the enum's order.</summary>
    public static IEnumerable<string> All<T>() where T : struct, Enum => Enum.GetValues<T>().Select(ToLabel);

    private static InvalidValueException Undefined<T>(T value, string field) where T : struct, Enum =>
        new(field, $"is {value:D}, which {typeof(T).Name} does not define");

    private static class Labels<T> where T : struct, Enum
    {
        public static readonly FrozenDictionary<T, string> ByValue = Enum.GetValues<T>().ToFrozenDictionary(
            value => value, value => typeof(T).GetField(value.ToString())!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name);

        public static readonly FrozenDictionary<string, T> ByLabel = ByValue.ToFrozenDictionary(pair => pair.Value, pair => pair.Key);
    }
}
