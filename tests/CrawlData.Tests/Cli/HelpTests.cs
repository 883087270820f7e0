using CrawlData.Cli.Commands;

namespace CrawlData.Tests.Cli;

[Parallelizable(ParallelScope.All)]
public sealed class HelpTests
{
    [Test]
    public async Task Without_arguments_the_help_is_shown()
    {
        var alone = await Tool.RunAsync(null);
        var help = await Tool.RunAsync(null, "--help");

        Assert.That((alone.ExitCode, alone.Error, alone.Output), Is.EqualTo((0, "", help.Output)));
        Assert.That(help.Output, Does.Contain("crawldata [command] [options]").And.Contain("crawldata run fail ID --error TEXT"));
    }

    /// <summary>Most of a start's time goes to methods that are compiled then: here about 420. With the options of all commands they were 780.</summary>
    [Test]
    public async Task The_help_starts_soon()
    {
        var methods = Path.GetTempFileName();
        try
        {
            using var process = Tool.Start(
                null, ["--help"], new Dictionary<string, string?> { ["DOTNET_JitDisasmSummary"] = "1", ["DOTNET_JitStdOutFile"] = methods });
            await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();

            // A start that takes long compiles some methods again.
            Assert.That((await File.ReadAllLinesAsync(methods)).Count(line => !line.Contains("Tier1", StringComparison.Ordinal)), Is.InRange(100, 500));
        }
        finally
        {
            File.Delete(methods);
        }
    }

    /// <summary>A terminal of 80 columns would break the line, and nobody could copy it.</summary>
    [Test]
    public void An_example_fits_into_80_columns()
    {
        var commands = typeof(ToolCommand).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(ToolCommand)) && !type.IsAbstract && type.GetConstructor([]) is not null)
            .Select(type => (ToolCommand)Activator.CreateInstance(type)!)
            .SelectMany(command => command.Subcommands.OfType<ToolCommand>().Append(command))
            .ToList();

        Assert.That(commands, Has.Count.GreaterThan(30));
        Assert.That(
            commands.SelectMany(command => (command.Details ?? "").Split('\n')).Where(line => line.StartsWith(' ') && line.Length > 76), Is.Empty);
    }

    /// <summary>The parent's argument is none of the subcommand.</summary>
    [Test]
    public async Task The_help_of_a_subcommand_shows_its_own_arguments()
    {
        var help = (await Tool.RunAsync(null, "run", "create", "--help")).Output;

        Assert.That(help, Does.Contain("crawldata run create [options]").And.Contain("--app <PACKAGE> (REQUIRED)").And.Not.Contain("<RUN>"));
    }

    /// <summary>Bash completes in a test of the packed tool. This machine may lack the other shells.</summary>
    [Test]
    public async Task There_is_a_completion_for_each_shell([Values("bash", "zsh", "fish", "pwsh")] string shell)
    {
        var script = await Tool.RunAsync(null, "completion", shell);

        Assert.That((script.ExitCode, script.Error), Is.EqualTo((0, "")));
        Assert.That(script.Output, Does.Contain("[suggest:"));
    }

    /// <summary>What the scripts of all shells ask.</summary>
    [TestCase("run ", "cancel|complete|create|fail|retry|show|start")]
    [TestCase("runs --status ca", "CANCELLED")]
    [TestCase("doctor --ignore st", "stale|standbys")]
    public async Task Subcommands_and_values_are_suggested(string line, string expected)
    {
        var suggested = await Tool.RunAsync(null, $"[suggest:{line.Length}]", line);

        Assert.That(suggested.Output.Split('\n').Select(word => word.Trim()), Is.SupersetOf(expected.Split('|')));
    }
}
