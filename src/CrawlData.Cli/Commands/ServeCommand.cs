using System.CommandLine;
using System.Net;
using CrawlData.Cli.Serving;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata serve</c>: shows the dashboard in a browser.</summary>
internal sealed class ServeCommand : ToolCommand
{
    public const string CommandName = "serve";

    public const string Summary = "Shows the dashboard in a browser on this machine: runs, sessions, artifacts, status.";

    // The keys of a telephone that spell "crawl".
    public const int DefaultPort = 27295;

    private const int LeastTokenLength = 16;
    private const string TokenVariable = "CRAWLDATA_SERVE_TOKEN";

    private readonly Option<int?> port = PortOption();

    private readonly Option<string[]> hosts = new("--host")
    {
        Description = "A name that browsers may use for this machine, beside localhost and loopback addresses. May be given several times.",
        HelpName = "NAME",
    };

    private readonly Option<IPAddress?> listen = new("--listen")
    {
        Description = "The address to listen on. The default is 127.0.0.1. One that other machines reach needs a token.",
        HelpName = "ADDRESS",
        CustomParser = result =>
        {
            if (!IPAddress.TryParse(result.Tokens[0].Value, out var address))
            {
                result.AddError($"--listen takes an IP address of this machine, such as 0.0.0.0, not '{result.Tokens[0].Value}'");
            }

            return address;
        },
    };

    private readonly Option<string?> tokenFile = new("--token-file")
    {
        Description = $"A file that holds a token of at least {LeastTokenLength} characters. Everybody who types it sees the dashboard. The default is the "
            + $"environment variable {TokenVariable}, and without it a link that works once.",
        HelpName = "FILE",
    };

    private readonly Option<bool> allowActions = new("--allow-actions")
    {
        Description = "Let browsers cancel, fail and retry runs, and requeue, fail and release sessions. Each action is a line on standard error.",
    };

    private readonly Option<string?> artifactRoot = new("--artifact-root")
    {
        Description = "A folder whose files are shown as artifacts, where their storage URIs are file: URIs.",
        HelpName = "FOLDER",
    };

    public ServeCommand() : base(CommandName, Summary, """
        It only reads, unless --allow-actions is given. It prints a link. The link works once: the browser that opens it keeps a cookie, and others get 403.
        Ctrl+C ends it. No option takes the token itself, because other users of the machine can see a process's arguments.

        Beyond this machine it speaks plain HTTP. Put a proxy with TLS before it, or use ssh -L 27295:localhost:27295 and leave it on 127.0.0.1.

          crawldata serve
          crawldata serve --port 0 --connection-file crawls.txt
          CRAWLDATA_SERVE_TOKEN=$(cat token) crawldata serve --listen 0.0.0.0
        """)
    {
        Add(port);
        Add(hosts);
        Add(listen);
        Add(tokenFile);
        Add(artifactRoot);
        Add(allowActions);
        SetAction(RunAsync);
    }

    public override TimeSpan TimeAfterCancel(ParseResult arguments) => TimeSpan.FromSeconds(10);

    public static Option<int?> PortOption() => CommandParameters.Optional(
        "--port", "PORT", $"The port; 0 for any. The default is {DefaultPort}: CRAWL on the keys of a telephone.", "a port from 0 to 65535",
        (string token, out int value) => CommandParameters.TryParseNumber(token, out value) && value <= IPEndPoint.MaxPort);

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var options = new DashboardServerOptions
        {
            Address = arguments.GetValue(listen) ?? IPAddress.Loopback,
            Port = arguments.GetValue(port) ?? DefaultPort,
            Hosts = arguments.GetValue(hosts) ?? [],
            Token = ReadToken(arguments.GetValue(tokenFile)),
            AllowActions = arguments.GetValue(allowActions),
            Configure = dashboard => dashboard.ArtifactRoot = arguments.GetValue(artifactRoot) is { } folder ? Path.GetFullPath(folder) : null,
        };
        if (!IPAddress.IsLoopback(options.Address) && options.Token is null)
        {
            throw new UsageException(
                $"--listen {options.Address} opens the dashboard to other machines, so it needs a token: --token-file, or {TokenVariable} in the environment.");
        }

        await using var dataSource = Connection.Required(arguments);
        try
        {
            Console.WriteLine($"Dashboard of {await DescribeAsync(dataSource, cancellationToken)}");
            await using var server = await DashboardServer.StartAsync(dataSource, options, cancellationToken);
            Console.WriteLine($"""

                  {server.Link}

                {(options.Token is null ? "The link works once." : "It asks for the token.")} Ctrl+C ends the dashboard.
                """);
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C is the usual end.
        }
    }

    private static async Task<string> DescribeAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return $"PostgreSQL {connection.PostgreSqlVersion} at {connection.Host}:{connection.Port}, database {connection.Database}";
    }

    private static string? ReadToken(string? file)
    {
        // An empty file is not replaced by the environment: the dashboard would be open to others than was meant.
        var token = file is null ? Environment.GetEnvironmentVariable(TokenVariable) : File.ReadAllText(file).Trim();
        return token is null || token.Length >= LeastTokenLength
            ? token
            : throw new UsageException($"{file ?? TokenVariable} holds a token of {token.Length} characters: it needs {LeastTokenLength} at least.");
    }
}
