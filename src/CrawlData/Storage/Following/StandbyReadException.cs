using Npgsql;

namespace CrawlData.Storage;

/// <summary>Thrown inside a retried read that needs the primary and reached a standby. It is transient: after a failover, an address may lead to a standby for
/// a while.</summary>
/// <param name="error">The error of the read, if the state outlasts the retries.</param>
internal sealed class StandbyReadException(Exception error) : NpgsqlException(error.Message, error)
{
    public override bool IsTransient => true;

    /// <summary>Runs a read, and retries it after a transient error. At the end of the retries it throws the inner exception.</summary>
    public static async Task<T> RetryAsync<T>(RetryPolicy retry, NpgsqlDataSource dataSource, Func<Task<T>> read, CancellationToken cancellationToken)
    {
        try
        {
            return await retry.RunAsync(
                async () =>
                {
                    try
                    {
                        return await read().ConfigureAwait(false);
                    }
                    catch (StandbyReadException)
                    {
                        // The pool's connections lead to the standby, wherever the address leads by now.
                        dataSource.Clear();
                        throw;
                    }
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (StandbyReadException exception)
        {
            throw exception.InnerException!;
        }
    }
}
