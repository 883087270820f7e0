using CrawlData.Testing;

namespace CrawlData.Tests;

/// <summary>Starts the server that all fixtures share. Without a server the run ends here with one message, instead of a failure for each test.</summary>
[SetUpFixture]
public class ThrowawayServerSetUp
{
    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        try
        {
            await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false, Logger = TestLog.Instance });
        }
        catch (ThrowawayServerException exception)
        {
            EndRun(exception.Message);
        }
    }

    /// <summary>Ends the test process with exit code 1. NUnit would otherwise report a failed set-up once for each test.</summary>
    /// <param name="problem">Goes to the process's own standard error, which <c>dotnet test</c> prints as the reason.</param>
    protected static void EndRun(string problem)
    {
        using (var error = new StreamWriter(Console.OpenStandardError()))
        {
            error.WriteLine(problem);
        }

        Environment.Exit(1);
    }
}
