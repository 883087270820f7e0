using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Schema;
using Npgsql;

namespace CrawlData;

/// <summary>How CrawlData stands in an application's dependency injection.</summary>
public sealed class CrawlDataOptions
{
    /// <summary>Whether the schema is migrated when the host starts, before any hosted service does. On unless set; turn it off where the application's role
    /// may not create tables, and run <c>crawldata migrate</c> in the deployment instead.</summary>
    public bool MigrateAtStartup { get; set; } = true;

    /// <summary>How long the migration waits.</summary>
    public SchemaMigratorOptions Migration { get; } = new();

    /// <summary>How long appends are tried again, and settled, when the server cannot be reached.</summary>
    public RetryOptions Retry { get; } = new();

    /// <summary>Whether appends notify those who follow and listen; see <see cref="CrawlEventRepository"/>. Off unless set.</summary>
    public bool Notify { get; set; }

    /// <summary>When the <see cref="CrawlEventWriter"/> flushes, and how much it holds.</summary>
    public CrawlEventWriterOptions Writer { get; } = new();

    /// <summary>How long artifacts are kept, by their session's retention policy.</summary>
    public RetentionDurations Retention { get; } = new();

    /// <summary>Whether what only reads, in no transaction, goes to a hot standby where one can be had, when the data source has several hosts; it may not see what
    /// was written a moment ago. Writes, claims, transitions and following stay with the primary. Off unless set.</summary>
    public bool ReadFromStandby { get; set; }

    /// <summary>Whether the <see cref="Diagnostics.CrawlDataHealthCheck"/> holds a database that takes no writes for unhealthy. On unless set.</summary>
    public bool ExpectWrites { get; set; } = true;

    /// <summary>Which data source to use, where the application has several; the registered <see cref="NpgsqlDataSource"/> unless set. It stays the
    /// application's to dispose of.</summary>
    public Func<IServiceProvider, NpgsqlDataSource>? DataSource { get; set; }
}
