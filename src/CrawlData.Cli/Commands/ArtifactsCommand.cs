using System.CommandLine;
using CrawlData.Audits;
using CrawlData.Storage;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata artifacts</c>: lists a session's artifacts.</summary>
internal sealed class ArtifactsCommand : ToolCommand
{
    public const string CommandName = "artifacts";

    public const string Summary = "Lists the artifacts of an audit session: size, retention time and storage URI.";

    private readonly Argument<IdText> session = CommandParameters.Session();

    private readonly Option<ArtifactType[]> types = CommandParameters.Labels<ArtifactType>("--type", "TYPE", "Only artifacts of this type");

    private readonly Option<bool> deleted = new("--deleted") { Description = "Also artifacts that are marked as deleted." };

    private readonly OutputFormat format = new();

    public ArtifactsCommand() : base(CommandName, Summary)
    {
        Add(session);
        Add(types);
        Add(deleted);
        format.AddTo(this);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var sessionId = await arguments.GetRequiredValue(session).ToSessionIdAsync(dataSource, cancellationToken);
        var filter = new ArtifactFilter { Types = arguments.GetValues(types), IncludeDeleted = arguments.GetValue(deleted) };
        var artifacts = await new ArtifactRepository(dataSource, logger: PassedOverRowsLog.For<ArtifactRepository>())
            .ListAsync(sessionId, filter, cancellationToken: cancellationToken);
        var listing = new Listing<Artifact>
        {
            DefaultRows = int.MaxValue - 1,
            Table = rows => Task.FromResult(ToTable(rows)),
            EmptyMessage = "No artifacts.",
            MoreMessage = _ => "",
        };
        if (!await listing.WriteAsync(format.IsTable(arguments), null, _ => artifacts.ToAsyncEnumerable(), cancellationToken))
        {
            await SessionCommand.RequireAsync(dataSource, sessionId, cancellationToken);
        }
    }

    private static TextTable ToTable(IReadOnlyList<Artifact> rows)
    {
        var table = Terminal.Table(flexible: "storage URI", "type", $"{"size",10}", "created", "kept until", "storage URI");
        foreach (var artifact in rows)
        {
            table.AddDate(artifact.CreatedAt);
            table.AddCells(
                artifact.Type.ToLabel(),
                $"{Terminal.FormatBytes(artifact.SizeBytes),10}",
                Terminal.FormatTime(artifact.CreatedAt),
                artifact.DeletedAt is { } time ? $"deleted {time:yyyy-MM-dd}" : artifact.RetentionUntil is { } until ? $"{until:yyyy-MM-dd}" : "forever",
                artifact.StorageUri);
        }

        return table;
    }
}
