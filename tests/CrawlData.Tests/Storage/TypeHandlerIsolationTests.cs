using System.Data;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Tests.Schema;
using Dapper;

namespace CrawlData.Tests;

/// <summary>Dapper's type handlers are process-wide and the application's. CrawlData stores and reads the same values whatever they do.</summary>
[NonParallelizable]
public sealed class TypeHandlerIsolationTests : MigratorTest
{
    [Test]
    public async Task The_end_to_end_scenario_calls_no_type_handler_of_the_application()
    {
        SqlMapper.AddTypeHandler(new RefusingHandler<Guid>());
        SqlMapper.AddTypeHandler(new RefusingHandler<string>());
        SqlMapper.AddTypeHandler(new RefusingHandler<DateTime>());
        SqlMapper.AddTypeHandler(new RefusingHandler<DateTimeOffset>());
        SqlMapper.AddTypeHandler(new RefusingHandler<TimeSpan>());
        SqlMapper.AddTypeHandler(new RefusingHandler<CrawlStatus>());
        SqlMapper.AddTypeHandler(new RefusingHandler<AuditSessionStatus>());
        SqlMapper.AddTypeHandler(new RefusingHandler<int>());
        SqlMapper.AddTypeHandler(new RefusingHandler<long>());
        SqlMapper.AddTypeHandler(new RefusingHandler<bool>());
        SqlMapper.AddTypeHandler(new RefusingHandler<byte[]>());
        SqlMapper.AddTypeHandler(new RefusingHandler<Jsonb>());
        SqlMapper.AddTypeHandler(new RefusingHandler<Guid[]>());
        SqlMapper.AddTypeHandler(new RefusingHandler<string[]>());
        try
        {
            await using (var connection = await DataSource.OpenConnectionAsync())
            {
                await Assert.ThatAsync(
                    () => connection.QuerySingleAsync<Guid>("select gen_random_uuid()"), Throws.InstanceOf<InvalidCastException>(), "the handlers are in use");
            }

            await EndToEndScenario.RunAsync(DataSource, migrate: true);
        }
        finally
        {
            SqlMapper.ResetTypeHandlers();
        }
    }

    private sealed class RefusingHandler<T> : SqlMapper.TypeHandler<T>
    {
        public override T? Parse(object value) => throw new InvalidCastException("the application's handler was called");

        public override void SetValue(IDbDataParameter parameter, T? value) => throw new InvalidCastException("the application's handler was called");
    }
}
