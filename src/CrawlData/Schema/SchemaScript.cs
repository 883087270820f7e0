using System.Security.Cryptography;
using System.Text;

namespace CrawlData.Schema;

/// <summary>A script of <c>sql/</c>, which is embedded in this library.</summary>
/// <param name="Name">The file's name.</param>
/// <param name="Sql">The file's text.</param>
internal sealed record SchemaScript(string Name, string Sql)
{
    /// <summary>All scripts, in the order in which they run. It is the order of their names, which start with three digits.</summary>
    public static IReadOnlyList<SchemaScript> All { get; } =
    [
        .. typeof(SchemaScript).Assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(Read),
    ];

    /// <summary>The SHA-256 of the text, in lower-case hexadecimal. It ignores the kind of line endings, because a checkout may change them.</summary>
    public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));

    private static SchemaScript Read(string name)
    {
        using var reader = new StreamReader(typeof(SchemaScript).Assembly.GetManifestResourceStream(name)!);
        return new SchemaScript(name, reader.ReadToEnd());
    }
}
