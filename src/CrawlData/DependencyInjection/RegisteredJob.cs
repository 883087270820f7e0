using Microsoft.Extensions.DependencyInjection;

namespace CrawlData.DependencyInjection;

/// <summary>A hosted service on a database. A database has one for each job in a process.</summary>
/// <param name="Key">The key of the database's services; null for services without one.</param>
/// <param name="Name">The job, as errors name it.</param>
/// <param name="Handler">The application's handler; null for a job without one.</param>
internal sealed record RegisteredJob(string? Key, string Name, Type? Handler = null)
{
    /// <summary>Records a job.</summary>
    /// <returns>Whether it was not recorded before.</returns>
    /// <exception cref="InvalidOperationException">The job has another handler.</exception>
    public static bool Record(IServiceCollection services, RegisteredJob job)
    {
        var recorded = services.Where(service => !service.IsKeyedService).Select(service => service.ImplementationInstance).OfType<RegisteredJob>()
            .FirstOrDefault(one => (one.Key, one.Name) == (job.Key, job.Name));
        if (recorded is not null && recorded.Handler != job.Handler)
        {
            throw new InvalidOperationException($"{job.Name} has the handler {recorded.Handler} already. A queue has one handler in a process.");
        }

        if (recorded is null)
        {
            services.AddSingleton(job);
        }

        return recorded is null;
    }
}
