using System.CommandLine;
using System.Text.Json;
using CrawlData.Retention;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata sweep</c>: deletes expired artifacts from their storage and marks them as deleted.</summary>
internal sealed class SweepCommand : ToolCommand
{
    public const string CommandName = "sweep";

    public const string Summary = "Deletes the files of expired artifacts, marks these as deleted, and prints the other expired artifacts.";

    private const int DefaultRows = 20;

    private static readonly Listing<ExpiredArtifact> Listing = new()
    {
        DefaultRows = DefaultRows,
        Table = rows => Task.FromResult(ToTable(rows)),
        EmptyMessage = "None.",
        MoreMessage = _ => $"These are the first {DefaultRows}. --json writes all as NDJSON.",
    };

    private readonly Option<string[]> roots = new("--root")
    {
        Description = "Delete files in this folder and below. Repeat it for several. Without it no file is deleted.",
        HelpName = "DIR",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string?> acknowledged = new("--acknowledged")
    {
        Description = "A file of artifacts that another program has deleted, to mark them as deleted. Each line is an id or a row that this command printed. "
            + "- is standard input.",
        HelpName = "FILE",
    };

    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Only print the expired artifacts. Delete and mark nothing." };

    private readonly OutputFormat format = new();

    public SweepCommand() : base(CommandName, Summary, """
        It deletes files in the folders that --root names. The storage URI must be exactly the file: URI of the file, and no symbolic link may lead out of the
        folder. A file that does not exist counts as deleted, unless its folder is missing too. A file that cannot be deleted is reported by its artifact's id.

        The other expired artifacts are printed: those in other storage and outside the folders. A script can delete them, and --acknowledged marks them:

          crawldata sweep --root /var/audits > expired.ndjson
          while read -r row; do
            uri=$(jq -r .storage_uri <<< "$row")
            aws s3 rm "$uri" && echo "$row" >> gone.ndjson
          done < expired.ndjson
          crawldata sweep --acknowledged gone.ndjson

        Any number of processes may sweep at once. The sweep after an interrupted one repeats the artifacts that were not marked.
        """)
    {
        Add(roots);
        Add(acknowledged);
        Add(dryRun);
        format.AddTo(this);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var sweeper = new ArtifactSweeper(dataSource, PassedOverRowsLog.For<ArtifactSweeper>());
        var asTable = format.IsTable(arguments);
        if (arguments.GetValue(dryRun))
        {
            await Listing.WriteAsync(asTable, null, _ => sweeper.StreamExpiredAsync(cancellationToken), cancellationToken);
            return;
        }

        var files = OpenRoots(arguments.GetRequiredValue(roots));
        var acknowledgedIds = await ReadAcknowledgedAsync(arguments.GetValue(acknowledged), cancellationToken);
        var remaining = new List<ExpiredArtifact>();
        await using var rows = asTable ? null : new RowWriter();
        var store = new SweepStore(files, acknowledgedIds, async artifact =>
        {
            if (rows is not null)
            {
                await rows.WriteAsync(artifact, cancellationToken);
            }
            else if (remaining.Count <= DefaultRows)
            {
                remaining.Add(artifact);
            }
        });
        var total = await sweeper.SweepAsync(store, cancellationToken: cancellationToken);
        if (asTable)
        {
            Console.WriteLine(
                $"Expired: {Terminal.Count(total.Expired, "artifact")}, {Terminal.FormatBytes(total.ExpiredBytes)}. "
                + $"Deleted: {total.Deleted:N0}, {Terminal.FormatBytes(total.DeletedBytes)}. "
                + (files is null ? "No --root is given, so no file was deleted." : "")
                + (remaining.Count == 0 ? "" : files is null ? " Not acknowledged:" : "In other storage or outside the roots:"));
            if (remaining.Count > 0)
            {
                await Listing.WriteAsync(asTable, null, _ => remaining.ToAsyncEnumerable(), cancellationToken);
            }
        }

        if (store.FailureCount > 0)
        {
            throw new IOException($"{Terminal.Count(store.FailureCount, "file")} could not be deleted; the next sweep will retry.");
        }
    }

    // A root that does not exist is a mistake, or a volume that is not mounted.
    private static FileArtifactStore? OpenRoots(string[] roots) => roots.FirstOrDefault(root => !Directory.Exists(root)) is { } missing
        ? throw new UsageException($"--root {missing}: there is no such folder; nothing was done.")
        : roots.Length > 0 ? new FileArtifactStore(roots.Select(Path.GetFullPath)) : null;

    private static async Task<HashSet<Guid>> ReadAcknowledgedAsync(string? file, CancellationToken cancellationToken)
    {
        var ids = new HashSet<Guid>();
        if (file is null)
        {
            return ids;
        }

        using var reader = file == "-" ? new StreamReader(StandardInput.Open()) : new StreamReader(file);
        for (var number = 1; await reader.ReadLineAsync(cancellationToken) is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            ids.Add(ToId(line.Trim()) ?? throw new InvalidDataException(
                $"{file}:{number}: is neither an artifact's id nor a row that `crawldata sweep` printed; nothing was done."));
        }

        return ids;
    }

    private static Guid? ToId(string line)
    {
        if (Guid.TryParse(line, out var id))
        {
            return id;
        }

        try
        {
            using var row = JsonDocument.Parse(line);
            return row.RootElement.ValueKind == JsonValueKind.Object && row.RootElement.TryGetProperty("id", out var column) && column.TryGetGuid(out id)
                ? id
                : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static TextTable ToTable(IReadOnlyList<ExpiredArtifact> rows)
    {
        var table = Terminal.Table(flexible: "storage URI", "id", "expired (UTC)", $"{"size",10}", "storage URI");
        foreach (var artifact in rows)
        {
            table.AddCells(
                $"{artifact.Id}", Terminal.Format(artifact.RetentionUntil), $"{Terminal.FormatBytes(artifact.SizeBytes),10}", artifact.StorageUri);
        }

        return table;
    }
}
