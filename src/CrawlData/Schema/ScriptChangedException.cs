namespace CrawlData.Schema;

/// <summary>A script was edited after it had run in this database: what the library holds is not what the database has. Released scripts never change; a
/// change is a script of its own.</summary>
public sealed class ScriptChangedException : MigrationException
{
    internal ScriptChangedException(string script)
        : base(script, $"Script {script} was edited after it had run in this database. Put it back as it was, and make the change in a script of its own.")
    {
    }
}
