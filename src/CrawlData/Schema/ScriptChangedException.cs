namespace CrawlData.Schema;

/// <summary>Thrown when a script was edited after it ran in this database. Released scripts must not change: a change is a new script.</summary>
public sealed class ScriptChangedException : MigrationException
{
    internal ScriptChangedException(string script)
        : base(script, $"Script {script} was edited after it ran in this database. Restore it, and make the change in a new script.")
    {
    }
}
