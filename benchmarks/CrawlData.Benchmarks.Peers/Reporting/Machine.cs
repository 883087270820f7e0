using System.Reflection;
using System.Runtime.InteropServices;

namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>Reads facts about this machine and about the packages.</summary>
internal static class Machine
{
    public static string Processor => ReadValue("/proc/cpuinfo", "model name") ?? RuntimeInformation.ProcessArchitecture.ToString();

    public static string Memory => $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1024.0 * 1024 * 1024):0.0} GiB";

    /// <summary>Returns the version of a type's package, without the commit that follows "+" in the assembly's version.</summary>
    public static string VersionOf(Type type) => type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private static string? ReadValue(string file, string name) => !File.Exists(file)
        ? null
        : File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
}
