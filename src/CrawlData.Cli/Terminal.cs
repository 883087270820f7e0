using System.CommandLine;
using System.Globalization;
using CrawlData.Recordings;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CrawlData.Cli;

/// <summary>What people look at: tables on standard output, progress on standard error. Redirected it is plain text, without colours or control
/// sequences.</summary>
internal static class Terminal
{
    private const int LongestCell = 1_000;
    private const int LeastWidth = 8;

    /// <summary>Whether somebody looks at standard error.</summary>
    public static bool ShowsProgress => !Console.IsErrorRedirected && Error.Profile.Capabilities.Ansi;

    private static IAnsiConsole Out { get; } = Create(Console.Out, Console.IsOutputRedirected);

    private static IAnsiConsole Error { get; } = Create(Console.Error, Console.IsErrorRedirected);

    /// <summary>Whether a command shows a table; otherwise it writes rows.</summary>
    public static bool IsForPeople(ParseResult arguments, Option<bool> json) => !Console.IsOutputRedirected && !arguments.GetValue(json);

    /// <summary>Makes a table that fits the terminal.</summary>
    /// <param name="flexible">The column that gives way in a narrow terminal.</param>
    /// <param name="columns">All columns.</param>
    public static Table Table(string flexible, params IEnumerable<string> columns)
    {
        var table = new Table { Border = Console.IsOutputRedirected ? TableBorder.None : TableBorder.Simple, BorderStyle = new Style(Color.Grey) };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))) { NoWrap = column != flexible, Padding = new Padding(0, 0, 1, 0) });
        }

        return table;
    }

    /// <summary>Adds a row of texts, each in one line, which ends in … where the terminal is too narrow for it.</summary>
    public static void AddCells(this Table table, params IEnumerable<string> texts) =>
        table.AddRow(texts.Select(text => new OneLine(text[..Math.Min(text.Length, LongestCell)].Printable())));

    /// <summary>Writes a line, which ends in … where the terminal is too narrow for it.</summary>
    public static void WriteLine(string text)
    {
        Out.Write(new OneLine(text[..Math.Min(text.Length, LongestCell)].Printable()));
        Out.WriteLine();
    }

    /// <summary>Shows the table or, when it has no rows, what is said instead.</summary>
    public static void Show(this Table table, string whenEmpty = "")
    {
        if (table.Rows.Count == 0)
        {
            Console.WriteLine(whenEmpty);
        }
        else
        {
            Out.Write(table);
        }
    }

    /// <summary>Shows progress on standard error while something works, when that is a terminal: a bar where the fraction done is known, a spinner
    /// otherwise.</summary>
    public static async Task<T> WithProgressAsync<T>(string title, Func<RecordingProgress, double>? fraction, Func<IProgress<RecordingProgress>?, Task<T>> work)
    {
        if (!ShowsProgress)
        {
            return await work(null);
        }

        ProgressColumn[] bar = fraction is null ? [] : [new ProgressBarColumn(), new PercentageColumn()];
        return await Error.Progress().AutoClear(true).Columns([new SpinnerColumn(), new TaskDescriptionColumn(), .. bar, new ElapsedTimeColumn()]).StartAsync(async context =>
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

    /// <summary>Tells progress at once: System.Progress would tell it later, on another thread.</summary>
    public static IProgress<RecordingProgress> Report(Action<RecordingProgress> report) => new Progress(report);

    /// <summary>The text in one line and without control characters: what was crawled does not get to steer the terminal.</summary>
    public static string Printable(this string text) => string.Create(text.Length, text, static (printable, source) =>
    {
        for (var at = 0; at < printable.Length; at++)
        {
            printable[at] = char.IsControl(source[at]) ? ' ' : source[at];
        }
    });

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

    /// <summary>What there is of each, in words.</summary>
    public static string Format(RecordingProgress total)
    {
        (long Count, string Noun)[] counts =
        [
            (total.Runs, "run"), (total.Events, "event"), (total.Sessions, "session"), (total.Pages, "page"), (total.Artifacts, "artifact"), (total.Logs, "log line"),
        ];
        return total.Rows == 0 ? "nothing" : string.Join(", ", counts.Where(one => one.Count > 0).Select(one => Count(one.Count, one.Noun)));
    }

    // Spectre.Console takes a build server for a terminal with colours, redirected or not, and no terminal for one that moves where standard input is
    // redirected.
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
            return new Measurement(Math.Min(width, LeastWidth), width);
        }

        protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth) =>
            text.GetCellWidth() <= maxWidth ? [new Segment(text)] : [Segment.Truncate(new Segment(text), maxWidth - 1) ?? Segment.Empty, new Segment("…")];
    }

    private sealed class Progress(Action<RecordingProgress> report) : IProgress<RecordingProgress>
    {
        public void Report(RecordingProgress value) => report(value);
    }
}
