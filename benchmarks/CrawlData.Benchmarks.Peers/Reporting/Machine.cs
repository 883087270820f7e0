using System.Reflection;
using System.Runtime.InteropServices;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>What the figures were taken on.</summary>
internal static class Machine
{
    private const string ServerSql =
        """
        select current_setting('server_version'),
               'fsync ' || current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit')
                   || ', shared_buffers ' || current_setting('shared_buffers') || ', full_page_writes ' || current_setting('full_page_writes')
        """;

    public static string Processor => Line("/proc/cpuinfo", "model name") ?? RuntimeInformation.ProcessArchitecture.ToString();

    public static string Memory => $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1024.0 * 1024 * 1024):0.0} GiB";

    public static async Task<(string Version, string Settings)> ServerAsync(NpgsqlDataSource dataSource)
    {
        await using var command = dataSource.CreateCommand(ServerSql);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetString(0), reader.GetString(1));
    }

    /// <summary>The package's version, of which the assembly tells after "+" the commit.</summary>
    public static string VersionOf(Type type) => type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private static string? Line(string file, string name) => !File.Exists(file)
        ? null
        : File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
}
