using System.CommandLine;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>The connection to the database that a command uses.</summary>
internal static class Connection
{
    private const string Variable = "CRAWLDATA_CONNECTION";

    private const string Example = "Host=localhost;Username=me;Password=…;Database=crawls";

    public static Option<string?> Option { get; } = new("--connection")
    {
        Description = $"The database, as an Npgsql connection string. The default is the environment variable {Variable}. Example: {Example}",
        HelpName = "STRING",
        Recursive = true,
    };

    /// <summary>Makes a data source for the given connection string. It opens no connection yet.</summary>
    /// <exception cref="UsageException">No connection string is given, or it is invalid.</exception>
    public static NpgsqlDataSource Required(ParseResult arguments) =>
        Optional(arguments) ?? throw new UsageException($"no connection given: name a database with --connection '{Example}' or in {Variable}.");

    /// <summary>Makes a data source for the given connection string; null when none is given.</summary>
    /// <exception cref="UsageException">The connection string is invalid.</exception>
    public static NpgsqlDataSource? Optional(ParseResult arguments)
    {
        var given = arguments.GetValue(Option) ?? Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrWhiteSpace(given))
        {
            return null;
        }

        try
        {
            var settings = new NpgsqlConnectionStringBuilder(given);
            settings.ApplicationName ??= "crawldata";
            var dataSource = NpgsqlDataSource.Create(settings);

            // With several hosts, connections go to the primary, as those of AddCrawlData do.
            return dataSource is NpgsqlMultiHostDataSource hosts ? hosts.WithTargetSession(TargetSessionAttributes.Primary) : dataSource;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidOperationException or NotSupportedException)
        {
            // The cause is left out, because its message may quote the string.
            throw new UsageException($"the connection string is invalid: write it as '{Example}', not as a URI.");
        }
    }
}
