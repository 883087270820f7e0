using System.CommandLine;
using System.Globalization;
using CrawlData.Benchmarks;
using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Benchmarks.Peers.Measurements;
using CrawlData.Benchmarks.Peers.Reporting;

const int WrongUsage = 2;

var folder = new Argument<string>("FOLDER")
{
    Description = "The folder for report.md.",
    DefaultValueFactory = _ => Path.Combine("benchmarks", "report"),
};
folder.Validators.Add(result =>
{
    // A mistyped option is parsed as the folder.
    if (result.Tokens is [var token, ..] && token.Value.StartsWith('-'))
    {
        result.AddError($"There is no option {token.Value}.");
    }
});
var quick = new Option<bool>("--quick") { Description = "Runs everything once in about a minute. The figures mean nothing." };
var largest = new Option<int?>("--largest")
{
    Description = $"The most events in a table of the growth measurement and of the cold reads. The default is {BenchmarkScale.Full.GrowthTableSizes[^1]}.",
    HelpName = "EVENTS",
};
var fsync = new Option<bool>("--fsync")
{
    Description = "Starts a PostgreSQL server from this machine's programs, whichever server the environment names, "
        + "with fsync, full_page_writes and synchronous_commit on.",
};
var large = new Option<long?>("--scale")
{
    Description = "Measures only a table of this many events, such as 100M, beside one of a million, and writes scale.md. 100M takes an hour and 60 GB.",
    HelpName = "EVENTS",
    CustomParser = result =>
    {
        var text = result.Tokens[0].Value;
        if (long.TryParse(text.TrimEnd('M'), NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is > 0 and <= 1_000_000_000)
        {
            return text.EndsWith('M') ? count * 1_000_000 : count;
        }

        result.AddError($"--scale takes a number of events, such as 100M, not '{text}'.");
        return null;
    },
};
large.Validators.Add(result =>
{
    if (result.GetValueOrDefault<long?>() is < 2_000_000)
    {
        result.AddError("--scale takes at least 2M events.");
    }
});
var report = new Command("report", "Measures CrawlData and other libraries, and writes the figures to report.md.") { folder, quick, largest, fsync, large };
report.SetAction(async (result, _) =>
{
    var scale = (result.GetValue(quick) ? BenchmarkScale.Quick : BenchmarkScale.Full).LimitTables(result.GetValue(largest) ?? int.MaxValue);
    if (scale.GrowthTableSizes.Count == 0)
    {
        await Console.Error.WriteLineAsync($"--largest {result.GetValue(largest)} is smaller than the smallest table.");
        return WrongUsage;
    }

    if (result.GetValue(fsync))
    {
        await DurableServer.StartAsync();
    }

    var property = (AllPeers.WithMarten ? "-p:WithMarten=true " : "") + (AllPeers.WithBaseline ? "-p:WithBaseline=true " : "")
        + (AllPeers.WithReadyToRun ? "-p:WithReadyToRun=true " : "");
    var options = new ReportOptions
    {
        Folder = result.GetValue(folder)!,
        Scale = scale,
        Quick = result.GetValue(quick),
        Fsync = result.GetValue(fsync),
        LargeTable = result.GetValue(large),
        Command = $"dotnet run -c Release --project benchmarks/CrawlData.Benchmarks.Peers {property}-- {string.Join(' ', args)}",
    };
    Console.WriteLine(await new Report(options).RunAsync());
    return 0;
});

var arguments = new RootCommand("Compares CrawlData with other libraries that store and read events in PostgreSQL.") { report }.Parse(args);
var exitCode = await arguments.InvokeAsync();
return arguments.Errors.Count > 0 ? WrongUsage : exitCode;
