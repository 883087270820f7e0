using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;

namespace CrawlData.Retention;

/// <summary>Deletes and reads artifacts that are files of this machine, below folders that the application names.</summary>
/// <remarks>
/// <para>A storage URI comes from a row, and a row may come from anywhere. So a file is deleted only when <see cref="TryGetPath"/> accepts its URI, and its
/// folder is one of the roots or below one. The folder and the roots are compared with all symbolic links resolved, character by character. A file that is a
/// symbolic link itself is not deleted.</para>
/// <para>Only trusted programs may write in the roots. Whoever can replace a folder there by a link, between the check and the deletion, chooses which file of
/// that name is deleted.</para>
/// <para>A missing file counts as deleted, unless its folder is missing too: its volume may not be mounted. An artifact that is not deleted is logged by its id
/// and passed over, and the next sweep passes it again. Instances are thread-safe.</para>
/// </remarks>
/// <example>
/// <code>
/// await sweeper.SweepAsync(new FileArtifactStore(["/var/audits"], logger));
/// </code>
/// </example>
public sealed class FileArtifactStore : IArtifactStore
{
    private const string Scheme = "file://";

    // The characters of a path by RFC 3986, and the brackets that System.Uri leaves as they are.
    private static readonly SearchValues<char> PathCharacters =
        SearchValues.Create("/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+,;=:@[]");

    private readonly IReadOnlyList<string> roots;
    private readonly ILogger log;

    /// <summary>Makes a store.</summary>
    /// <param name="roots">The folders that files are deleted in and below: one or more full paths. They are looked up at each deletion.</param>
    /// <param name="logger">Logs each artifact that is not deleted; may be null.</param>
    /// <exception cref="ArgumentException">There is no root, or one of them is null or not a full path.</exception>
    public FileArtifactStore(IEnumerable<string> roots, ILogger<FileArtifactStore>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(roots);
        this.roots = [.. roots];
        if (this.roots.Count == 0 || this.roots.Any(root => !Path.IsPathFullyQualified(root ?? "") || root!.Contains('\0')))
        {
            throw new ArgumentException("Roots are one or more full paths, such as /var/audits.", nameof(roots));
        }

        log = logger.Guarded();
    }

    /// <summary>Gets the path of the file that a <c>file:</c> URI names on this machine.</summary>
    /// <remarks>
    /// <para>The URI names a file when <see cref="GetStorageUri"/> makes it from the path. It may differ in the letter case of the scheme and of hex digits,
    /// and in whether a character is percent-encoded.</para>
    /// <para>These name no file here: a URI with a host (also <c>localhost</c>, which is the machine of whoever wrote the URI), user, port, query or fragment;
    /// with characters that URIs do not have, such as a space; with an encoded slash, backslash or control character; with an empty, <c>.</c> or <c>..</c>
    /// segment; with a drive on Unix, or none on Windows.</para>
    /// </remarks>
    /// <param name="storageUri">The URI. Null names no file.</param>
    /// <param name="path">The full path; null when the result is false. The file may not exist.</param>
    /// <returns>Whether the URI names a file of this machine.</returns>
    public static bool TryGetPath(string? storageUri, [NotNullWhen(true)] out string? path)
    {
        path = null;
        if (storageUri is null
            || !storageUri.StartsWith($"{Scheme}/", StringComparison.OrdinalIgnoreCase)
            || storageUri.AsSpan(Scheme.Length).ContainsAnyExcept(PathCharacters)
            || storageUri.Contains("%2F", StringComparison.OrdinalIgnoreCase)
            || DecodePercents(storageUri.AsSpan(Scheme.Length)) is not { } decoded
            || decoded.Any(character => character == '\\' || char.IsControl(character)))
        {
            return false;
        }

        var isDrive = decoded is [_, var letter, ':', '/', ..] && char.IsAsciiLetter(letter);
        if (isDrive != OperatingSystem.IsWindows() || (isDrive && decoded.AsSpan(3).Contains(':')))
        {
            return false;
        }

        var named = isDrive ? decoded[1..].Replace('/', '\\') : decoded;
        path = Path.GetFullPath(named) == named && !Path.EndsInDirectorySeparator(named) ? named : null;
        return path is not null;
    }

