namespace CrawlData.Cli;

/// <summary>Ids in tables: whole on a wide terminal, and else shortened to a prefix that no other row has. Every command takes both.</summary>
internal static class ShownIds
{
    /// <summary>Gets the text for each id.</summary>
    /// <param name="ids">The ids of the table's rows.</param>
    /// <param name="shorten">Shortens ids: the repository's method.</param>
    public static async Task<Func<Guid, string>> OfAsync(IEnumerable<Guid> ids, Func<IEnumerable<Guid>, Task<IReadOnlyDictionary<Guid, string>>> shorten)
    {
        if (Terminal.IsWide)
        {
            return id => $"{id}";
        }

        var texts = await shorten(ids);
        return id => texts.GetValueOrDefault(id) ?? $"{id}";
    }
}
