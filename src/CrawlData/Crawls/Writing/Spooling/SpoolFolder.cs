using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace CrawlData.Crawls;

/// <summary>The folder of a spool: a lock file and numbered segments. Whoever has the object has the folder alone.</summary>
internal sealed class SpoolFolder : IDisposable
{
    public const int LongestPath = 4_096;

    private const string LockName = "lock";
    private const string Extension = ".spool";
    private const int SharingViolation = unchecked((int)0x80070020);

    private readonly string directory;
    private readonly FileStream folderLock;

    /// <summary>Opens a folder, and makes it when it does not exist.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="create">Whether it is made.</param>
    /// <exception cref="SpoolInUseException">Another writer has it.</exception>
    /// <exception cref="DirectoryNotFoundException">It does not exist, and is not made.</exception>
    public SpoolFolder(string directory, bool create)
    {
        this.directory = Path.GetFullPath(directory);
        if (create)
        {
            Create(this.directory);
        }

        try
        {
            // The operating system frees it when the process ends, in whatever way.
            folderLock = new FileStream(Path.Combine(this.directory, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException exception) when (IsLocked(exception))
        {
            throw new SpoolInUseException(this.directory, exception);
        }
    }

    public string Directory => directory;

    /// <summary>Makes a segment's file. Its header is on the disk before a frame is written.</summary>
    public (SpoolSegment Segment, SpoolFile File) MakeSegment(long number, Func<string, SpoolFile> create)
    {
        var path = Path.Combine(directory, number.ToString("D12", CultureInfo.InvariantCulture) + Extension);
        var segment = new SpoolSegment(path, number, BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(ulong))));
        SpoolFile? file = null;
        try
        {
            file = create(path);
            file.Write(segment.MakeHeader(), 0);
            file.Flush();
            DirectorySync.Flush(directory);
            return (segment, file);
        }
        catch
        {
            if (file is not null)
            {
                file.Dispose();
                File.Delete(path);
            }

            throw;
        }
    }

    /// <summary>Deletes a segment's file. A crash afterwards does not bring it back, unless it brings back the files that are deleted later, too.</summary>
    public void Delete(SpoolSegment segment)
    {
        File.Delete(segment.Path);
        DirectorySync.Flush(directory);
    }

    /// <summary>Reads the segments.</summary>
    /// <param name="truncate">Whether an incomplete frame at the very end is cut off.</param>
    /// <exception cref="SpoolDamagedException">A file is damaged before its end, or missing.</exception>
    public (IReadOnlyList<SpoolSegment> Segments, SpoolState State) Read(bool truncate)
    {
        var segments = new List<SpoolSegment>();
        var state = new SpoolState();
        var paths = System.IO.Directory.EnumerateFiles(directory, "*" + Extension).Order(StringComparer.Ordinal).ToArray();
        for (var index = 0; index < paths.Length; index++)
        {
            var isLast = index == paths.Length - 1;
            var bytes = File.ReadAllBytes(paths[index]);
            if (isLast && bytes.Length <= SpoolSegment.HeaderBytes)
            {
                // A crash interrupted the creation. Nothing was written to it.
                if (truncate)
                {
                    File.Delete(paths[index]);
                }

                break;
            }

            var segment = ReadHeader(paths[index], bytes);
            if (segments is [.., var previous] && segment.Number != previous.Number + 1)
            {
                throw new SpoolDamagedException(paths[index], 0, $"the file before it is number {previous.Number}, and files between them are missing");
            }

            segments.Add(segment);
            var end = ReadFrames(segment, bytes, isLast, state);
            if (truncate && end < bytes.Length)
            {
                using var file = new FileStream(paths[index], FileMode.Open, FileAccess.ReadWrite);
                file.SetLength(end);
                file.Flush(flushToDisk: true);
            }
        }

        return (segments, state);
    }

    public void Dispose() => folderLock.Dispose();

    private static void Create(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            System.IO.Directory.CreateDirectory(directory);
        }
        else
        {
            System.IO.Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    // On Unix it is the number of the system's error EWOULDBLOCK: 11 on Linux, 35 on macOS.
    private static bool IsLocked(IOException exception) =>
        exception.HResult == SharingViolation || (!OperatingSystem.IsWindows() && exception.HResult is 11 or 35);

    private static SpoolSegment ReadHeader(string path, byte[] bytes)
    {
        if (bytes.Length < SpoolSegment.HeaderBytes
            || !bytes.AsSpan(0, 8).SequenceEqual(SpoolSegment.Magic)
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(24)) != Crc32C.Compute(bytes.AsSpan(0, 24)))
        {
            throw new SpoolDamagedException(path, 0, "its header is wrong, or of another version");
        }

        return new SpoolSegment(path, BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8)), BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(16)));
    }

    /// <summary>Reads the frames of a segment.</summary>
    /// <returns>The offset at which they end.</returns>
    private static int ReadFrames(SpoolSegment segment, byte[] bytes, bool isLast, SpoolState state)
    {
        var offset = SpoolSegment.HeaderBytes;
        while (offset < bytes.Length)
        {
            if (segment.FrameLength(bytes.AsSpan(offset)) is not { } length)
            {
                if (!isLast || FindFrame(segment, bytes, offset + 1))
                {
                    throw new SpoolDamagedException(segment.Path, offset, "a checksum is wrong, and records follow");
                }

                return offset;
            }

            try
            {
                state.Apply(segment, bytes.AsSpan(offset + SpoolSegment.FrameHeaderBytes, length - SpoolSegment.FrameHeaderBytes));
            }
            catch (Exception exception) when (exception is FormatException or InvalidValueException or ArgumentException)
            {
                throw new SpoolDamagedException(segment.Path, offset, $"it holds {exception.Message}");
            }

            offset += length;
        }

        return offset;
    }

    private static bool FindFrame(SpoolSegment segment, byte[] bytes, int from)
    {
        Span<byte> id = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(id, segment.Id);
        for (int next; (next = bytes.AsSpan(from).IndexOf(id)) >= 0; from += next + 1)
        {
            if (segment.FrameLength(bytes.AsSpan(from + next)) is not null)
            {
                return true;
            }
        }

        return false;
    }
}
