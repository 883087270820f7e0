using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Workers;

/// <summary>The run that a handler crawls for.</summary>
public sealed class CrawlContext
{
    private readonly CrawlEventWriter writer;

    internal CrawlContext(CrawlRunClaim claim, CrawlEventWriter writer) => (Claim, this.writer) = (claim, writer);

    /// <summary>Gets the run as it was claimed.</summary>
    public CrawlRun Run => Claim.Run;

    /// <summary>Gets the claim, for changes and appends of the handler's own.</summary>
    public CrawlRunClaim Claim { get; }

    /// <summary>Writes an event with the claim into the buffer of the application's <see cref="CrawlEventWriter"/>. The worker flushes it before the run
    /// ends.</summary>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels the wait for room in the buffer. Then the event is not written.</param>
    /// <exception cref="CrawlEventsNotStoredException">Earlier events of the run could not be stored, for example because the claim is lost. This event is not
    /// written.</exception>
    public Task WriteAsync(NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default) => writer.WriteAsync(Claim, crawlEvent, cancellationToken);

    /// <summary>Writes an event with the claim, and waits until it is stored.</summary>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels until the event is in the buffer. Then it is not written, now or later. Afterwards the token has no
    /// effect.</param>
    /// <returns>The event's id.</returns>
    /// <exception cref="ClaimLostException">The claim is lost. The event is not stored.</exception>
    /// <exception cref="NpgsqlException">The event could not be stored.</exception>
    public Task<long> AppendAsync(NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default) =>
        writer.AppendAsync(Claim, crawlEvent, cancellationToken);

    /// <summary>Waits until all events of the run that were written before are stored.</summary>
    /// <param name="cancellationToken">Ends the wait. The events stay written.</param>
    /// <exception cref="CrawlEventsNotStoredException">Events could not be stored, for example because the claim is lost.</exception>
    public Task FlushAsync(CancellationToken cancellationToken = default) => writer.FlushAsync(Run.Id, cancellationToken);
}
