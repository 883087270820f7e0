using System.CommandLine;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>The database that a command works on.</summary>
internal static class Connection
{
    private const string Variable = "CRAWLDATA_CONNECTION";

    private const string Example = "Host=localhost;Username=me;Password=…;Database=crawls";

    public static Option<string?> Option { get; } = new("--connection")
    {
        Description = $"The database, as an Npgsql connection string; unless given, that of the environment variable {Variable}. Example: {Example}",
        HelpName = "STRING",
        Recursive = true,
    };

    /// <summary>Makes a data source for the database that is named; nothing is opened yet.</summary>
    /// <exception cref="UsageException">None is named, or the connection string is malformed.</exception>
    public static NpgsqlDataSource Required(ParseResult arguments) =>
        Optional(arguments) ?? throw new UsageException($"no connection given: name a database with --connection '{Example}' or in {Variable}.");

    /// <summary>Makes a data source for the database that is named; null when none is.</summary>
    /// <exception cref="UsageException">The connection string is malformed.</exception>
    public static NpgsqlDataSource? Optional(ParseResult arguments)
    {
        var named = arguments.GetValue(Option) ?? Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrWhiteSpace(named))
        {
            return null;
        }

        try
        {
            var settings = new NpgsqlConnectionStringBuilder(named);
            settings.ApplicationName ??= "crawldata";
            var dataSource = NpgsqlDataSource.Create(settings);

            // Of several hosts the primary, as AddCrawlData does.
            return dataSource is NpgsqlMultiHostDataSource hosts ? hosts.WithTargetSession(TargetSessionAttributes.Primary) : dataSource;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidOperationException or NotSupportedException)
        {
            // Without the cause: its message may quote the string.
            throw new UsageException($"the connection string is not one that Npgsql takes: it looks like '{Example}' and is no URI.");
        }
    }
}
