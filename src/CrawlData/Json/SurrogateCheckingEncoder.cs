using System.Text.Encodings.Web;

namespace CrawlData;

/// <summary>Refuses U+0000 and lone surrogates, and otherwise encodes as the relaxed encoder does. System.Text.Json would write U+FFFD for a lone surrogate,
/// without an error. It relies on the writer, which calls the encoder for each string before it writes it.</summary>
internal sealed class SurrogateCheckingEncoder : JavaScriptEncoder
{
    public static readonly SurrogateCheckingEncoder Instance = new();

    private static readonly JavaScriptEncoder Inner = UnsafeRelaxedJsonEscaping;

    public override int MaxOutputCharactersPerInputCharacter => Inner.MaxOutputCharactersPerInputCharacter;

    public override unsafe int FindFirstCharacterToEncode(char* text, int textLength)
    {
        var content = new ReadOnlySpan<char>(text, textLength);
        if (CrawledText.IndexOfUnstorable(content) is >= 0 and var at)
        {
            throw new InvalidValueException("json", content[at] == '\0'
                ? "a string holds U+0000, which jsonb cannot store (repair would replace it)"
                : "a string holds a lone surrogate, which has no UTF-8 form (repair would replace it)");
        }

        return Inner.FindFirstCharacterToEncode(text, textLength);
    }

    public override unsafe bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten) =>
        Inner.TryEncodeUnicodeScalar(unicodeScalar, buffer, bufferLength, out numberOfCharactersWritten);

    public override bool WillEncode(int unicodeScalar) => Inner.WillEncode(unicodeScalar);
}