    /// <summary>Makes the <c>file:</c> URI that names a file of this machine, for <see cref="Audits.NewArtifact.StorageUri"/>.</summary>
    /// <remarks>Neither <c>"file://" + path</c> nor <see cref="Uri"/> is right for every name: <c>?</c>, <c>#</c> and <c>%</c> are misread in the former, and
    /// the latter drops a space at the end.</remarks>
    /// <param name="path">The full path, as <see cref="Path.GetFullPath(string)"/> returns it.</param>
    /// <returns>The URI. <see cref="TryGetPath"/> returns the path.</returns>
    /// <exception cref="ArgumentException">The path is not full, has an empty, <c>.</c> or <c>..</c> segment, or a control character, a lone surrogate, or on
    /// Unix a backslash or a drive.</exception>
    public static string GetStorageUri(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var slashed = OperatingSystem.IsWindows() ? $"/{path.Replace('\\', '/')}" : path;
        var storageUri = Scheme + Uri.EscapeDataString(slashed).Replace("%2F", "/", StringComparison.Ordinal);
        return TryGetPath(storageUri, out var named) && named == path
            ? storageUri
            : throw new ArgumentException("Is not the full path of a file that a file: URI can name.", nameof(path));
    }

    /// <summary>Deletes the file that a URI names. A store that combines several storages calls it.</summary>
    /// <param name="storageUri">The URI.</param>
    /// <returns>Whether the file is gone, and why not. Errors of the file system are returned and not thrown.</returns>
    public FileDeletion Delete(string storageUri)
    {
        if (!TryGetPath(storageUri, out var path))
        {
            return new FileDeletion { Outcome = FileDeletionOutcome.NoFile };
        }

        try
        {
            // The deletion uses the resolved folder, and so the one that was checked.
            var folder = SymbolicLinks.Resolve(Path.GetDirectoryName(path)!);
            if (!roots.Any(root => Contains(SymbolicLinks.Resolve(root), folder)))
            {
                return new FileDeletion { Outcome = FileDeletionOutcome.OutsideRoots };
            }

            var file = new FileInfo(Path.Join(folder, Path.GetFileName(path)));
            if (file.LinkTarget is not null)
            {
                throw new IOException($"'{path}' is a symbolic link.");
            }

            // Throws when the folder is missing, and not when the file is.
            File.Delete(file.FullName);
            return new FileDeletion { Outcome = FileDeletionOutcome.Deleted };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new FileDeletion { Outcome = FileDeletionOutcome.Failed, Error = exception };
        }
    }

    /// <summary>Opens the file that a URI names, to read it. The file and the roots are compared with all symbolic links resolved.</summary>
    /// <remarks>A file whose size is zero is not opened, and reads as empty. So are devices, pipes and sockets, which would block a reader.</remarks>
    /// <param name="storageUri">The URI.</param>
    /// <returns>The content, which the caller disposes; null when the URI names no file of this machine, a file outside the roots, or one that does not
    /// exist.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not read the file.</exception>
    public Stream? OpenRead(string storageUri)
    {
        if (!TryGetPath(storageUri, out var path))
        {
            return null;
        }

        var file = new FileInfo(SymbolicLinks.Resolve(path));
        if (!roots.Any(root => Contains(SymbolicLinks.Resolve(root), file.DirectoryName!)) || !file.Exists)
        {
            return null;
        }

        return file.Length == 0
            ? new MemoryStream([], writable: false)
            : new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.Asynchronous);
    }

    /// <inheritdoc/>
    /// <remarks>It throws no exception of its own. A cancelled sweep gets the artifacts that were deleted before.</remarks>
    public Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(artifacts);
        var deleted = new List<ExpiredArtifact>();
        foreach (var artifact in artifacts.TakeWhile(_ => !cancellationToken.IsCancellationRequested))
        {
            var deletion = Delete(artifact.StorageUri);
            if (deletion.Outcome == FileDeletionOutcome.Deleted)
            {
                deleted.Add(artifact);
            }
            else
            {
                Log.FileNotDeleted(log, artifact.Id, deletion.Error?.GetType().Name ?? deletion.Outcome.ToString());
            }
        }

        return Task.FromResult<IReadOnlyList<ExpiredArtifact>>(deleted);
    }

    private static bool Contains(string root, string folder) =>
        folder == root || folder.StartsWith(Path.EndsInDirectorySeparator(root) ? root : root + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    // Uri.UnescapeDataString leaves what it cannot decode.
    private static string? DecodePercents(ReadOnlySpan<char> text)
    {
        var bytes = new byte[text.Length];
        var length = 0;
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] != '%')
            {
                bytes[length++] = (byte)text[at];
            }
            else if (at + 2 < text.Length
                && byte.TryParse(text.Slice(at + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes[length]))
            {
                length++;
                at += 2;
            }
            else
            {
                return null;
            }
        }

        return Utf8.IsValid(bytes.AsSpan(0, length)) ? Encoding.UTF8.GetString(bytes, 0, length) : null;
    }
}
