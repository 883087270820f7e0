using System.CommandLine;
using System.Text.Json;
using CrawlData.Retention;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata sweep</c>: deletes expired artifacts from their storage and marks them as deleted.</summary>
internal sealed class SweepCommand : ToolCommand
{
    private const int ShownUnasked = 20;

    private static readonly Listing<ExpiredArtifact> Listing = new()
    {
        ShownUnasked = ShownUnasked,
        Table = () => Terminal.Table(flexible: "storage URI", "id", "expired (UTC)", $"{"size",10}", "storage URI"),
        Cells = artifact => [$"{artifact.Id}", Terminal.Format(artifact.RetentionUntil), $"{Terminal.FormatBytes(artifact.SizeBytes),10}", artifact.StorageUri],
        WhenEmpty = "None.",
        WhenMore = _ => $"The first {ShownUnasked}. All, as NDJSON: --json.",
    };

    private readonly Option<string?> acknowledged = new("--acknowledged")
    {
        Description = "A file of what has been deleted by somebody else and is to be marked: a line an artifact, its id or what this command printed of it; - is standard input.",
        HelpName = "FILE",
    };

    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Only show what has expired; delete and mark nothing." };

    private readonly Option<bool> json = CommandParameters.Json();

    public SweepCommand() : base("sweep", "Deletes files of expired artifacts, marks them as deleted, and prints the expired artifacts that lie elsewhere.", """
        An artifact whose storage URI is a local file: URI is deleted here; one that is not there any more counts as deleted, unless its folder is missing too. What lies elsewhere is printed, for a script to delete, and marked when it is acknowledged:

        crawldata sweep > expired.ndjson
        while read -r row; do aws s3 rm "$(jq -r .storage_uri <<< "$row")" && echo "$row" >> gone.ndjson; done < expired.ndjson
        crawldata sweep --acknowledged gone.ndjson

        Any number may sweep at once. A sweep that is cut off repeats what it had not marked, the next time.
        """)
    {
        Add(acknowledged);
        Add(dryRun);
        Add(json);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var cleanup = new RetentionCleanup(dataSource);
        var people = Terminal.IsForPeople(arguments, json);
        if (arguments.GetValue(dryRun))
        {
            await Listing.ShowAsync(people, null, _ => cleanup.StreamExpiredAsync(cancellationToken), cancellationToken);
            return;
        }

        var gone = await ReadAcknowledgedAsync(arguments.GetValue(acknowledged), cancellationToken);
        var elsewhere = new List<ExpiredArtifact>();
        await using var rows = people ? null : new RowWriter();
        var files = new FileDeleter(gone, async artifact =>
        {
            if (rows is not null)
            {
                await rows.WriteAsync(artifact, cancellationToken);
            }
            else if (elsewhere.Count <= ShownUnasked)
            {
                elsewhere.Add(artifact);
            }
        });
        var total = await cleanup.SweepAsync(files.DeleteAsync, cancellationToken: cancellationToken);
        if (people)
        {
            Console.WriteLine(
                $"{Terminal.Count(total.Expired, "artifact")} had expired, {Terminal.FormatBytes(total.ExpiredBytes)}. Deleted: {total.Deleted:N0}, {Terminal.FormatBytes(total.DeletedBytes)}. Elsewhere, not acknowledged:");
            await Listing.ShowAsync(people, null, _ => elsewhere.ToAsyncEnumerable(), cancellationToken);
        }

        if (files.FirstFailure is { } failure)
        {
            throw new IOException($"{Terminal.Count(files.FailureCount, "file")} could not be deleted, and will be tried again by the next sweep; the first: {failure}");
        }
    }

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

            ids.Add(ToId(line.Trim()) ?? throw new InvalidDataException($"{file}:{number}: is neither an artifact's id nor a row that `crawldata sweep` printed; nothing was done."));
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
            return row.RootElement.ValueKind == JsonValueKind.Object && row.RootElement.TryGetProperty("id", out var column) && column.TryGetGuid(out id) ? id : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Deletes local files, and takes the word of who acknowledged the others.</summary>
    private sealed class FileDeleter(HashSet<Guid> acknowledged, Func<ExpiredArtifact, ValueTask> elsewhere)
    {
        public int FailureCount { get; private set; }

        public string? FirstFailure { get; private set; }

        public async Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> batch, CancellationToken cancellationToken)
        {
            var deleted = new List<ExpiredArtifact>();
            foreach (var artifact in batch.TakeWhile(_ => !cancellationToken.IsCancellationRequested))
            {
                if (acknowledged.Contains(artifact.Id))
                {
                    deleted.Add(artifact);
                }
                else if (LocalPath(artifact.StorageUri) is not { } path)
                {
                    await elsewhere(artifact);
                }
                else if (IsDeleted(path))
                {
                    deleted.Add(artifact);
                }
            }

            return deleted;
        }

        // A path alone is no file: URI, but may well be a key in a bucket.
        private static string? LocalPath(string storageUri) =>
            storageUri.StartsWith("file:", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(storageUri, UriKind.Absolute, out var uri) && !uri.IsUnc
                ? uri.LocalPath
                : null;

        private bool IsDeleted(string path)
        {
            try
            {
                // Throws when its folder is not there: then the volume may not be mounted, and nobody can say whether the file is gone.
                File.Delete(path);
                return true;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                FailureCount++;
                FirstFailure ??= exception.Message;
                return false;
            }
        }
    }
}
