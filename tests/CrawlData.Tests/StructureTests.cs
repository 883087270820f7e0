using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace CrawlData.Tests;

/// <summary>Holds the source of the library to its structure: arrows between folders go one way, a file holds one type, and a line has 160 columns.</summary>
public sealed class StructureTests
{
    private const int Columns = 160;

    // A folder, or a file of the root, may use those below it.
    private static readonly string[][] Layers =
    [
        ["DependencyInjection"],
        ["Workers"],
        ["CrawlDataOptions.cs", "Recordings", "Retention", "Monitoring"],
        ["Crawls", "Audits", "Schema"],
        ["Paging", "Transitions", "Queues"],
        ["Storage"],
        ["Json", "Instrumentation"],
        ["RetryOptions.cs"],
        ["Errors"],
    ];

    private static readonly string Root = FindRoot();
    private static readonly Lazy<CSharpCompilation> Library = new(Compile);
    private static readonly Lazy<(string User, string Used, string Name)[]> AllUses = new(() => [.. Files.SelectMany(Uses).Distinct()]);

    private static IEnumerable<SyntaxTree> Files => Library.Value.SyntaxTrees.Where(tree => tree.FilePath.Length > 0);

    [Test]
    public void Arrows_between_folders_go_one_way()
    {
        var wrong = AllUses.Value
            .Where(use => Folder(use.User) != Folder(use.Used) && Layer(use.User) >= Layer(use.Used))
            .Select(use => $"{Relative(use.User)} uses {use.Name} of {Relative(use.Used)}");

        Assert.That(string.Join("\n", wrong), Is.Empty);
    }

    [Test]
    public void Folders_within_crawls_and_audits_form_no_circle()
    {
        var arrows = AllUses.Value.Select(use => (use.User, use.Used)).Distinct().ToLookup(use => use.User, use => use.Used);
        var circles = arrows.Select(group => group.Key)
            .Where(
                file =>
                    Reachable(file, arrows)
                        .Any(other => Path.GetDirectoryName(other) != Path.GetDirectoryName(file) && Reachable(other, arrows).Contains(file)))
            .Select(Relative);

        Assert.That(string.Join("\n", circles), Is.Empty);
    }

    [Test]
    public void A_file_holds_one_type_and_has_its_name()
    {
        var wrong = Files
            .Select(tree => (
                File: Relative(tree.FilePath),
                Name: Path.GetFileName(tree.FilePath).Split('.')[0],
                Types: Types(tree).Select(type => type.Identifier.ValueText).ToArray()))
            .Where(file => file.Types is not [var type] || type != file.Name)
            .Select(file => $"{file.File} holds {string.Join(", ", file.Types)}");

        Assert.That(string.Join("\n", wrong), Is.Empty);
    }

    [Test]
    public void A_line_has_160_columns_at_most()
    {
        var wide = new[] { "src", "tests", "benchmarks" }.SelectMany(SourceFiles)
            .SelectMany(file => File.ReadLines(file).Select((line, index) => (Line: $"{Path.GetRelativePath(Root, file)}:{index + 1}", line.Length)))
            .Where(line => line.Length > Columns)
            .Select(line => $"{line.Line} has {line.Length}");

        Assert.That(string.Join("\n", wide), Is.Empty, $"lines of more than {Columns} columns");
    }

    /// <summary>Finds the symbols that a file uses and another file declares.</summary>
    private static IEnumerable<(string User, string Used, string Name)> Uses(SyntaxTree tree)
    {
        var model = Library.Value.GetSemanticModel(tree);
        return
            from name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>()
            let symbol = model.GetSymbolInfo(name).Symbol
            where symbol is not null and not INamespaceSymbol
            from declaration in symbol.OriginalDefinition.DeclaringSyntaxReferences
            where declaration.SyntaxTree != tree && declaration.SyntaxTree.FilePath.Length > 0
            select (tree.FilePath, declaration.SyntaxTree.FilePath, symbol.Name);
    }

    private static HashSet<string> Reachable(string file, ILookup<string, string> arrows)
    {
        var reached = new HashSet<string>();
        var next = new Stack<string>(arrows[file]);
        while (next.TryPop(out var used))
        {
            if (reached.Add(used))
            {
                foreach (var further in arrows[used])
                {
                    next.Push(further);
                }
            }
        }

        return reached;
    }

    private static IEnumerable<BaseTypeDeclarationSyntax> Types(SyntaxTree tree) =>
        tree.GetRoot().DescendantNodes(node => node is not BaseTypeDeclarationSyntax).OfType<BaseTypeDeclarationSyntax>();

    private static int Layer(string file) => Array.FindIndex(Layers, layer => layer.Contains(Folder(file))) is >= 0 and var layer
        ? layer
        : throw new AssertionException($"{Relative(file)} is in no layer");

    // A file of the root stands for itself.
    private static string Folder(string file) => Relative(file).Split('/')[0];

    private static string Relative(string file) => Path.GetRelativePath(Path.Combine(Root, "src", "CrawlData"), file).Replace('\\', '/');

    private static CSharpCompilation Compile()
    {
        var usings = CSharpSyntaxTree.ParseText(
            "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; "
                + "global using System.Threading; global using System.Threading.Tasks;");
        var platform = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileNameWithoutExtension(path) != "CrawlData")
            .Select(path => MetadataReference.CreateFromFile(path));
        return CSharpCompilation.Create(
            "CrawlData",
            SourceFiles("src/CrawlData").Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file), path: file)).Append(usings),
            platform);
    }

    private static IEnumerable<string> SourceFiles(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "CrawlData.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("There is no CrawlData.sln above the tests.");
        }

        return folder.FullName;
    }
}
