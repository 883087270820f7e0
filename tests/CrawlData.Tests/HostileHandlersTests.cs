using System.Data;
using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Tests.Schema;
using Dapper;

namespace CrawlData.Tests;

/// <summary>Dapper's type handlers and conventions are process-wide and the application's: whatever they do, CrawlData stores and reads what it was given.</summary>
[NonParallelizable]
public sealed class HostileHandlersTests : MigratorTest
{
    [Test]
    public async Task The_application_s_type_handlers_are_never_called()
    {
        SqlMapper.AddTypeHandler(new Refusing<Guid>());
        SqlMapper.AddTypeHandler(new Refusing<string>());
        SqlMapper.AddTypeHandler(new Refusing<DateTime>());
        SqlMapper.AddTypeHandler(new Refusing<DateTimeOffset>());
        SqlMapper.AddTypeHandler(new Refusing<CrawlStatus>());
        SqlMapper.AddTypeHandler(new Refusing<long>());
        SqlMapper.AddTypeHandler(new Refusing<bool>());
        try
        {
            await UseEverythingAsync();
        }
        finally
        {
            SqlMapper.ResetTypeHandlers();
        }
    }

    private async Task UseEverythingAsync()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        var runs = new CrawlRunRepository(DataSource);
        var events = new CrawlEventRepository(DataSource);
        var step = new NewCrawlEvent { EventType = " Step ", Payload = Jsonb.Parse("""{"k": 1}""") };

        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", DeviceConfig = step.Payload });
        await runs.StartAsync(run.Id);
        await events.AppendAsync(run.Id, step);
        await events.AppendAsync(run.Id, [step, step]);
        await events.AppendStreamAsync(run.Id, new[] { step }.ToAsyncEnumerable());
        await Assert.ThrowsAsync<RowNotFoundException>(() => events.AppendAsync([(Guid.CreateVersion7(), step)]));
        await runs.CompleteAsync(run.Id);

        Assert.That((await runs.ListAsync()).Items.Single().DeviceConfig, Is.EqualTo(step.Payload));
        Assert.That((await runs.CountByStatusAsync())[CrawlStatus.Completed], Is.EqualTo(1));
        Assert.That(await events.CountByTypeAsync(run.Id), Is.EquivalentTo(new Dictionary<string, long> { [" Step "] = 4 }));
        Assert.That(await events.CountAsync(run.Id), Is.EqualTo(4));
        Assert.That(await events.GetLastAsync(run.Id), Is.Not.Null);
        Assert.That(await runs.DeleteAsync(run.Id), Is.True);
    }

    private sealed class Refusing<T> : SqlMapper.TypeHandler<T>
    {
        public override T? Parse(object value) => throw new InvalidCastException("the application's handler was called");

        public override void SetValue(IDbDataParameter parameter, T? value) => throw new InvalidCastException("the application's handler was called");
    }
}
