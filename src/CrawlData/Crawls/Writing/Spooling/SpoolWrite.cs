namespace CrawlData.Crawls;

/// <summary>Something that is written to a spool, in the order of the calls.</summary>
/// <param name="write">Writes the records; null for an event that only keeps its place among the others.</param>
/// <param name="onWritten">Runs on the spool's task when the records are on the disk.</param>
/// <param name="isRequired">Whether it is written later when it cannot be written now.</param>
/// <param name="isOfBuffer">Whether an event of the writer's buffer waits for it.</param>
internal sealed class SpoolWrite(Action<SpoolRecordWriter>? write, Action? onWritten, bool isRequired, bool isOfBuffer)
{
    private readonly TaskCompletionSource completed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the records are on the disk. It fails with <see cref="SpoolWriteException"/>.</summary>
    public Task Completed => completed.Task;

    public bool IsEmpty => write is null;

    public bool IsRequired => isRequired;

    public bool IsOfBuffer => isOfBuffer;

    public void WriteTo(SpoolRecordWriter writer) => write?.Invoke(writer);

    public void Complete()
    {
        onWritten?.Invoke();
        completed.SetResult();
    }

    public void Fail(Exception exception)
    {
        completed.SetException(exception);

        // Not everybody waits for it.
        _ = completed.Task.Exception;
    }
}
