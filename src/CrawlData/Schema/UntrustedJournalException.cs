namespace CrawlData.Schema;

/// <summary>Thrown when code of another role would run as the role that reads or writes <c>crawldata_journal</c>. The journal was neither read nor written, and
/// no script ran.</summary>
public sealed class UntrustedJournalException : MigrationException
{
    private UntrustedJournalException(string owner, IReadOnlyList<string> triggers, string message) : base(null, message) =>
        (Owner, Triggers) = (owner, triggers);

    /// <summary>Gets the role that owns the journal.</summary>
    public string Owner { get; }

    /// <summary>Gets the triggers and rules of the journal, such as <c>trigger copy_row</c>.</summary>
    public IReadOnlyList<string> Triggers { get; }

    internal static UntrustedJournalException OfOwner(JournalState journal) => new(
        journal.Owner,
        journal.Triggers,
        $"crawldata_journal belongs to {journal.Owner}, and not to {journal.Role}, a role that it is a member of, or a superuser. Its owner can have code "
            + $"run as {journal.Role}, and scripts left out. Migrate as its owner. Or drop it, and mark the scripts as applied: crawldata migrate --adopt.");

    internal static UntrustedJournalException OfTriggers(JournalState journal) => new(
        journal.Owner,
        journal.Triggers,
        $"crawldata_journal has a {string.Join(" and a ", journal.Triggers)}, which would run as the role that migrates. Run: "
            + string.Join("; ", journal.Triggers.Select(trigger => $"drop {trigger} on crawldata_journal")));
}
