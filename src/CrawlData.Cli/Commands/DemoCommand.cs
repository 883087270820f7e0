using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using CrawlData.Audits;
using CrawlData.Cli.Serving;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Schema;
using CrawlData.Storage;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata demo</c>: imports a real crawl and real audits, reads them back, and shows the times.</summary>
internal sealed class DemoCommand : ToolCommand
{
    public const string CommandName = "demo";

    public const string Summary = "Migrates a database, imports recordings of a crawl and of audits, reads them back, and shows the times.";

    private const int EventsRead = 10_000;
    private const int TypesShown = 5;

    // A clone runs the project's own program. An installed tool is started by a program with the tool's name, or by dotnet.
    private static readonly string Tool = Path.GetFileName(Environment.ProcessPath) is "CrawlData.Cli" or "CrawlData.Cli.exe"
        ? "dotnet run --project src/CrawlData.Cli --"
        : "crawldata";

    private readonly Argument<string?> file = new("FILE")
    {
        Description = "The recording to import. The default is two embedded recordings: a real crawl and real audits of PostgreSQL's documentation.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> yes = new("--yes") { Description = "With a connection: write into that database without asking." };

    private readonly Option<bool> serve = new("--serve")
    {
        Description = "Show the dashboard of a throwaway database in a browser, and in it a crawl that happens at its recorded pace.",
    };

    private readonly Option<int?> port = ServeCommand.PortOption();

    private readonly Option<double?> speed = CommandParameters.Optional(
        "--speed", "FACTOR", "With --serve: how much faster than recorded the crawl is. The default is 1: it takes 45 seconds.", "a number from 0.1 to 1000",
        (string token, out double value) =>
            double.TryParse(token, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value) && value is >= 0.1 and <= 1_000);

    public DemoCommand() : base(CommandName, Summary, """
        Without a connection, it starts a throwaway PostgreSQL in a container or from the server binaries of this machine, and removes it at the end. A machine
        without either fetches the binaries once. CRAWLDATA_POSTGRES_FETCH=off turns that off. With a connection, it asks, uses that database, and leaves the
        imported rows there.

        With --serve it prints a link to a dashboard. Opening the link starts a crawl, which the dashboard shows live. Ctrl+C ends the demo.
        """)
    {
        Add(file);
        Add(yes);
        Add(serve);
        Add(port);
        Add(speed);
        CommandParameters.Exclude(this, serve, yes);
        Validators.Add(result =>
        {
            if (result.GetResult(serve) is { Implicit: false } && result.GetResult(file)?.Tokens is [_])
            {
                result.AddError("FILE and --serve exclude each other");
            }
        });
        SetAction((arguments, cancellationToken) =>
            arguments.GetValue(serve) ? ServeAsync(arguments, cancellationToken) : RunAsync(arguments, cancellationToken));
    }

    // A throwaway server has to stop.
    public override TimeSpan TimeAfterCancel(ParseResult arguments) =>
        arguments.GetValue(serve) ? TimeSpan.FromSeconds(30) : base.TimeAfterCancel(arguments);

    private async Task ServeAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using (var named = Connection.Optional(arguments))
        {
            if (named is not null)
            {
                throw new UsageException("demo --serve uses a throwaway database, so it takes no connection: crawldata serve shows a named one.");
            }
        }

        try
        {
            var options = new ThrowawayDatabaseOptions { Migrate = false, Logger = new FetchLog() };
            var (database, _) = await TimeAsync("Starting a throwaway PostgreSQL", () => ThrowawayDatabase.StartAsync(options, cancellationToken));
            await using (database)
            {
                Console.WriteLine($"Server: {database.Server}");
                await ServedDemo.RunAsync(
                    database.DataSource, arguments.GetValue(port) ?? ServeCommand.DefaultPort, arguments.GetValue(speed) ?? 1, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C is the usual end.
        }
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var parts = Terminal.Table(flexible: "work", "part", "work", $"{"time",8}", $"{"rate",16}");
        await using var named = Connection.Optional(arguments);
        if (named is not null)
        {
            var (server, connecting) = await TimeAsync("Connecting", () => DescribeAsync(named, cancellationToken));
            Add(parts, "connect", "to the named database", connecting);
            Console.WriteLine($"Server: {server}");
            if (!arguments.GetValue(yes) && !await Terminal.ConfirmAsync("Migrate this database, and leave the recordings in it?", cancellationToken))
            {
                throw new UsageException("the demo wrote nothing: agree with --yes, or give no connection for a throwaway database.");
            }

            var commands = await RunAsync(arguments, named, isThrowaway: false, parts, cancellationToken);
            Console.WriteLine($"""
                The imported rows stay in the database. To see them:

                {string.Join("\n", commands.Select(command => $"  {command}"))}
                """);
            return;
        }

        var options = new ThrowawayDatabaseOptions { Migrate = false, Logger = new FetchLog() };
        var (database, starting) = await TimeAsync("Starting a throwaway PostgreSQL", () => ThrowawayDatabase.StartAsync(options, cancellationToken));
        await using (database)
        {
            Add(parts, "start", "a throwaway PostgreSQL database", starting);
            Console.WriteLine($"Server: {database.Server}");
            await RunAsync(arguments, database.DataSource, isThrowaway: true, parts, cancellationToken);
        }

        Console.WriteLine($"""
            The throwaway database (fsync off) is removed. Next, with a database of
            yours:

              export CRAWLDATA_CONNECTION='Host=localhost;Username=me;Database=crawls'
              {Tool} demo
              {Tool} runs
            """);
    }

    /// <summary>Imports, reads back, and writes the table of times and the counts.</summary>
    /// <returns>The commands that show the imported rows.</returns>
    private async Task<IReadOnlyList<string>> RunAsync(
        ParseResult arguments, NpgsqlDataSource dataSource, bool isThrowaway, TextTable parts, CancellationToken cancellationToken)
    {
        var (scripts, migrating) = await TimeAsync("Migrating", () => new SchemaMigrator(dataSource).MigrateAsync(cancellationToken));
        Add(parts, "migrate", Terminal.Count(scripts.Count, "script"), migrating);

        var crawlIds = new List<Guid>();
        var sessionIds = new List<Guid>();
        IEnumerable<Func<RecordingSource>> recordings = arguments.GetValue(file) is { } path
            ? [() => RecordingSource.Open(path)]
            : [() => RecordingSource.OpenEmbedded(RecordingSource.EmbeddedCrawl), () => RecordingSource.OpenEmbedded(RecordingSource.EmbeddedAudits)];

        // A throwaway database has no workers.
        var options = new RecordingImportOptions { NewIds = true, Enqueue = isThrowaway };
        foreach (var open in recordings)
        {
            await using var source = open();
            var watch = Stopwatch.StartNew();
            var imported = await source.ImportAsync(dataSource, options, cancellationToken);
            var work = imported.Total.Sessions > 0
                ? $"{Terminal.Count(imported.Total.Sessions, "session")}, {Terminal.Count(imported.Total.Rows, "row")} in all"
                : Terminal.Format(imported.Total);
            Add(parts, "import", $"{work}, {Terminal.FormatBytes(imported.Total.Bytes)}", watch.Elapsed, imported.Total.Rows);
            crawlIds.AddRange(imported.CrawlIds);
            sessionIds.AddRange(imported.SessionIds);
        }

        var counts = new List<TextTable>();
        var commands = new List<string>();
        if (crawlIds is [var crawlId, ..])
        {
            counts.Add(await ReadCrawlAsync(new CrawlEventRepository(dataSource), crawlId, parts, cancellationToken));
            commands.Add($"{Tool} events {crawlId}");
        }

        if (sessionIds is [var sessionId, ..])
        {
            counts.Add(await ReadSessionsAsync(dataSource, sessionIds, parts, cancellationToken));
            commands.Add($"{Tool} logs {sessionId}");
        }

        Console.WriteLine();
        parts.Show();
        Console.WriteLine();
        foreach (var table in counts)
        {
            table.Show("The recording has no events.");
            Console.WriteLine();
        }

        return commands.Count > 0
            ? commands
            : throw new InvalidDataException("The recording holds neither a run nor a session, so there is nothing to read back.");
    }

    private static async Task<TextTable> ReadCrawlAsync(
        CrawlEventRepository events, Guid crawlId, TextTable parts, CancellationToken cancellationToken)
    {
        var read = 0;
        var first = TimeSpan.Zero;
        var watch = Stopwatch.StartNew();
        await foreach (var _ in events.StreamAsync(crawlId, cancellationToken: cancellationToken).Take(EventsRead))
        {
            first = read++ == 0 ? watch.Elapsed : first;
        }

        Add(parts, "read", $"{Terminal.Count(read, "event")}, the first after {Terminal.Format(first)}", watch.Elapsed, read);

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

        return types;
    }

    private static async Task<TextTable> ReadSessionsAsync(
        NpgsqlDataSource dataSource, List<Guid> sessionIds, TextTable parts, CancellationToken cancellationToken)
    {
        var (artifacts, logs) = (new ArtifactRepository(dataSource), new CrawlLogRepository(dataSource));
        var totals = new Dictionary<ArtifactType, ArtifactTotal>();
        var read = 0;
        var watch = Stopwatch.StartNew();
        foreach (var sessionId in sessionIds)
        {
            foreach (var (type, total) in await artifacts.TotalByTypeAsync(sessionId, cancellationToken: cancellationToken))
            {
                var before = totals.GetValueOrDefault(type);
                totals[type] = new ArtifactTotal { Count = before.Count + total.Count, SizeBytes = before.SizeBytes + total.SizeBytes };
            }

            await foreach (var _ in logs.StreamAsync(sessionId, cancellationToken: cancellationToken))
            {
                read++;
            }
        }

        Add(parts, "read", $"{Terminal.Count(sessionIds.Count, "session")}: {Terminal.Count(read, "log line")}", watch.Elapsed, read);

        var types = Terminal.Table(flexible: "artifact type", "artifact type", $"{"artifacts",10}", $"{"size",10}");
        foreach (var (type, total) in totals)
        {
            types.AddCells(type.ToLabel(), $"{total.Count,10:N0}", $"{Terminal.FormatBytes(total.SizeBytes),10}");
        }

        return types;
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

    private static void Add(TextTable parts, string part, string work, TimeSpan time, long? rows = null) =>
        parts.AddCells(part, work, $"{Terminal.Format(time),8}", rows is { } count ? $"{count / time.TotalSeconds,9:N0} rows/s" : "");
}
