using System.Threading.Channels;

namespace CrawlData.Crawls;

/// <summary>A spool: keeps a writer's events on disk until they are stored. What several callers write at the same time is one write, and waits for the disk
/// once.</summary>
/// <remarks>One task does all the work on the files. So nothing here needs a lock.</remarks>
internal sealed class Spool : IAsyncDisposable
{
    /// <summary>A new file is begun when one has this many bytes.</summary>
    private const int SegmentBytes = 16 * 1024 * 1024;

    /// <summary>A write ends at this many bytes.</summary>
    private const int FrameBytes = 4 * 1024 * 1024;

    /// <summary>Files that need not be kept for their own events are cleaned up beyond this many.</summary>
    private const int LooseSegments = 4;

    private readonly SpoolFolder folder;
    private readonly Func<string, SpoolFile> createFile;
    private readonly int segmentBytes;
    private readonly Channel<SpoolWrite> pending = Channel.CreateUnbounded<SpoolWrite>(new() { SingleReader = true });
    private readonly LinkedList<SpoolSegment> segments;
    private readonly HashSet<SpooledEvent> live;
    private readonly Dictionary<long, SpooledBatch> batches;
    private readonly SpoolRecordWriter records = new();
    private readonly Task writing;
    private List<SpoolWrite> required = [];
    private SpoolFile? file;
    private long length;
    private bool isTorn;
    private long liveBytes;
    private long lastBatchId;

    /// <summary>Opens a spool, and reads what is in it.</summary>
    /// <param name="directory">The folder; made when it does not exist.</param>
    /// <param name="createFile">Creates a file.</param>
    /// <param name="segmentBytes">When a new file is begun; null for the default.</param>
    /// <exception cref="SpoolInUseException">Another writer has the folder.</exception>
    /// <exception cref="SpoolDamagedException">A file is damaged before its end.</exception>
    public Spool(string directory, Func<string, SpoolFile>? createFile = null, int? segmentBytes = null)
    {
        this.createFile = createFile ?? (path => new SpoolFile(path));
        this.segmentBytes = segmentBytes ?? SegmentBytes;
        folder = new SpoolFolder(directory, create: true);
        try
        {
            var (read, state) = folder.Read(truncate: true);
            segments = new(read);
            (Events, Batches, LastSequence, lastBatchId) = (state.Events, state.Batches, state.LastSequence, state.LastBatchId);
        }
        catch
        {
            folder.Dispose();
            throw;
        }

        live = [.. Events];
        liveBytes = live.Sum(one => (long)one.Bytes);
        batches = Batches.ToDictionary(batch => batch.Id);
        using (ExecutionContext.SuppressFlow())
        {
            writing = Task.Run(WriteAllAsync);
        }
    }

    public string Directory => folder.Directory;

    /// <summary>The events that were in the folder when it was opened, in the order in which they were written.</summary>
    public IReadOnlyList<SpooledEvent> Events { get; }

    /// <summary>The batches of unknown outcome that were in the folder when it was opened.</summary>
    public IReadOnlyList<SpooledBatch> Batches { get; }

    /// <summary>The greatest sequence number that was in the folder.</summary>
    public long LastSequence { get; }

    /// <summary>Runs when writes of the buffer's events have ended: with their number, and with an error when they are not on the disk.</summary>
    public Action<int, SpoolWriteException?>? OnBufferWritten { get; set; }

    /// <summary>Writes an event of the buffer.</summary>
    public SpoolWrite Write(SpooledEvent one) =>
        Enqueue(new SpoolWrite(writer => writer.WriteEvent(one), () => Add(one), isRequired: false, isOfBuffer: true));

    /// <summary>Keeps the place of an event of the buffer that is not on disk.</summary>
    public void Pass() => Enqueue(new SpoolWrite(null, null, isRequired: false, isOfBuffer: true));

    /// <summary>Gets an id for a batch.</summary>
    public long NextBatchId() => Interlocked.Increment(ref lastBatchId);

    /// <summary>Writes a batch whose transaction is about to be committed.</summary>
    /// <exception cref="SpoolWriteException">It is not on the disk.</exception>
    public Task WriteAsync(SpooledBatch batch) =>
        Enqueue(new SpoolWrite(writer => writer.WriteIntent(batch), () => batches.Add(batch.Id, batch), isRequired: false, isOfBuffer: false)).Completed;

    /// <summary>Writes that a batch is stored.</summary>
    public void WriteStored(SpooledBatch batch) => WriteLater(
        writer => writer.WriteOutcome(SpoolRecordType.Stored, batch.Id),
        () =>
        {
            batches.Remove(batch.Id);
            Remove(batch.Events);
        });

    /// <summary>Writes that a batch was rolled back.</summary>
    public void WriteRolledBack(SpooledBatch batch) =>
        WriteLater(writer => writer.WriteOutcome(SpoolRecordType.RolledBack, batch.Id), () => batches.Remove(batch.Id));

    /// <summary>Writes that the application took events.</summary>
    public void WriteTaken(IReadOnlyCollection<SpooledEvent> taken) => WriteLater(writer => writer.WriteTaken(taken), () => Take(taken));

    /// <summary>Writes what waits, and frees the folder. Files without events that are needed are deleted.</summary>
    public async ValueTask DisposeAsync()
    {
        pending.Writer.TryComplete();
        await writing.ConfigureAwait(false);
        file?.Dispose();
        file = null;
        DeleteFinished();
        folder.Dispose();
    }

    private void WriteLater(Action<SpoolRecordWriter> write, Action onWritten) =>
        Enqueue(new SpoolWrite(write, onWritten, isRequired: true, isOfBuffer: false));

