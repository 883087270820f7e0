using System.Data.Common;
using System.Text;

namespace CrawlData.Storage;

/// <summary>Reads a text column in which few values repeat: one string for each and not for each row. For one reader at a time.</summary>
/// <param name="maxLength">The column's length, in characters.</param>
internal sealed class RepeatedText(int maxLength)
{
    private const int Remembered = 16;

    private readonly byte[] buffer = new byte[4 * maxLength];
    private readonly List<(byte[] Utf8, string Text)> texts = new(Remembered);
    private int oldest;

    public string Get(DbDataReader row, int ordinal)
    {
        var length = (int)row.GetBytes(ordinal, 0, buffer, 0, buffer.Length);
        if (length == buffer.Length)
        {
            // There may be more, where the column was widened.
            return row.GetString(ordinal);
        }

        var utf8 = buffer.AsSpan(0, length);
        foreach (var (known, text) in texts)
        {
            if (utf8.SequenceEqual(known))
            {
                return text;
            }
        }

        var added = (Utf8: utf8.ToArray(), Text: Encoding.UTF8.GetString(utf8));
        if (texts.Count < Remembered)
        {
            texts.Add(added);
        }
        else
        {
            texts[oldest] = added;
            oldest = (oldest + 1) % Remembered;
        }

        return added.Text;
    }
}
