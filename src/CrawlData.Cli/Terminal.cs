using System.CommandLine;
using System.Globalization;
using CrawlData.Recordings;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CrawlData.Cli;

/// <summary>Writes tables to standard output and progress to standard error, fitted to a terminal. Redirected output has no colours and no control
/// sequences.</summary>
internal static class Terminal
{
    private const int MaxCellLength = 1_000;
    private const int MinCellWidth = 8;

    /// <summary>Gets whether standard error is a terminal that can show progress.</summary>
    public static bool ShowsProgress => !Console.IsErrorRedirected && Error.Profile.Capabilities.Ansi;

    private static IAnsiConsole Out { get; } = Create(Console.Out, Console.IsOutputRedirected);

    private static IAnsiConsole Error { get; } = Create(Console.Error, Console.IsErrorRedirected);

    /// <summary>Gets whether a command writes a table. Otherwise it writes NDJSON.</summary>
    public static bool WritesTable(ParseResult arguments, Option<bool> json) => !Console.IsOutputRedirected && !arguments.GetValue(json);

    /// <summary>Makes a table that fits the terminal.</summary>
    /// <param name="flexible">The column that is shortened on a narrow terminal.</param>
    /// <param name="columns">The headers of all columns.</param>
    public static Table Table(string flexible, params IEnumerable<string> columns)
    {
        var table = new Table { Border = Console.IsOutputRedirected ? TableBorder.None : TableBorder.Simple, BorderStyle = new Style(Color.Grey) };
        foreach (var column in columns)
        {
            var header = new Text(column, new Style(decoration: Decoration.Bold));
            table.AddColumn(new TableColumn(header) { NoWrap = column != flexible, Padding = new Padding(0, 0, 1, 0) });
        }

        return table;
    }

    /// <summary>Adds a row of one-line cells. A cell that is too wide for the terminal is cut and ends in ….</summary>
    public static void AddCells(this Table table, params IEnumerable<string> texts) =>
        table.AddRow(texts.Select(text => new OneLine(text[..Math.Min(text.Length, MaxCellLength)].Printable())));

    /// <summary>Writes a line. A line that is too wide for the terminal is cut and ends in ….</summary>
    public static void WriteLine(string text)
    {
        Out.Write(new OneLine(text[..Math.Min(text.Length, MaxCellLength)].Printable()));
        Out.WriteLine();
    }

    /// <summary>Writes the table or, when it has no rows, a message.</summary>
    public static void Show(this Table table, string emptyMessage = "")
    {
        if (table.Rows.Count == 0)
        {
            Console.WriteLine(emptyMessage);
        }
        else
        {
            Out.Write(table);
        }
    }

    /// <summary>Runs work and shows its progress on standard error, when that is a terminal.</summary>
    /// <param name="title">The name of the work.</param>
    /// <param name="fraction">Gets the fraction that is done, for a bar; a spinner is shown when null.</param>
    /// <param name="work">The work. Its argument receives the progress, and is null when progress is not shown.</param>
    public static async Task<T> WithProgressAsync<T>(string title, Func<RecordingProgress, double>? fraction, Func<IProgress<RecordingProgress>?, Task<T>> work)
    {
        if (!ShowsProgress)
        {
            return await work(null);
        }

        ProgressColumn[] bar = fraction is null ? [] : [new ProgressBarColumn(), new PercentageColumn()];
        ProgressColumn[] columns = [new SpinnerColumn(), new TaskDescriptionColumn(), .. bar, new ElapsedTimeColumn()];
        return await Error.Progress().AutoClear(true).Columns(columns).StartAsync(async context =>
        {
            var task = context.AddTask(title, maxValue: 1);
            task.IsIndeterminate = fraction is null;
            return await work(Report(progress =>
            {
                task.Description = $"{title}, {progress.Rows:N0} rows";
                task.Value = fraction?.Invoke(progress) ?? 0;
            }));
        });
    }

    /// <summary>Writes a line to standard error, above the progress that is shown there.</summary>
    public static void WriteNotice(string text)
    {
        if (ShowsProgress)
        {
            Error.WriteLine(text.Printable());
        }
        else
        {
            Console.Error.WriteLine(text.Printable());
        }
    }

    /// <summary>Makes a progress that calls <paramref name="report"/> at once. System.Progress calls it later, on another thread.</summary>
    public static IProgress<RecordingProgress> Report(Action<RecordingProgress> report) => new Progress(report);

    public static string Format(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    public static string Format(TimeSpan time) => time.TotalSeconds switch
    {
        >= 1 => $"{time.TotalSeconds:N2} s",
        >= 0.01 => $"{time.TotalMilliseconds:N0} ms",
        _ => $"{time.TotalMilliseconds:N1} ms",
    };

    public static string FormatAge(TimeSpan age) => age switch
    {
        { TotalDays: >= 2 } => $"{age.TotalDays:N0} d",
        { TotalHours: >= 2 } => $"{age.TotalHours:N0} h",
        { TotalMinutes: >= 2 } => $"{age.TotalMinutes:N0} min",
        _ => $"{age.TotalSeconds:N0} s",
    };

    public static string FormatBytes(long bytes) => bytes switch
    {
        >= 1_000_000 => $"{bytes / 1e6:N1} MB",
        >= 1_000 => $"{bytes / 1e3:N1} kB",
        _ => $"{bytes} B",
    };

    public static string Count(long count, string noun) => $"{count:N0} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>Formats the counts that are not zero: <c>1 run, 20 events</c>.</summary>
    public static string Format(RecordingProgress total)
    {
        (long Count, string Noun)[] counts =
        [
            (total.Runs, "run"),
            (total.Events, "event"),
            (total.Sessions, "session"),
            (total.Pages, "page"),
            (total.Artifacts, "artifact"),
            (total.Logs, "log line"),
        ];
        return total.Rows == 0 ? "nothing" : string.Join(", ", counts.Where(one => one.Count > 0).Select(one => Count(one.Count, one.Noun)));
    }

    // Spectre.Console's own detection writes colours on a build server, redirected or not, and shows no progress where standard input is redirected.
    private static IAnsiConsole Create(TextWriter writer, bool redirected) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(writer),
        Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
        Interactive = redirected ? InteractionSupport.No : InteractionSupport.Yes,
        ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
    });

    private sealed class OneLine(string text) : Renderable
    {
        protected override Measurement Measure(RenderOptions options, int maxWidth)
        {
            var width = Math.Min(text.GetCellWidth(), maxWidth);
            return new Measurement(Math.Min(width, MinCellWidth), width);
        }

        protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth) =>
            text.GetCellWidth() <= maxWidth ? [new Segment(text)] : [Segment.Truncate(new Segment(text), maxWidth - 1) ?? Segment.Empty, new Segment("…")];
    }

    private sealed class Progress(Action<RecordingProgress> report) : IProgress<RecordingProgress>
    {
        public void Report(RecordingProgress value) => report(value);
    }
}
