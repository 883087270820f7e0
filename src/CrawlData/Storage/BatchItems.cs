namespace CrawlData.Storage;

/// <summary>The items of a batch that the caller passes.</summary>
internal static class BatchItems
{
    /// <summary>Adds the index of the item to the error of an item that the caller's sequence cannot make.</summary>
    /// <param name="items">The sequence.</param>
    /// <param name="name">The name of the batch.</param>
    public static IEnumerable<T> NamingIndex<T>(this IEnumerable<T> items, string name) => items is ICollection<T> ? items : Enumerate(items, name);

    private static IEnumerable<T> Enumerate<T>(IEnumerable<T> items, string name)
    {
        using var item = items.GetEnumerator();
        for (var index = 0; ; index++)
        {
            try
            {
                if (!item.MoveNext())
                {
                    yield break;
                }
            }
            catch (InvalidValueException exception)
            {
                throw new InvalidValueException(exception.Field, $"{exception.Reason} (index {index} of {name})", exception);
            }

            yield return item.Current;
        }
    }
}
