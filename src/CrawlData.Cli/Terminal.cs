using System.Globalization;
using CrawlData.Recordings;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CrawlData.Cli;

/// <summary>Writes tables to standard output and progress to standard error, fitted to a terminal. Redirected output has no colours and no control
/// sequences.</summary>
internal static class Terminal
{
    private const int DefaultWidth = 80;
    private const int LeastWide = 120;

    /// <summary>Gets whether standard error is a terminal that can show progress. In a pipeline it is not used, because the other programs write to the same
    /// terminal.</summary>
    public static bool ShowsProgress =>
        !Console.IsErrorRedirected && Error.Profile.Capabilities.Ansi && !Pipe.IsUsed;

    private static IAnsiConsole Out { get; } = Create(Console.Out, Console.IsOutputRedirected);

    private static IAnsiConsole Error { get; } = Create(Console.Error, Console.IsErrorRedirected);

    /// <summary>Gets the width of the lines, in columns.</summary>
    public static int Width { get; } = !Console.IsOutputRedirected ? Out.Profile.Width
        : int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var columns) && columns > 0 ? columns
        : DefaultWidth;

    /// <summary>Gets whether there is room for whole ids and for further columns.</summary>
    public static bool IsWide => Width >= LeastWide;

    /// <summary>Makes a table that fits the terminal.</summary>
    /// <param name="flexible">The column with long texts.</param>
    /// <param name="columns">The headers of all columns.</param>
    public static TextTable Table(string flexible, params IEnumerable<string> columns) => new(flexible, columns);

    /// <summary>Writes a line. The terminal continues a line that is too wide.</summary>
    public static void WriteLine(string text, bool isHeader = false)
    {
        Out.Write(new Line(text.Printable(), isHeader ? new Style(decoration: Decoration.Bold) : Style.Plain));
        Out.WriteLine();
    }

    /// <summary>Asks a question on the terminal. Without a terminal the answer is no.</summary>
    public static async Task<bool> ConfirmAsync(string question, CancellationToken cancellationToken) =>
        !Console.IsInputRedirected && !Console.IsOutputRedirected
        && await Out.PromptAsync(new ConfirmationPrompt(question) { DefaultValue = false }, cancellationToken);

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

    /// <summary>Formats a time to the second, with its zone.</summary>
    public static string FormatFull(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>Formats a time of a day that is known.</summary>
    public static string FormatTime(DateTimeOffset time) => time.ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    /// <inheritdoc cref="FormatTime"/>
    public static string FormatMoment(DateTimeOffset time) => time.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);

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

    private sealed class Line(string text, Style style) : Renderable
    {
        protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => [new Segment(text, style)];
    }

    private sealed class Progress(Action<RecordingProgress> report) : IProgress<RecordingProgress>
    {
        public void Report(RecordingProgress value) => report(value);
    }
}
