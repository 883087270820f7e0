using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace CrawlData.Cli.Serving;

/// <summary>Draws the screenshots of the demo, because recordings hold none: a page with a heading and lines whose words are as long as those of its
/// title.</summary>
internal static class DemoPictures
{
    private const int Width = 206;
    private const int Height = 258;
    private const int Margin = 12;

    // Of a letter, and of a line.
    private const int Letter = 5;
    private const int Line = 11;

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a];

    /// <summary>Draws a page as a PNG.</summary>
    /// <param name="title">The page's title. Its words make the lines, and its letters the colour of the heading.</param>
    public static byte[] Draw(string title)
    {
        var pixels = new byte[Height, Width];
        Fill(pixels, 0, 0, Width, 34, 2);
        var words = title.Split(' ', StringSplitOptions.RemoveEmptyEntries).DefaultIfEmpty("?").Select(word => Math.Min(word.Length, 24) * Letter).ToArray();
        Write(pixels, words, Margin, 13, 9, 1, 1);
        Write(pixels, words, Margin, 52, 8, 2, 2);
        Write(pixels, words, Margin, 80, 4, 3, 60);

        using var png = new MemoryStream();
        png.Write(Signature);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), Height);

        // Eight bits a pixel, which are the index of a colour.
        (header[8], header[9]) = (8, 3);
        WriteChunk(png, "IHDR"u8, header);
        WriteChunk(png, "PLTE"u8, Palette(title));
        WriteChunk(png, "IDAT"u8, Compress(pixels));
        WriteChunk(png, "IEND"u8, []);
        return png.ToArray();
    }

    // Ground, white, the heading's colour, and grey.
    private static byte[] Palette(string title)
    {
        var hue = Crc32(Encoding.UTF8.GetBytes(title)) % 6;
        byte[] accent = hue switch
        {
            0 => [0x1d, 0x5f, 0xbf],
            1 => [0x17, 0x6b, 0x3a],
            2 => [0x8a, 0x3f, 0x9b],
            3 => [0xb3, 0x5a, 0x1e],
            4 => [0x2b, 0x70, 0x7a],
            _ => [0x8c, 0x2f, 0x45],
        };
        return [0xfb, 0xfb, 0xfc, 0xff, 0xff, 0xff, .. accent, 0xc4, 0xcb, 0xd4];
    }

    /// <summary>Writes words as blocks, again and again, until the lines or the page end.</summary>
    private static void Write(byte[,] pixels, int[] words, int left, int top, int size, byte colour, int lines)
    {
        var (x, y) = (left, top);
        for (var index = 0; lines > 0 && y + size < Height - Margin; index++)
        {
            var word = words[index % words.Length];
            if (x > left && x + word > Width - Margin)
            {
                (x, y, lines) = (left, y + Line + (size / 2), lines - 1);
                continue;
            }

            if (lines == 1 && index >= words.Length)
            {
                return;
            }

            Fill(pixels, x, y, Math.Min(word, Width - Margin - x), size, colour);
            x += word + Letter;
        }
    }

    private static void Fill(byte[,] pixels, int x, int y, int width, int height, byte colour)
    {
        for (var row = y; row < y + height; row++)
        {
            for (var column = x; column < x + width; column++)
            {
                pixels[row, column] = colour;
            }
        }
    }

    private static byte[] Compress(byte[,] pixels)
    {
        using var target = new MemoryStream();
        using (var zlib = new ZLibStream(target, CompressionLevel.Fastest))
        {
            for (var row = 0; row < Height; row++)
            {
                // Each row begins with its filter: none.
                zlib.WriteByte(0);
                for (var column = 0; column < Width; column++)
                {
                    zlib.WriteByte(pixels[row, column]);
                }
            }
        }

        return target.ToArray();
    }

    private static void WriteChunk(Stream png, ReadOnlySpan<byte> type, byte[] data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        byte[] checkedBytes = [.. type, .. data];
        png.Write(checkedBytes);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32(checkedBytes));
        png.Write(number);
    }

    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var one in bytes)
        {
            crc ^= one;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0xedb88320;
            }
        }

        return ~crc;
    }
}
