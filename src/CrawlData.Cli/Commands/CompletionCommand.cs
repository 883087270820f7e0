using System.CommandLine;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata completion</c>: prints a script that completes command lines in a shell.</summary>
internal sealed class CompletionCommand : ToolCommand
{
    public const string CommandName = "completion";

    public const string Summary = "Prints a script that completes commands, options and their values in a shell.";

    // The parser answers "[suggest:POSITION]". Each script passes what follows the tool's name. Without a hyphen at the cursor, options give way to files.
    private static readonly Dictionary<string, string> Scripts = new()
    {
        ["bash"] = """
            _crawldata() {
                local line=${COMP_LINE#* } IFS=$'\n' hidden='^[-/]'
                [[ $2 == -* ]] && hidden='^/'
                COMPREPLY=($(compgen -W "$(crawldata "[suggest:$((COMP_POINT - ${#COMP_LINE} + ${#line}))]" "$line" 2>/dev/null | grep -v "$hidden")" -- "$2"))
            }
            complete -o default -F _crawldata crawldata
            """,
        ["zsh"] = """
            #compdef crawldata
            _crawldata() {
                local line=${BUFFER#* } hidden='^[-/]'
                [[ $PREFIX == -* ]] && hidden='^/'
                local -a found=(${(f)"$(crawldata "[suggest:$((CURSOR - ${#BUFFER} + ${#line}))]" "$line" 2>/dev/null | grep -v "$hidden")"})
                if (( ${#found} )); then compadd -a found; else _files; fi
            }
            compdef _crawldata crawldata
            """,
        ["fish"] = """
            function __crawldata
                set -l line (string replace -r '^\S+\s' '' -- (commandline -cp))
                crawldata "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
            end
            complete -c crawldata -a '(__crawldata)'
            """,
        ["pwsh"] = """
            Register-ArgumentCompleter -Native -CommandName crawldata -ScriptBlock {
                param($word, $ast, $cursor)
                $line = $ast.ToString()
                $start = $line.IndexOf(' ') + 1
                $position = [Math]::Max($cursor - $ast.Extent.StartOffset - $start, 0)
                crawldata "[suggest:$position]" $line.Substring($start).PadRight($position) 2>$null | Where-Object { $_ -like "$word*" } |
                    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
            }
            """,
    };

    private readonly Argument<string> shell = new("SHELL") { Description = "bash, zsh, fish or pwsh." };

    public CompletionCommand() : base(CommandName, Summary, """
          source <(crawldata completion bash)            in ~/.bashrc
          source <(crawldata completion zsh)             in ~/.zshrc, after compinit
          crawldata completion fish | source             in config.fish
          crawldata completion pwsh | Out-String | iex   in $PROFILE
        """)
    {
        shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        Add(shell);
        SetAction(arguments => Console.WriteLine(Scripts[arguments.GetRequiredValue(shell)]));
    }
}
