using Npgsql;

namespace CrawlData;

/// <summary>The base of the library's own exceptions. No message, and no inner exception, holds a payload, a row, or a password. An inner
/// <see cref="PostgresException"/> is a copy without detail, context and hint, and without text that may quote a value.</summary>
/// <remarks>
/// <para>Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>.</para>
/// <para>.NET's own exceptions keep their meaning:</para>
/// <list type="bullet">
/// <item><see cref="ArgumentNullException"/> for a null argument. A null element of a batch is an <see cref="InvalidValueException"/>.</item>
/// <item><see cref="ArgumentOutOfRangeException"/> for an argument or an option out of its range, such as a page size.</item>
/// <item><see cref="OperationCanceledException"/> after a token was cancelled.</item>
/// <item><see cref="ObjectDisposedException"/> from a disposed <see cref="Crawls.CrawlEventWriter"/>.</item>
/// <item><see cref="InvalidOperationException"/> for a transaction that has ended, and for a second connection string for <c>AddCrawlData</c>. Also for
/// following on a standby or on a data source that multiplexes, and from a <see cref="Crawls.CrawlEventWriter"/> whose flush loop has failed.</item>
/// <item>An exception of System.Text.Json from <see cref="Jsonb"/>, for an object or a type that it cannot serialize.</item>
/// </list>
/// </remarks>
public abstract class CrawlDataException : Exception
{
    /// <summary>Initializes an exception.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause; may be null.</param>
    protected CrawlDataException(string message, Exception? innerException = null)
        : base(message, innerException is PostgresException server ? ServerErrors.WithoutValues(server) : innerException)
    {
    }
}
