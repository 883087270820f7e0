using System.Text;

namespace CrawlData.Dashboard.Text;

/// <summary>Queries of links. A link is relative to its document, so it holds whatever the path base, and behind any proxy.</summary>
internal static class Link
{
    /// <summary>Returns a query of the parameters that are set, such as <c>?status=FAILED&amp;app=a%26b</c>. Without any it is <c>?</c>, which removes a
    /// query.</summary>
    public static string Query(params ReadOnlySpan<(string Name, string? Value)> parameters)
    {
        var query = new StringBuilder("?");
        foreach (var (name, value) in parameters)
        {
            if (!string.IsNullOrEmpty(value))
            {
                query.Append(query.Length == 1 ? "" : "&").Append(name).Append('=').Append(Uri.EscapeDataString(value));
            }
        }

        return query.ToString();
    }
}
