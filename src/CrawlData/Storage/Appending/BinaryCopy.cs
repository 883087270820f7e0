using System.Buffers;
using System.Buffers.Binary;
using System.Data;
using System.Text;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Writes rows in the binary format of COPY. It copies a value once, into a buffer that is sent when it is full. Npgsql's importer resolves the type
/// of each value anew, and allocates for each column. A column of a fixed size needs no check of the buffer: there is always room for a row of them.</summary>
internal sealed class BinaryCopy : IAsyncDisposable
{
    private const int BufferSize = 64 * 1024;

    // What is always free: the columns of a fixed size in a row, and the end.
    private const int Room = 256;

    private const byte JsonbVersion = 1;

    // The signature, no flags, and no extension.
    private static readonly byte[] Header = [.. "PGCOPY\n"u8, 0xff, .. "\r\n\0"u8, 0, 0, 0, 0, 0, 0, 0, 0];

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly NpgsqlConnection connection;
    private readonly NpgsqlRawCopyStream stream;
    private readonly byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int position;
    private bool isEnded;

    private BinaryCopy(NpgsqlConnection connection, NpgsqlRawCopyStream stream)
    {
        (this.connection, this.stream) = (connection, stream);
        Header.CopyTo(buffer, 0);
        position = Header.Length;
    }

    private int Free => buffer.Length - position;

    /// <summary>Begins a COPY.</summary>
    /// <remarks>It takes no token, nor do the writes. A cancel inside a write breaks the connection.</remarks>
    public static async ValueTask<BinaryCopy> BeginAsync(NpgsqlConnection connection, string sql) =>
        new(connection, await connection.BeginRawBinaryCopyAsync(sql, CancellationToken.None).ConfigureAwait(false));

    /// <summary>Starts a row.</summary>
    public void StartRow(short columns)
    {
        BinaryPrimitives.WriteInt16BigEndian(buffer.AsSpan(position), columns);
        position += sizeof(short);
    }

    /// <summary>Writes a <c>bigint</c>, or the microseconds of a time.</summary>
    public void Write(long value)
    {
        WriteLength(sizeof(long));
        BinaryPrimitives.WriteInt64BigEndian(buffer.AsSpan(position), value);
        position += sizeof(long);
    }

    /// <summary>Writes a <c>uuid</c>.</summary>
    public void Write(Guid value)
    {
        const int Size = 16;
        WriteLength(Size);
        value.TryWriteBytes(buffer.AsSpan(position), bigEndian: true, out _);
        position += Size;
    }

    /// <summary>Writes a text, or the label of an enum.</summary>
    public ValueTask WriteAsync(string text)
    {
        if (sizeof(int) + Utf8.GetMaxByteCount(text.Length) > Free - Room)
        {
            return WriteAsync(Utf8.GetBytes(text), version: null);
        }

        var length = Utf8.GetBytes(text, buffer.AsSpan(position + sizeof(int)));
        WriteLength(length);
        position += length;
        return default;
    }

    /// <summary>Writes a <c>jsonb</c>.</summary>
    public ValueTask WriteJsonbAsync(ReadOnlyMemory<byte> utf8)
    {
        if (sizeof(int) + sizeof(byte) + utf8.Length > Free - Room)
        {
            return WriteAsync(utf8, JsonbVersion);
        }

        WriteLength(sizeof(byte) + utf8.Length);
        buffer[position++] = JsonbVersion;
        utf8.Span.CopyTo(buffer.AsSpan(position));
        position += utf8.Length;
        return default;
    }

    /// <summary>Ends the COPY. It stores the rows, if it succeeds.</summary>
    public async ValueTask CompleteAsync()
    {
        StartRow(-1);
        await FlushAsync().ConfigureAwait(false);
        isEnded = true;
        await stream.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Cancels a COPY that was not completed. It stores nothing then.</summary>
    public async ValueTask DisposeAsync()
    {
        ArrayPool<byte>.Shared.Return(buffer);
        if (isEnded || connection.State != ConnectionState.Open)
        {
            return;
        }

        try
        {
            await stream.CancelAsync().ConfigureAwait(false);
        }
        catch (NpgsqlException)
        {
            // The error that led here is thrown. The server has refused the rows before, or the connection is lost.
        }
    }

    // It does not fit into what is left of the buffer.
    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, byte? version)
    {
        await FlushAsync().ConfigureAwait(false);
        WriteLength(bytes.Length + (version is null ? 0 : sizeof(byte)));
        if (version is { } first)
        {
            buffer[position++] = first;
        }

        if (bytes.Length <= Free - Room)
        {
            bytes.CopyTo(buffer.AsMemory(position));
            position += bytes.Length;
        }
        else
        {
            await FlushAsync().ConfigureAwait(false);
            await stream.WriteAsync(bytes, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private void WriteLength(int length)
    {
        BinaryPrimitives.WriteInt32BigEndian(buffer.AsSpan(position), length);
        position += sizeof(int);
    }

    private async ValueTask FlushAsync()
    {
        await stream.WriteAsync(buffer.AsMemory(0, position), CancellationToken.None).ConfigureAwait(false);
        position = 0;
    }
}
