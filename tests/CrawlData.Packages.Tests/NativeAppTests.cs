using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using CrawlData.Testing;

namespace CrawlData.Packages.Tests;

public sealed partial class NativeAppTests
{
    [Test]
    public async Task A_native_application_uses_each_part_of_the_library_and_only_Dapper_is_warned_of()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });
        await using var copy = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });
        var project = await Packed.CreateProjectAsync("worker", "CrawlData", "CrawlData.Diagnostics");
        File.Delete(Path.Combine(project, "Worker.cs"));
        File.Copy(
            Path.Combine(Packed.Sources, "tests", "CrawlData.Packages.Tests", "AotApp", "Program.cs"), Path.Combine(project, "Program.cs"), overwrite: true);

        var built = await Command.RunAsync(
            project, Command.DotNet, "publish", "--runtime", RuntimeInformation.RuntimeIdentifier, "--output", "out", "-p:PublishAot=true",
            "-p:AssemblyName=app");
        var output = await Command.RunAsync(project, Path.Combine(project, "out", "app"), database.ConnectionString, copy.ConnectionString);

        Assert.That(
            Warning().Matches(built).Select(warning => warning.Value).Distinct(),
            Is.EquivalentTo(new[] { "warning IL2104: Assembly 'Dapper'", "warning IL3053: Assembly 'Dapper'" }));
        Assert.That(output, Is.EqualTo("""
            {"id":1,"crawlId":"00000000-0000-0000-0000-000000000000","eventType":"page.opened",\
            "payload":{"url": "https://example.org/", "status": 200},"createdAt":"0001-01-01T00:00:00+00:00"}
            2001 events
            copied native 100 Completed 2001
            Line 1: status: has another text; it takes one of PENDING, RUNNING, COMPLETED, FAILED and CANCELLED.
            crawldata Healthy, crawldata-copy Healthy
            0 differences
            status
            purged
            without reflection

            """.Replace("\\\n", "", StringComparison.Ordinal)));
    }

    [GeneratedRegex(@"warning [A-Z]+\d+: (Assembly '[^']+')?")]
    private static partial Regex Warning();
}
