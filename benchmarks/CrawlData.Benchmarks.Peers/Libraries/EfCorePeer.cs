using CrawlData.Crawls;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal sealed class EfCorePeer(NpgsqlDataSource dataSource) : Peer
{
    private readonly PooledDbContextFactory<EventContext> contexts = new(new DbContextOptionsBuilder<EventContext>().UseNpgsql(dataSource).Options);

    public override string Name => "EF Core";

    public override string Difference =>
        "SaveChanges is one transaction of batched INSERTs and sets the entities' ids. "
        + "It takes no lock, so concurrent writers to a crawl may commit ids out of order. A retry after a lost COMMIT may store the events twice.";

    public override IReadOnlyList<Type> Packages => [typeof(DbContext), typeof(NpgsqlDbContextOptionsBuilder)];

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) => [("EF Core AsNoTracking", () => ReadAsync(crawl))];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events)
    {
        (string Type, string Payload)[] rows = [.. events.Select(one => (one.EventType, one.Payload.ToString()))];
        return [("EF Core AddRange, SaveChanges", () => AppendAsync(crawl, rows))];
    }

    private async Task<int> ReadAsync(Guid crawl)
    {
        await using var context = await contexts.CreateDbContextAsync();
        return (await context.Events.AsNoTracking().Where(one => one.CrawlId == crawl).OrderBy(one => one.CrawlId).ThenBy(one => one.Id).ToListAsync()).Count;
    }

    // Each append needs new entities, because a saved entity has an id.
    private async Task AppendAsync(Guid crawl, (string Type, string Payload)[] rows)
    {
        await using var context = await contexts.CreateDbContextAsync();
        context.Events.AddRange(rows.Select(row => new EventEntity { CrawlId = crawl, EventType = row.Type, Payload = row.Payload }));
        await context.SaveChangesAsync();
    }

    private sealed class EventContext(DbContextOptions<EventContext> options) : DbContext(options)
    {
        public DbSet<EventEntity> Events => Set<EventEntity>();

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<EventEntity>(entity =>
        {
            entity.ToTable("crawl_events");
            entity.Property(one => one.Id).HasColumnName("id");
            entity.Property(one => one.CrawlId).HasColumnName("crawl_id");
            entity.Property(one => one.EventType).HasColumnName("event_type").HasMaxLength(50);
            entity.Property(one => one.Payload).HasColumnName("payload").HasColumnType("jsonb");
            entity.Property(one => one.CreatedAt).HasColumnName("created_at").HasColumnType("timestamp without time zone")
                .HasDefaultValueSql("(now() at time zone 'utc')");
        });
    }

    private sealed class EventEntity
    {
        public long Id { get; set; }

        public Guid CrawlId { get; set; }

        public required string EventType { get; set; }

        public required string Payload { get; set; }

        public DateTime CreatedAt { get; set; }
    }
}
