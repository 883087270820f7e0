using CrawlData.Tests.Cli;

namespace CrawlData.Tests;

/// <summary>The application may turn process-wide switches of Npgsql. Neither what is stored nor what is read depends on them.</summary>
public sealed class DriverSwitchTests : EmptiedDatabaseTest
{
    // All switches of Npgsql 10 that leave named parameters, each in its unusual position.
    private static readonly string[] Turned =
    [
        "Npgsql.EnableLegacyTimestampBehavior=true",
        "Npgsql.DisableDateTimeInfinityConversions=true",
        "Npgsql.EnableStoredProcedureCompatMode=true",
        "Npgsql.EnableLegacyCaseInsensitiveDbParameters=true",
        "Npgsql.EnableAssertions=true",
    ];

    [Test]
    public async Task The_library_works_with_all_switches_turned()
    {
        var result = await Tool.RunTestsProgramAsync([Database.ConnectionString, .. Turned]);

        Assert.That(result.ExitCode, Is.Zero, result.Error);
    }

    /// <summary>A native application cannot make code. Dapper makes code to map rows and to read parameters' properties, and the library has it do
    /// neither.</summary>
    [Test]
    public async Task Nothing_makes_code_at_run_time()
    {
        var result = await Tool.RunTestsProgramAsync(Database.ConnectionString, DriverSwitchScenario.DynamicCode + "=false");

        Assert.That(result.ExitCode, Is.Zero, result.Error);
    }

    [Test]
    public async Task Without_named_parameters_a_call_is_refused()
    {
        var result = await Tool.RunTestsProgramAsync(Database.ConnectionString, "Npgsql.EnableSqlRewriting=false");

        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(await QueryAsync<long>("select count(*) from crawl_runs"), Is.EqualTo(new[] { 0L }));
    }
}
