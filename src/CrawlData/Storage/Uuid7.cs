using System.Buffers.Binary;
using System.Security.Cryptography;

namespace CrawlData.Storage;

/// <summary>Makes UUIDs version 7 that rise strictly, so that rows of one time are listed in the order of their insertion. Instances are thread-safe.</summary>
/// <remarks>A UUID holds the Unix time in milliseconds, 12 bits of the fraction of the millisecond, and 62 random bits: the layout of PostgreSQL's
/// <c>uuidv7()</c>. When the clock stands still or goes back, the time advances by the smallest fraction instead.</remarks>
/// <param name="timeProvider">The clock.</param>
internal sealed class Uuid7(TimeProvider timeProvider)
{
    private const int FractionBits = 12;

    private static readonly Uuid7 Shared = new(TimeProvider.System);

    // The time of the newest UUID, in fractions of a millisecond.
    private long newest;

    /// <summary>Makes a UUID that is greater than all that this process made before.</summary>
    public static Guid New() => Shared.Next();

    /// <summary>Makes a UUID that is greater than all that this instance made before.</summary>
    public Guid Next()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[8..]);
        var time = Advance();
        BinaryPrimitives.WriteInt64BigEndian(bytes, time >> FractionBits << 16);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[6..], (ushort)(0x7000 | (time & ((1 << FractionBits) - 1))));
        bytes[8] = (byte)(0x80 | (bytes[8] & 0x3F));
        return new Guid(bytes, bigEndian: true);
    }

    private long Advance()
    {
        while (true)
        {
            var (milliseconds, ticks) = Math.DivRem(timeProvider.GetUtcNow().UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks, TimeSpan.TicksPerMillisecond);
            var before = Interlocked.Read(ref newest);
            var time = Math.Max((milliseconds << FractionBits) | ((ticks << FractionBits) / TimeSpan.TicksPerMillisecond), before + 1);
            if (Interlocked.CompareExchange(ref newest, time, before) == before)
            {
                return time;
            }
        }
    }
}
