namespace CrawlData.Crawls;

/// <summary>A file of a spool that is written. Tests replace it with one that fails, or that loses what was not flushed.</summary>
internal class SpoolFile : IDisposable
{
    private readonly FileStream stream;

    /// <summary>Creates a file. Only the process's user can read it, because events are in it.</summary>
    /// <exception cref="IOException">The file cannot be created, or exists.</exception>
    public SpoolFile(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.Read, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        stream = new FileStream(path, options);
    }

    public virtual void Write(ReadOnlySpan<byte> bytes, long offset) => RandomAccess.Write(stream.SafeFileHandle, bytes, offset);

    /// <summary>Waits until all that was written is on the disk.</summary>
    public virtual void Flush() => RandomAccess.FlushToDisk(stream.SafeFileHandle);

    public virtual void Truncate(long length) => RandomAccess.SetLength(stream.SafeFileHandle, length);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            stream.Dispose();
        }
    }
}
