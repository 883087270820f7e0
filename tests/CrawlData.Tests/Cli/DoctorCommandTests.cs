namespace CrawlData.Tests.Cli;

public sealed class DoctorCommandTests : ToolTest
{
    [Test]
    public async Task A_sound_database_is_exit_code_0_without_output() => AssertDone(await RunAsync("doctor"));

    [Test]
    public async Task Each_finding_is_a_row_and_the_exit_code_is_3()
    {
        var examined = await Tool.RunAsync(Database.ConnectionString + ";Options=-c synchronous_commit=off", "doctor");

        Assert.That((examined.ExitCode, examined.Error), Is.EqualTo((3, "")));
        Assert.That(examined.Rows, Is.EqualTo(new[]
        {
            Jsonb.Parse(
                """
                {
                  "check": "settings", "subject": "synchronous_commit", "value": "off",
                  "effect": "A crash of the server can lose acknowledged rows, and a reader of all crawls can miss events.",
                  "remedy": "remove synchronous_commit from the connection string"
                }
                """),
        }));
    }
}
