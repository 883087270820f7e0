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
      crawldata partition                     let purges drop whole partitions
      crawldata spool DIR --replay            store what a writer left on disk
      crawldata distribute --dry-run          show how crawls go over a Citus cluster
      crawldata serve                         show the dashboard in a browser
      crawldata completion bash               complete command lines in your shell

    An ID may be shortened to its first digits, as the tables show it.

    Exit codes: 0 success, 1 the operation failed, 2 wrong usage, 3 verify, doctor or diff found something. An error is one line on standard error.
    """))
{
    Connection.Option,
    Connection.FileOption,
    NamedBy(args, DemoCommand.CommandName, DemoCommand.Summary, () => new DemoCommand()),
    NamedBy(args, MigrateCommand.CommandName, MigrateCommand.Summary, () => new MigrateCommand()),
    NamedBy(args, VerifyCommand.CommandName, VerifyCommand.Summary, () => new VerifyCommand()),
    NamedBy(args, DoctorCommand.CommandName, DoctorCommand.Summary, () => new DoctorCommand()),
    NamedBy(args, ScriptCommand.CommandName, ScriptCommand.Summary, () => new ScriptCommand()),
    NamedBy(args, StatusCommand.CommandName, StatusCommand.Summary, () => new StatusCommand()),
    NamedBy(args, RunsCommand.CommandName, RunsCommand.Summary, () => new RunsCommand()),
    NamedBy(args, RunCommand.CommandName, RunCommand.Summary, () => new RunCommand()),
    NamedBy(args, EventsCommand.CommandName, EventsCommand.Summary, () => new EventsCommand()),
    NamedBy(args, TailCommand.CommandName, TailCommand.Summary, () => new TailCommand()),
    NamedBy(args, StatsCommand.CommandName, StatsCommand.Summary, () => new StatsCommand()),
    NamedBy(args, DiffCommand.CommandName, DiffCommand.Summary, () => new DiffCommand()),
    NamedBy(args, AppendCommand.CommandName, AppendCommand.Summary, () => new AppendCommand()),
    NamedBy(args, SessionsCommand.CommandName, SessionsCommand.Summary, () => new SessionsCommand()),
    NamedBy(args, SessionCommand.CommandName, SessionCommand.Summary, () => new SessionCommand()),
    NamedBy(args, PagesCommand.CommandName, PagesCommand.Summary, () => new PagesCommand()),
    NamedBy(args, ArtifactsCommand.CommandName, ArtifactsCommand.Summary, () => new ArtifactsCommand()),
    NamedBy(args, LogsCommand.CommandName, LogsCommand.Summary, () => new LogsCommand()),
    NamedBy(args, ImportCommand.CommandName, ImportCommand.Summary, () => new ImportCommand()),
    NamedBy(args, ExportCommand.CommandName, ExportCommand.Summary, () => new ExportCommand()),
    NamedBy(args, SweepCommand.CommandName, SweepCommand.Summary, () => new SweepCommand()),
    NamedBy(args, PurgeCommand.CommandName, PurgeCommand.Summary, () => new PurgeCommand()),
    NamedBy(args, PartitionCommand.CommandName, PartitionCommand.Summary, () => new PartitionCommand()),
    NamedBy(args, DistributeCommand.CommandName, DistributeCommand.Summary, () => new DistributeCommand()),
    NamedBy(args, SpoolCommand.CommandName, SpoolCommand.Summary, () => new SpoolCommand()),
    NamedBy(args, ServeCommand.CommandName, ServeCommand.Summary, () => new ServeCommand()),
    NamedBy(args, CompletionCommand.CommandName, CompletionCommand.Summary, () => new CompletionCommand()),
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

// A command is built when the command line names it, or asks for completions. The options of all would be most of a start's time.
static Command NamedBy(string[] args, string name, string summary, Func<ToolCommand> create) =>
    args.Any(argument => argument == name || argument.StartsWith('[')) ? create() : new Command(name, summary);
