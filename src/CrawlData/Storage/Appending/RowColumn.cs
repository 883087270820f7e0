using System.Collections;

namespace CrawlData.Storage;

/// <summary>A column of rows, as a list that Npgsql sends as an array. It holds no values of its own.</summary>
/// <param name="rows">The rows.</param>
/// <param name="value">Gets a row's value.</param>
internal sealed class RowColumn<TRow, TValue>(IReadOnlyList<TRow> rows, Func<TRow, TValue> value) : IList<TValue>
{
    public int Count => rows.Count;

    public bool IsReadOnly => true;

    public TValue this[int index]
    {
        get => value(rows[index]);
        set => throw new NotSupportedException();
    }

    public IEnumerator<TValue> GetEnumerator() => rows.Select(value).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Add(TValue item) => throw new NotSupportedException();

    public void Clear() => throw new NotSupportedException();

    public bool Contains(TValue item) => throw new NotSupportedException();

    public void CopyTo(TValue[] array, int arrayIndex) => throw new NotSupportedException();

    public int IndexOf(TValue item) => throw new NotSupportedException();

    public void Insert(int index, TValue item) => throw new NotSupportedException();

    public bool Remove(TValue item) => throw new NotSupportedException();

    public void RemoveAt(int index) => throw new NotSupportedException();
}
