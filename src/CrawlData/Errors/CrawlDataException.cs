using Npgsql;

namespace CrawlData;

/// <summary>The base of what this library reports about values, rows, appends, recordings and the schema. No message holds a payload, a row or a password,
/// nor does its cause: a server's error is copied there without its detail, its context and its hint, and without its text where that may quote a
/// value.</summary>
/// <remarks>
/// <para>What the server or the connection reports comes as Npgsql's own <see cref="NpgsqlException"/>.</para>
/// <para>Beside them are those of .NET that mean what they always do: <see cref="ArgumentNullException"/> where an argument is null that may not be (in a
/// batch, an element that is null is an <see cref="InvalidValueException"/>), <see cref="OperationCanceledException"/> when a token was cancelled, <see
/// cref="ObjectDisposedException"/> from a disposed <see cref="Crawls.CrawlEventWriter"/>, and <see cref="InvalidOperationException"/> where something is
/// used as it cannot be: a transaction that has ended, a data source that multiplexes or a standby for following, a second connection string for
/// <c>AddCrawlData</c>, a database with an enum's label that this version does not know. <see cref="Jsonb"/> passes on what System.Text.Json throws for an
/// object or a type.</para>
/// </remarks>
public abstract class CrawlDataException : Exception
{
    /// <summary>Takes the message and, where there is one, the cause.</summary>
    protected CrawlDataException(string message, Exception? innerException = null)
        : base(message, innerException is PostgresException server ? ServerErrors.WithoutValues(server) : innerException)
    {
    }
}
