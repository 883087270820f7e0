using System.CommandLine;
using System.CommandLine.Invocation;
using CrawlData.Cli;
using CrawlData.Cli.Commands;

var root = new RootCommand(
    """
    Crawls and audits in PostgreSQL: makes and migrates the tables, imports and exports recordings, shows what is there, and deletes what is old.

    The database is named by --connection or CRAWLDATA_CONNECTION; only demo can do without. To people the tool shows tables; redirected or with --json it writes NDJSON, a row a line.

    crawldata demo                          try it on a throwaway PostgreSQL
    crawldata migrate                       make or update the tables
    crawldata verify                        compare the tables with what the scripts make
    crawldata script > pending.sql          have a DBA make or update the tables, with psql
    crawldata status                        see how the database stands
    crawldata import crawl.ndjson.gz        store a recording
    crawldata runs --status RUNNING         list runs, newest first
    crawldata events CRAWL | jq .payload    read a crawl's events
    crawldata tail CRAWL                    follow a crawl live
    my-crawler | crawldata append CRAWL     store events as they come
    crawldata sessions --status failed      list audit sessions, newest first
    crawldata logs SESSION --level error    read a session's log
    crawldata export ID > crawl.ndjson      write a recording of a crawl or session
    crawldata sweep --dry-run               show artifacts that have expired
    crawldata purge --crawls 400d           delete old crawls

    Exit codes: 0 done, 1 the operation failed, 2 wrong usage, 3 verify found differences. An error is one line on standard error.
    """)
{
    Connection.Option,
    new DemoCommand(),
    new MigrateCommand(),
    new VerifyCommand(),
    new ScriptCommand(),
    new StatusCommand(),
    new RunsCommand(),
    new EventsCommand(),
    new TailCommand(),
    new AppendCommand(),
    new SessionsCommand(),
    new LogsCommand(),
    new ImportCommand(),
    new ExportCommand(),
    new SweepCommand(),
    new PurgeCommand(),
};
root.HelpName = "crawldata";

// Without response files: a recording's name may begin with @.
var arguments = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
if (arguments.CommandResult.Command is ToolCommand { Details: { } details } command)
{
    command.Description += $"\n\n{details}";
}

try
{
    if (arguments.Action is ParseErrorAction)
    {
        throw UsageException.Of(arguments, args);
    }

    // What fails throws; another exit code is the parser's own, after Ctrl+C, for a command that did not end in time: one that waits for standard input.
    var exitCode = await arguments.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    return exitCode is 0 or VerifyCommand.Differs ? exitCode : throw new OperationCanceledException();
}
catch (Exception exception)
{
    return ErrorReport.Write(exception);
}
