using System.Text.Json;

namespace CrawlData.Dashboard.Text;

/// <summary>The labels of the library's enums, as PostgreSQL and JSON have them.</summary>
internal static class Labels
{
    public static string ToLabel<T>(this T value) where T : struct, Enum => JsonSerializer.SerializeToElement(value).GetString()!;

    /// <summary>Finds the value that has a label, in upper or lower case; null when none has.</summary>
    public static T? Find<T>(string label) where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
        {
            if (value.ToLabel().Equals(label, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        return null;
    }
}
