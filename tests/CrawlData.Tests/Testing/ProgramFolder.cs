using CrawlData.Testing;

namespace CrawlData.Tests.Testing;

/// <summary>A folder with scripts in place of the server's programs.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed class ProgramFolder : IDisposable
{
    public const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead
        | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("crawldata-programs-");

    /// <summary>Writes the scripts. <c>$OUT</c> in a script is <see cref="Output"/>.</summary>
    /// <param name="initdb">The script of <c>initdb</c>.</param>
    /// <param name="pgCtl">The script of <c>pg_ctl</c>.</param>
    /// <param name="postgres">The script of <c>postgres</c>.</param>
    public ProgramFolder(string initdb, string pgCtl, string postgres)
    {
        root.UnixFileMode = Executable;
        Directory.CreateDirectory(Output);
        File.SetUnixFileMode(Output, Executable | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite);
        Path = root.CreateSubdirectory("bin").FullName;
        File.SetUnixFileMode(Path, Executable);
        Add("initdb", initdb);
        Add("pg_ctl", pgCtl);
        Add("postgres", postgres);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The folder above, which is this test's alone.</summary>
    public string Parent => root.FullName;

    /// <summary>A folder that every user can write, for what the scripts do.</summary>
    public string Output => System.IO.Path.Combine(root.FullName, "output");

    /// <summary>What the scripts' folder is for <see cref="LocalServer"/>.</summary>
    public PostgresBinaries Binaries => new(Path, 15, 0);

    /// <summary>Writes another script.</summary>
    public void Add(string program, string script)
    {
        File.WriteAllText(FileOf(program), $"#!/bin/sh\nOUT={Output}\n{script}\n");
        File.SetUnixFileMode(FileOf(program), Executable);
    }

    public string FileOf(string program) => System.IO.Path.Combine(Path, program);

    public void Dispose() => root.Delete(recursive: true);
}
