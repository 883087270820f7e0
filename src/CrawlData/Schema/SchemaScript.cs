using System.Security.Cryptography;
using System.Text;

namespace CrawlData.Schema;

/// <summary>One of the scripts of <c>sql/</c>, as it is embedded in this library.</summary>
internal sealed record SchemaScript(string Name, string Sql)
{
    /// <summary>All scripts, in the order in which they run: that of their names, which start with three digits.</summary>
    public static IReadOnlyList<SchemaScript> All { get; } =
    [
        .. typeof(SchemaScript).Assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(Read),
    ];

    /// <summary>SHA-256 of the text in lower-case hexadecimal; how its lines end does not count, since a checkout may change that.</summary>
    public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));

    private static SchemaScript Read(string name)
    {
        using var reader = new StreamReader(typeof(SchemaScript).Assembly.GetManifestResourceStream(name)!);
        return new SchemaScript(name, reader.ReadToEnd());
    }
}
