namespace CrawlData.Schema;

/// <summary>How an element of the schema differs from what the scripts make.</summary>
public enum SchemaDifferenceKind
{
    /// <summary>The database lacks an element that the scripts make. Or a script has not run.</summary>
    Missing,

    /// <summary>The database has the element with another definition than the scripts make. Or a script was edited after it ran.</summary>
    Changed,

    /// <summary>A type or table of the scripts has an element that the scripts do not make. Or this version does not know a script that ran.</summary>
    Extra,
}
