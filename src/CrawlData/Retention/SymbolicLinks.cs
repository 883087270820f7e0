namespace CrawlData.Retention;

/// <summary>Resolves symbolic links. .NET resolves only the last component of a path.</summary>
internal static class SymbolicLinks
{
    // As many as Linux follows.
    private const int MostLinks = 40;

    /// <summary>Resolves all symbolic links of a path, as <c>realpath</c> does. Components that do not exist stay as they are.</summary>
    /// <param name="path">A full path.</param>
    /// <returns>The full path without links, without an ending separator.</returns>
    /// <exception cref="IOException">There are too many links, or a circle of them.</exception>
    public static string Resolve(string path)
    {
        var resolved = Path.GetPathRoot(path)!;
        var rest = new Stack<string>();
        Push(rest, path);
        for (var links = 0; rest.TryPop(out var component);)
        {
            // The component above is resolved already, so this is the parent that the file system would take.
            if (component == "..")
            {
                resolved = Path.GetDirectoryName(resolved) ?? resolved;
                continue;
            }

            var next = Path.Join(resolved, component);
            if (new DirectoryInfo(next).LinkTarget is not { } target)
            {
                resolved = next;
                continue;
            }

            if (++links > MostLinks)
            {
                throw new IOException($"'{path}' has too many symbolic links.");
            }

            resolved = Path.IsPathRooted(target) ? Path.GetPathRoot(target)! : resolved;
            Push(rest, target);
        }

        return resolved;
    }

    private static void Push(Stack<string> rest, string path)
    {
        var components = path[Path.GetPathRoot(path)!.Length..].Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);
        foreach (var component in components.Reverse().Where(component => component is not ("" or ".")))
        {
            rest.Push(component);
        }
    }
}
