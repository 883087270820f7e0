using System.CommandLine;
using System.Data.Common;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>The connection to the database that a command uses.</summary>
internal static class Connection
{
    private const string Variable = "CRAWLDATA_CONNECTION";

    // Eight times the default: an export takes a twentieth less time.
    private const int ReadBufferBytes = 64 * 1024;

    private const string Example = "Host=localhost;Username=me;Password=…;Database=crawls";

    public static Option<string?> Option { get; } = new("--connection")
    {
        Description = $"The database, as an Npgsql connection string. The default is the environment variable {Variable}. Example: {Example}. Other users "
            + "of the machine can see it while the tool runs: keep a password in --connection-file, in the environment, or in a file that PGPASSFILE names.",
        HelpName = "STRING",
        Recursive = true,
    };

    public static Option<string?> FileOption { get; } = new("--connection-file")
    {
        Description = "A file that holds the connection string. Several lines count as one, with a semicolon between them. On Linux and macOS, /dev/stdin "
            + "is standard input.",
        HelpName = "FILE",
        Recursive = true,
    };

    /// <summary>Makes a data source for the given connection string. It opens no connection yet.</summary>
    /// <exception cref="UsageException">No connection string is given, or it is invalid.</exception>
    public static NpgsqlDataSource Required(ParseResult arguments) =>
        Optional(arguments)
        ?? throw new UsageException($"no connection given: name a database with --connection '{Example}', in {Variable} or in a --connection-file."
            + (Environment.GetEnvironmentVariable("PGSERVICE") is null ? "" : " PGSERVICE has no effect: Npgsql reads no service file."));

    /// <summary>Makes a data source for the given connection string; null when none is given.</summary>
    /// <exception cref="UsageException">The connection string is invalid.</exception>
    public static NpgsqlDataSource? Optional(ParseResult arguments)
    {
        var given = Read(arguments);
        if (string.IsNullOrWhiteSpace(given))
        {
            return null;
        }

        try
        {
            var settings = new NpgsqlConnectionStringBuilder(given);
            settings.ApplicationName ??= "crawldata";
            settings.ReadBufferSize = Math.Max(settings.ReadBufferSize, ReadBufferBytes);
            var dataSource = NpgsqlDataSource.Create(settings);

            // With several hosts, connections go to the primary, as those of AddCrawlData do.
            return dataSource is NpgsqlMultiHostDataSource hosts ? hosts.WithTargetSession(TargetSessionAttributes.Primary) : dataSource;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidOperationException or NotSupportedException)
        {
            // The cause is left out, because its message may quote the string.
            throw new UsageException(NamesService(given)
                ? $"Npgsql reads no service file: write the connection string as '{Example}', or keep it in a --connection-file."
                : $"the connection string is invalid: write it as '{Example}', not as a URI.");
        }
    }

    private static bool NamesService(string given)
    {
        try
        {
            return new DbConnectionStringBuilder { ConnectionString = given }.ContainsKey("service");
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static string? Read(ParseResult arguments)
    {
        var (text, file) = (arguments.GetValue(Option), arguments.GetValue(FileOption));
        if (file is null)
        {
            return text ?? Environment.GetEnvironmentVariable(Variable);
        }

        if (text is not null)
        {
            throw new UsageException("--connection and --connection-file exclude each other.");
        }

        // Throws for a missing file. An empty one is not replaced by the environment: another database would be changed.
        var lines = string.Join(';', File.ReadAllLines(file).Select(line => line.Trim()));
        return lines.Length > 0 ? lines : throw new UsageException($"{file} holds no connection string.");
    }
}
