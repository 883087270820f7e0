using System.CommandLine;
using System.Diagnostics;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Schema;
using CrawlData.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata demo</c>: a real crawl into a database and back, timed.</summary>
internal sealed class DemoCommand : ToolCommand
{
    private const int EventsRead = 10_000;
    private const int TypesShown = 5;

    private readonly Argument<string?> file = new("FILE")
    {
        Description = "The recording to import; unless given that of a real crawl of PostgreSQL's documentation, which the tool carries.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public DemoCommand() : base("demo", $"Migrates a database, imports a recording, reads {EventsRead:N0} of its events back, and shows how long each part took.", """
        Without a connection it starts a throwaway PostgreSQL, in a container or from the server binaries of this machine, and removes it afterwards. With one it works there, and what it imports stays.
        """)
    {
        Add(file);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var parts = Terminal.Table(flexible: "what", "part", "what", $"{"time",8}", $"{"rate",16}");
        await using var named = Connection.Optional(arguments);
        if (named is not null)
        {
            var (server, connecting) = await TimeAsync("Connecting", () => DescribeAsync(named, cancellationToken));
            Add(parts, "connect", "to the named database", connecting);
            Console.WriteLine($"Server: {server}");
            var crawlId = await RunAsync(arguments, named, parts, cancellationToken);
            Console.WriteLine($"""
                The crawl stays in the database. Look at it:

                  crawldata events {crawlId}
                """);
            return;
        }

        var options = new ThrowawayDatabaseOptions { Migrate = false, Logger = NullLogger.Instance };
        var (database, starting) = await TimeAsync("Starting a throwaway PostgreSQL", () => ThrowawayDatabase.StartAsync(options, cancellationToken));
        await using (database)
        {
            Add(parts, "start", "a throwaway PostgreSQL database", starting);
            Console.WriteLine($"Server: {database.Server}");
            await RunAsync(arguments, database.DataSource, parts, cancellationToken);
        }

        Console.WriteLine("""
            The database was a throwaway one (fsync off), and is gone. Next, with a
            database of yours:

              export CRAWLDATA_CONNECTION='Host=localhost;Username=me;Database=crawls'
              crawldata demo
              crawldata runs
            """);
    }

    /// <summary>Shows the parts and the counts.</summary>
    /// <returns>The crawl that was read.</returns>
    private async Task<Guid> RunAsync(ParseResult arguments, NpgsqlDataSource dataSource, Spectre.Console.Table parts, CancellationToken cancellationToken)
    {
        var (scripts, migrating) = await TimeAsync("Migrating", () => new SchemaMigrator(dataSource).MigrateAsync(cancellationToken));
        Add(parts, "migrate", Terminal.Count(scripts.Count, "script"), migrating);

        await using var source = arguments.GetValue(file) is { } path ? RecordingSource.Open(path) : RecordingSource.OpenDemo();
        var watch = Stopwatch.StartNew();
        var imported = await source.ImportAsync(dataSource, new RecordingImportOptions { NewIds = true }, cancellationToken);
        var what = $"{Terminal.Count(imported.Total.Runs, "run")}, {Terminal.Count(imported.Total.Events, "event")}, {Terminal.FormatBytes(imported.Total.Bytes)}";
        Add(parts, "import", what, watch.Elapsed, imported.Total.Events);

        if (imported.CrawlIds is not [var crawlId, ..])
        {
            throw new InvalidDataException($"{source.Name} holds no run, so there is nothing to read back.");
        }

        var events = new CrawlEventRepository(dataSource);
        var read = 0;
        var first = TimeSpan.Zero;
        watch.Restart();
        await foreach (var _ in events.StreamAsync(crawlId, new CrawlEventQuery { Limit = EventsRead }, cancellationToken))
        {
            first = read++ == 0 ? watch.Elapsed : first;
        }

        Add(parts, "read", $"{Terminal.Count(read, "event")}, the first after {Terminal.Format(first)}", watch.Elapsed, read);
        Console.WriteLine();
        parts.Show();

        var counts = await events.CountByTypeAsync(crawlId, cancellationToken: cancellationToken);
        var types = Terminal.Table(flexible: "event type", "event type", $"{"events",10}");
        foreach (var (type, count) in counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).Take(TypesShown))
        {
            types.AddCells(type, $"{count,10:N0}");
        }

        if (counts.Count > TypesShown)
        {
            var others = counts.Values.OrderDescending().Skip(TypesShown).ToList();
            types.AddCells($"{Terminal.Count(others.Count, "other type")}", $"{others.Sum(),10:N0}");
        }

        Console.WriteLine();
        types.Show("The recording has no events.");
        Console.WriteLine();
        return crawlId;
    }

    private static async Task<string> DescribeAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return $"PostgreSQL {connection.PostgreSqlVersion} at {connection.Host}:{connection.Port}, database {connection.Database}";
    }

    private static async Task<(T Result, TimeSpan Time)> TimeAsync<T>(string title, Func<Task<T>> work)
    {
        var watch = Stopwatch.StartNew();
        return (await Terminal.WithProgressAsync(title, null, _ => work()), watch.Elapsed);
    }

    private static void Add(Spectre.Console.Table parts, string part, string what, TimeSpan time, long? events = null) =>
        parts.AddCells(part, what, $"{Terminal.Format(time),8}", events is { } count ? $"{count / time.TotalSeconds,7:N0} events/s" : "");
}
