using System.Data.Common;
using System.Text;

namespace CrawlData.Storage;

/// <summary>Reads texts of few distinct values. It makes a string for each value, and not for each row. Not thread-safe.</summary>
/// <param name="maxLength">The longest usual text, in characters.</param>
internal sealed class RepeatedText(int maxLength)
{
    private const int Capacity = 16;

    private readonly byte[] buffer = new byte[4 * maxLength];
    private readonly List<(byte[] Utf8, string Text)> texts = new(Capacity);
    private int oldest;

    /// <summary>Gets the text of a column.</summary>
    public string Get(DbDataReader row, int ordinal)
    {
        var length = (int)row.GetBytes(ordinal, 0, buffer, 0, buffer.Length);
        if (length == buffer.Length)
        {
            // The text may be longer than the buffer, when the column was widened.
            return row.GetString(ordinal);
        }

        return Get(buffer.AsSpan(0, length));
    }

    /// <summary>Gets the text of some UTF-8.</summary>
    public string Get(ReadOnlySpan<byte> utf8)
    {
        foreach (var (known, text) in texts)
        {
            if (utf8.SequenceEqual(known))
            {
                return text;
            }
        }

        var added = (Utf8: utf8.ToArray(), Text: Encoding.UTF8.GetString(utf8));
        if (texts.Count < Capacity)
        {
            texts.Add(added);
        }
        else
        {
            texts[oldest] = added;
            oldest = (oldest + 1) % Capacity;
        }

        return added.Text;
    }
}
