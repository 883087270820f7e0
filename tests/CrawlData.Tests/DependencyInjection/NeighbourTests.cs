using System.Globalization;
using CrawlData.Crawls;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>The libraries that an application may use beside this one: EF Core, Newtonsoft.Json, Aspire.</summary>
public sealed class NeighbourTests : DatabaseTest
{
    [OneTimeSetUp]
    public async Task CreateReportsAsync()
    {
        await using var command = DataSource.CreateCommand("create table crawl_reports (id uuid primary key, crawl_id uuid not null, title text not null)");
        await command.ExecuteNonQueryAsync();
    }

    [Test]
    public async Task EF_Core_and_the_library_commit_together([Values] bool retriesOnFailure, [Values] bool fails)
    {
        var (dataSource, events) = (DataSource, Events);
        var crawlId = fails ? Guid.CreateVersion7() : await CreateCrawlAsync();
        var options = new DbContextOptionsBuilder<ReportContext>()
            .UseNpgsql(dataSource, npgsql => _ = retriesOnFailure ? npgsql.EnableRetryOnFailure() : npgsql)
            .Options;
        var written = new NewCrawlEvent { EventType = "report.written", Payload = Jsonb.Parse("{}") };

        async Task WriteAsync()
        {
            // snippet: ef-core
            await using var context = new ReportContext(options);
            await context.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
            {
                context.ChangeTracker.Clear();
                await using var transaction = await context.Database.BeginTransactionAsync();
                context.Reports.Add(new Report { Id = Guid.CreateVersion7(), CrawlId = crawlId, Title = "Weekly" });
                await context.SaveChangesAsync();
                await events.AppendAsync(crawlId, written, (NpgsqlTransaction)transaction.GetDbTransaction());
                await transaction.CommitAsync();
            });

            // end snippet
        }

        if (fails)
        {
            await Assert.ThrowsAsync<RowNotFoundException>(WriteAsync);
        }
        else
        {
            await WriteAsync();
        }

        await using var context = new ReportContext(options);
        var reports = await context.Reports.CountAsync(report => report.CrawlId == crawlId);
        Assert.That((reports, await Events.CountAsync(crawlId)), Is.EqualTo(fails ? (0, 0) : (1, 1)));
    }

    [Test]
    public async Task EF_Core_with_retries_refuses_a_transaction_outside_its_execution_strategy()
    {
        await using var context = new ReportContext(
            new DbContextOptionsBuilder<ReportContext>().UseNpgsql(DataSource, npgsql => npgsql.EnableRetryOnFailure()).Options);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        context.Database.SetDbConnection(connection);

        await Assert.ThatAsync(
            async () =>
            {
                await context.Database.UseTransactionAsync(transaction);
                await context.Reports.CountAsync();
            },
            Throws.InvalidOperationException.With.Message.Contains("execution strategy"));
    }

    [TestCase("""{"number": 12345678901234567890.123, "time": "2026-11-27T08:30:00Z", "list": [1, null, "\ud83d\ude00"], "nested": {"a": 1.50}}""")]
    [TestCase("[]")]
    [TestCase("null")]
    [TestCase("\"text\"")]
    public void Newtonsoft_Json_keeps_a_payload_with_the_converter(string json)
    {
        var crawlEvent = new CrawlEvent { Id = 1, CrawlId = Guid.Empty, EventType = "step", Payload = Jsonb.Parse(json), CreatedAt = default };

        // snippet: newtonsoft
        var settings = new JsonSerializerSettings { Converters = { new JsonbNewtonsoftConverter() } };
        var text = JsonConvert.SerializeObject(crawlEvent, settings);
        var read = JsonConvert.DeserializeObject<CrawlEvent>(text, settings);

        // end snippet
        Assert.That(text, Does.Contain($"\"Payload\":{json}"));
        Assert.That(read, Is.EqualTo(crawlEvent));
        Assert.That(JsonConvert.SerializeObject(crawlEvent), Does.Not.Contain("2026-11-27"), "without the converter the payload is lost");
    }

    [Test]
    public async Task Aspire_s_data_sources_are_used()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:crawls"] = Database.ConnectionString,
            ["ConnectionStrings:eu"] = Database.ConnectionString,
        });

        // snippet: aspire
        builder.AddNpgsqlDataSource("crawls");
        builder.Services.AddCrawlData();

        // Or, with several databases:
        builder.AddKeyedNpgsqlDataSource("eu");
        builder.Services.AddKeyedCrawlData("eu");

        // end snippet
        using var host = builder.Build();
        await host.StartAsync();
        var run = await host.Services.GetRequiredService<CrawlRunRepository>().InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        Assert.That(await host.Services.GetRequiredKeyedService<CrawlRunRepository>("eu").GetAsync(run.Id), Is.EqualTo(run));
        await host.StopAsync();
    }

    // snippet: ef-core
    internal sealed class ReportContext(DbContextOptions<ReportContext> options) : DbContext(options)
    {
        public DbSet<Report> Reports => Set<Report>();

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Report>(report =>
        {
            report.ToTable("crawl_reports");
            report.Property(one => one.Id).HasColumnName("id");
            report.Property(one => one.CrawlId).HasColumnName("crawl_id");
            report.Property(one => one.Title).HasColumnName("title");
        });
    }

    internal sealed class Report
    {
        public Guid Id { get; set; }

        public Guid CrawlId { get; set; }

        public required string Title { get; set; }
    }

    // end snippet
    // snippet: newtonsoft
    internal sealed class JsonbNewtonsoftConverter : JsonConverter<Jsonb>
    {
        public override void WriteJson(JsonWriter writer, Jsonb value, JsonSerializer serializer) => writer.WriteRawValue(value.ToString());

        public override Jsonb ReadJson(JsonReader reader, Type objectType, Jsonb existingValue, bool hasExistingValue, JsonSerializer serializer)
        {
            // Otherwise times would be rewritten, and numbers would become doubles.
            var (dates, numbers) = (reader.DateParseHandling, reader.FloatParseHandling);
            (reader.DateParseHandling, reader.FloatParseHandling) = (DateParseHandling.None, FloatParseHandling.Decimal);
            var json = JRaw.Create(reader).ToString(CultureInfo.InvariantCulture);
            (reader.DateParseHandling, reader.FloatParseHandling) = (dates, numbers);
            return Jsonb.Parse(json);
        }
    }

    // end snippet
}
