namespace CrawlData.Schema;

/// <summary>How an element of the schema differs from what the scripts make.</summary>
public enum SchemaDifferenceKind
{
    /// <summary>The scripts make it, and it is not there; or it is a script that has not run.</summary>
    Missing,

    /// <summary>It is there, and is another than the scripts make; or it is a script that was edited after it had run.</summary>
    Changed,

    /// <summary>It is there, on a type or table that the scripts make, and they do not make it; or it is a script that this version does not know.</summary>
    Extra,
}
