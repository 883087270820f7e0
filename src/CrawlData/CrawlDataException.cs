using Npgsql;

namespace CrawlData;

/// <summary>The base of every exception that this library throws on its own account. What the server or the connection reports comes as Npgsql's own <see
/// cref="NpgsqlException"/>. No message holds a payload, a row or a password, nor does its cause: a server's error is copied there without its detail, its
/// context and its hint, and without its text where that may quote a value.</summary>
public abstract class CrawlDataException : Exception
{
    /// <summary>Takes the message and, where there is one, the cause.</summary>
    protected CrawlDataException(string message, Exception? innerException = null)
        : base(message, innerException is PostgresException server ? ServerErrors.WithoutValues(server) : innerException)
    {
    }
}
