namespace CrawlData.Schema;

/// <summary>The journal's owner, and what runs when it is read or written.</summary>
/// <param name="Owner">Its owner.</param>
/// <param name="Role">The role of the session.</param>
/// <param name="IsTrusted">Whether the owner is a superuser, the role, or a role that it is a member of. A superuser is a member of no other role.</param>
/// <param name="IsTable">Whether it is a table without row level security. Otherwise functions of its owner may run when it is read.</param>
/// <param name="MayRead">Whether the role may read it.</param>
/// <param name="Triggers">Its triggers and rules, which run when it is written.</param>
internal sealed record JournalState(string Owner, string Role, bool IsTrusted, bool IsTable, bool MayRead, IReadOnlyList<string> Triggers)
{
    /// <summary>Refuses a journal that runs code of another role when it is read.</summary>
    /// <exception cref="UntrustedJournalException">It does.</exception>
    public void RequireReadable()
    {
        if (!IsTrusted && !IsTable)
        {
            throw UntrustedJournalException.OfOwner(this);
        }
    }

    /// <summary>Refuses a journal that runs code of another role when a row is inserted. A role needs TRIGGER alone to create a trigger.</summary>
    /// <exception cref="UntrustedJournalException">It does.</exception>
    public void RequireWritable(bool asRole)
    {
        if (asRole && !IsTrusted)
        {
            throw UntrustedJournalException.OfOwner(this);
        }

        if (Triggers.Count > 0)
        {
            throw UntrustedJournalException.OfTriggers(this);
        }
    }
}
