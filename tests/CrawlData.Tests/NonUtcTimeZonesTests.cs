using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests;

public sealed class NonUtcTimeZonesTests : DatabaseTest
{
    [Test]
    public async Task Neither_the_client_nor_the_server_is_in_UTC()
    {
        Assert.That(TimeZoneInfo.Local.Id, Is.EqualTo(NonUtcTimeZones.ClientTimeZone));
        Assert.That(TimeZoneInfo.Local.BaseUtcOffset, Is.Not.EqualTo(TimeSpan.Zero));
        await using var show = DataSource.CreateCommand("show timezone");
        Assert.That(await show.ExecuteScalarAsync(), Is.EqualTo(NonUtcTimeZones.ServerTimeZone));
    }

    [Test]
    public async Task Times_are_stored_in_UTC()
    {
        var createdAt = new DateTimeOffset(2026, 7, 1, 23, 59, 59, TimeSpan.FromHours(-7)).AddTicks(9_999_990);
        var run = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", CreatedAt = createdAt });
        var now = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });

        await using var asText = DataSource.CreateCommand("select created_at::text from crawl_runs where id = $1");
        asText.Parameters.Add(new NpgsqlParameter { Value = run.Id });
        Assert.That(await asText.ExecuteScalarAsync(), Is.EqualTo("2026-07-02 06:59:59.999999"));
        Assert.That(run.CreatedAt, Is.EqualTo(createdAt));
        Assert.That(now.CreatedAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
    }
}
