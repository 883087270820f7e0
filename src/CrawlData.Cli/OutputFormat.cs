using System.CommandLine;

namespace CrawlData.Cli;

/// <summary>The options that choose between tables and NDJSON.</summary>
internal sealed class OutputFormat
{
    private readonly Option<bool> json;

    private readonly Option<bool> table = new("--table") { Description = "Write tables, redirected too. Their width is then COLUMNS, or 80." };

    /// <param name="json">What the command writes as JSON.</param>
    /// <param name="redirected">What it writes when the output is redirected.</param>
    public OutputFormat(string json = "NDJSON, one row a line", string redirected = "It is the default when the output is redirected.") =>
        this.json = new Option<bool>("--json") { Description = $"Write {json}, on a terminal too. {redirected}" };

    public void AddTo(Command command)
    {
        command.Add(json);
        command.Add(table);
        command.Validators.Add(result =>
        {
            if (result.GetValue(json) && result.GetValue(table))
            {
                result.AddError("--json and --table exclude each other");
            }
        });
    }

    /// <summary>Gets whether JSON was asked for. It is also the default when the output is redirected.</summary>
    public bool IsJson(ParseResult arguments) => arguments.GetValue(json);

    /// <summary>Gets whether the command writes tables and sentences. Otherwise it writes JSON.</summary>
    public bool IsTable(ParseResult arguments) => arguments.GetValue(table) || (!Console.IsOutputRedirected && !arguments.GetValue(json));
}
