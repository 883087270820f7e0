using System.CommandLine;
using System.CommandLine.Parsing;
using CrawlData.Cli;
using CrawlData.Cli.Commands;

var root = new RootCommand(HelpText.JoinLines(
    """
    Stores crawls and audits in PostgreSQL: creates and migrates the tables, imports and exports recordings, lists what is stored, starts and ends
    work, and deletes what is old.

    --connection, --connection-file or CRAWLDATA_CONNECTION names the database; only demo works without one. Other users of the machine can see
    a process's arguments, so keep a password out of them. On a terminal, lists are tables. Redirected or with --json, they are NDJSON, one row a line.

      crawldata demo                          try it on a throwaway PostgreSQL
      crawldata migrate                       create or update the tables
      crawldata verify                        compare the tables with the scripts
      crawldata doctor                        find what can lose rows or needs you
      crawldata script > pending.sql          print the pending SQL for a DBA
      crawldata status                        show sizes, counts and unfinished work
      crawldata import crawl.ndjson.gz        import a recording
      crawldata runs --status RUNNING         list runs, newest first
      crawldata run ID                        show a run: error, last event, counts
      crawldata runs --stale 10m              list runs that are stuck
      crawldata run fail ID --error TEXT      end a run; also create, start, complete, cancel, retry
      crawldata events ID --last 20           read a crawl's events
      crawldata tail                          follow all crawls live, from now on
      crawldata stats ID                      count a run's events by type
      crawldata diff OLDER NEWER              compare two runs by URL
      my-crawler | crawldata append ID        append events as they arrive
      crawldata sessions --status failed      list audit sessions, newest first
      crawldata session ID                    show a session: error, pages, last lines
      crawldata session requeue ID            queue a session again; also enqueue, fail, release
      crawldata pages ID                      list a session's pages
      crawldata artifacts ID                  list a session's artifacts
      crawldata logs ID --level error         read a session's log
      crawldata export ID > crawl.ndjson      export a crawl or an audit session
      crawldata sweep --dry-run               list expired artifacts
      crawldata purge --crawls 400d           delete old crawls
      crawldata spool DIR --replay            store what a writer left on disk
      crawldata serve                         show the dashboard in a browser
      crawldata completion bash               complete command lines in your shell

    An ID may be shortened to its first digits, as the tables show it.

    Exit codes: 0 success, 1 the operation failed, 2 wrong usage, 3 verify, doctor or diff found something. An error is one line on standard error.
    """))
{
    Connection.Option,
    Connection.FileOption,
    new DemoCommand(),
    new MigrateCommand(),
    new VerifyCommand(),
    new DoctorCommand(),
    new ScriptCommand(),
    new StatusCommand(),
    new RunsCommand(),
    new RunCommand(),
    new EventsCommand(),
    new TailCommand(),
    new StatsCommand(),
    new DiffCommand(),
    new AppendCommand(),
    new SessionsCommand(),
    new SessionCommand(),
    new PagesCommand(),
    new ArtifactsCommand(),
    new LogsCommand(),
    new ImportCommand(),
    new ExportCommand(),
    new SweepCommand(),
    new PurgeCommand(),
    new SpoolCommand(),
    new ServeCommand(),
    new CompletionCommand(),
};
root.HelpName = "crawldata";

// Without response files, because a recording's name may begin with @. Without arguments, the help is shown.
var arguments = root.Parse(args is [] ? ["--help"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false };
if (arguments.CommandResult.Command is ToolCommand command)
{
    command.Description += command.Details is null ? "" : $"\n\n{HelpText.JoinLines(command.Details)}";
    invocation.ProcessTerminationTimeout = arguments.Errors.Count == 0 ? command.TimeAfterCancel(arguments) : null;
}

// "run create" does not take the argument of "run ID".
foreach (var argument in arguments.CommandResult.Parent is CommandResult parent ? parent.Command.Arguments : [])
{
    argument.Hidden = true;
}

try
{
    UsageException.ThrowIfWrong(arguments, args);

    // A command that fails throws. Any other exit code is the parser's own: after Ctrl+C a command did not end in time, since it waits for standard input.
    var exitCode = await arguments.InvokeAsync(invocation);
    return exitCode is 0 or VerifyCommand.Differs ? exitCode : throw new OperationCanceledException();
}
catch (Exception exception)
{
    return ErrorReport.Write(exception);
}
