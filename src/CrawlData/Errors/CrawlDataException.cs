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
/// <item><see cref="InvalidOperationException"/> for a use that cannot work. Examples: a transaction that has ended, or a standby for the events of all
/// crawls.</item>
/// <item><see cref="Jsonb"/> does not wrap the exceptions that System.Text.Json throws for an object or a type.</item>
/// </list>
/// </remarks>
public abstract class CrawlDataException : Exception
{
    /// <summary>Makes an exception.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause; may be null.</param>
    protected CrawlDataException(string message, Exception? innerException = null)
        : base(message, innerException is PostgresException server ? ServerErrors.WithoutValues(server) : innerException)
    {
    }
}
