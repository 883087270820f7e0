using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Schema;
using Npgsql;

namespace CrawlData;

/// <summary>The options of CrawlData in an application's dependency injection.</summary>
/// <remarks>Set them in the call of <c>AddCrawlData</c>, or from the application's configuration.</remarks>
public sealed class CrawlDataOptions
{
    /// <summary>Whether the schema is migrated when the host starts, before any other hosted service starts. Turn it off where the application's role may not
    /// create tables, and run <c>crawldata migrate</c> in the deployment instead.</summary>
    /// <value>The default is true.</value>
    public bool MigrateAtStartup { get; set; } = true;

    /// <summary>The time limits of the migration.</summary>
    public SchemaMigratorOptions Migration { get; } = new();

    /// <summary>How long appends, followers' reads and the migration at start-up are retried, and how long a lost COMMIT is verified.</summary>
    public RetryOptions Retry { get; } = new();

    /// <summary>Whether appends notify followers that listen. <see cref="CrawlEventRepository"/> describes notifications.</summary>
    /// <value>The default is false.</value>
    public bool Notify { get; set; }

    /// <summary>When the <see cref="CrawlEventWriter"/> flushes, and how much it buffers.</summary>
    public CrawlEventWriterOptions Writer { get; } = new();

    /// <summary>How long artifacts are kept, by their session's retention policy.</summary>
    public RetentionDurations Retention { get; } = new();

    /// <summary>Whether reads outside a transaction may go to a hot standby. It applies to a data source of several hosts. A standby lags behind, so a read may
    /// miss the latest writes.</summary>
    /// <value>The default is false.</value>
    /// <remarks>The primary serves everything else: writes, claims, transitions, followers, the events of all crawls, and <c>GetAsync</c> of events and log
    /// lines. Without a standby that answers, the primary serves the reads too.</remarks>
    public bool ReadFromStandby { get; set; }

    /// <summary>Whether the <see cref="Diagnostics.CrawlDataHealthCheck"/> reports a database that takes no writes as unhealthy.</summary>
    /// <value>The default is true.</value>
    public bool ExpectWrites { get; set; } = true;

    /// <summary>A function that returns the data source, for an application that has several. The library does not dispose the data source.</summary>
    /// <value>The default is null: CrawlData uses the registered <see cref="NpgsqlDataSource"/>.</value>
    public Func<IServiceProvider, NpgsqlDataSource>? DataSource { get; set; }
}