    private SpoolWrite Enqueue(SpoolWrite write)
    {
        if (!pending.Writer.TryWrite(write))
        {
            write.Fail(new ObjectDisposedException("CrawlEventWriter"));
        }

        return write;
    }

    private async Task WriteAllAsync()
    {
        while (await pending.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            var group = required;
            required = [];
            Encode(group);
            while (records.Length < FrameBytes && pending.Reader.TryRead(out var next))
            {
                next.WriteTo(records);
                group.Add(next);
            }

            WriteGroup(group);
        }

        if (required.Count > 0)
        {
            // The last chance for what could not be written. Without it, the next writer asks the server.
            var last = required;
            required = [];
            Encode(last);
            WriteGroup(last);
        }
    }

    private void Encode(List<SpoolWrite> group)
    {
        records.Clear();
        records.Skip(SpoolSegment.FrameHeaderBytes);
        group.ForEach(write => write.WriteTo(records));
    }

    private void WriteGroup(List<SpoolWrite> group)
    {
        var error = TryWriteFrame();
        if (error is not null && group.Exists(write => !write.IsOfBuffer))
        {
            // The disk may have space for these without the events. Without them, no event can be stored and no space be freed.
            var small = group.FindAll(write => !write.IsOfBuffer);
            Encode(small);
            End(small, TryWriteFrame());
            group.RemoveAll(write => !write.IsOfBuffer);
        }

        End(group, error);
        DeleteFinished();
        CleanUp();
    }

    private void End(List<SpoolWrite> group, SpoolWriteException? error)
    {
        foreach (var write in group)
        {
            if (error is null || write.IsEmpty)
            {
                write.Complete();
            }
            else if (write.IsRequired)
            {
                required.Add(write);
            }
            else
            {
                write.Fail(error);
            }
        }

        var ofBuffer = group.Count(write => write.IsOfBuffer);
        if (ofBuffer > 0)
        {
            OnBufferWritten?.Invoke(ofBuffer, error);
        }
    }

    /// <summary>Writes the records as a frame, and waits for the disk.</summary>
    /// <returns>The error; null when the frame is on the disk, or when there are no records.</returns>
    private SpoolWriteException? TryWriteFrame()
    {
        if (records.Length == SpoolSegment.FrameHeaderBytes)
        {
            return null;
        }

        try
        {
            Truncate();
            if (file is null || length >= segmentBytes)
            {
                BeginSegment();
            }

            var frame = records.Written;
            segments.Last!.Value.FillHeader(frame);
            isTorn = true;
            file!.Write(frame, length);
            file.Flush();
            (length, isTorn) = (length + frame.Length, false);
            return null;
        }
        catch (Exception exception)
        {
            // Whatever the error is, the callers that wait get it, and the next write is tried.
            TryTruncate();
            return new SpoolWriteException(folder.Directory, exception);
        }
    }

    // At once, so that a crash does not leave events on the disk that their callers count as not written.
    private void TryTruncate()
    {
        try
        {
            Truncate();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Truncated before the next write.
        }
    }

    // A frame that failed may be there in part. The next frame must follow the last whole one.
    private void Truncate()
    {
        if (isTorn)
        {
            file!.Truncate(length);
            file.Flush();
            isTorn = false;
        }
    }

    private void BeginSegment()
    {
        var (segment, next) = folder.MakeSegment(segments.Last is { } last ? last.Value.Number + 1 : 1, createFile);
        file?.Dispose();
        (file, length) = (next, SpoolSegment.HeaderBytes);
        segments.AddLast(segment);
    }

    private void Add(SpooledEvent one)
    {
        one.Segment = segments.Last!.Value;
        one.Segment.Live++;
        live.Add(one);
        liveBytes += one.Bytes;
    }

    private void Remove(IEnumerable<SpooledEvent> events)
    {
        foreach (var one in events)
        {
            if (live.Remove(one))
            {
                one.Segment!.Live--;
                one.Segment = null;
                liveBytes -= one.Bytes;
            }
        }
    }

    private void Take(IReadOnlyCollection<SpooledEvent> taken)
    {
        Remove(taken);
        foreach (var batch in batches.Values.Where(batch => !batch.Events.Any(live.Contains)).ToList())
        {
            batches.Remove(batch.Id);
        }
    }

    /// <summary>Deletes files, the oldest first. A file may have the outcome of events in an older file, so it is not deleted before that one.</summary>
    private void DeleteFinished()
    {
        try
        {
            while (segments.First is { Value.Live: 0 } first && (first != segments.Last || file is null))
            {
                folder.Delete(first.Value);
                segments.RemoveFirst();
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Deleted after a later write.
        }
    }

    /// <summary>Copies the events of the oldest file that are needed to the newest one, when there are many files for few events. Otherwise an event that stays
    /// would keep all later files.</summary>
    private void CleanUp()
    {
        while (segments.Count > 1 && segments.Count - LooseSegments > 2 * liveBytes / segmentBytes)
        {
            var oldest = segments.First!.Value;
            List<SpooledEvent> moved = [.. live.Where(one => one.Segment == oldest)];
            records.Clear();
            records.Skip(SpoolSegment.FrameHeaderBytes);
            moved.ForEach(records.WriteEvent);

            // An intent may be in the file, too.
            batches.Values.ToList().ForEach(records.WriteIntent);
            if (TryWriteFrame() is not null)
            {
                return;
            }

            Remove(moved);
            moved.ForEach(Add);
            DeleteFinished();
            if (segments.First.Value == oldest)
            {
                return;
            }
        }
    }
}
