using System.Globalization;
using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Benchmarks.Peers.Measurements;
using CrawlData.Benchmarks.Peers.Reporting;

const string usage =
    """
    usage: report [FOLDER] [--quick] [--largest EVENTS]
      FOLDER            where report.md and its charts go; benchmarks/report unless given
      --quick           a smoke test of a minute, whose figures say nothing
      --largest EVENTS  the largest table that growth and cold reads are measured with; 10000000 unless given
    """;

string? folder = null;
var quick = false;
int? largest = null;
var understood = args is ["report", ..];
for (var index = 1; understood && index < args.Length; index++)
{
    switch (args[index])
    {
        case "--quick":
            quick = true;
            break;
        case "--largest" when index + 1 < args.Length && int.TryParse(args[index + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var bound):
            largest = bound;
            index++;
            break;
        case var argument when folder is null && !argument.StartsWith('-'):
            folder = argument;
            break;
        default:
            understood = false;
            break;
    }
}

var extent = quick ? Extent.Quick : new Extent();
extent = extent with
{
    Growth = [.. extent.Growth.Where(size => size <= (largest ?? int.MaxValue))],
    Cold = [.. extent.Cold.Select(size => Math.Min(size, largest ?? size)).Distinct()],
};
if (!understood || extent.Growth.Count == 0)
{
    Console.Error.WriteLine(usage);
    return 2;
}

var property = AllPeers.WithMarten ? "-p:WithMarten=true " : "";
var again = $"dotnet run -c Release --project benchmarks/CrawlData.Benchmarks.Peers {property}-- {string.Join(' ', args)}";
folder ??= Path.Combine("benchmarks", "report");
await new Report(extent, folder, again, quick).RunAsync();
Console.WriteLine(Path.Combine(folder, "report.md"));
return 0;
