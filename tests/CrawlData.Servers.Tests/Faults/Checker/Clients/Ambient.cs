using System.Transactions;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Ambient transactions of an application. They are serializable, which is the default, and last longer than a history.</summary>
internal static class Ambient
{
    private static readonly TransactionOptions Options = new() { IsolationLevel = IsolationLevel.Serializable, Timeout = TimeSpan.FromMinutes(10) };

    /// <summary>Begins an ambient transaction.</summary>
    public static TransactionScope Begin() => new(TransactionScopeOption.RequiresNew, Options, TransactionScopeAsyncFlowOption.Enabled);

    /// <summary>Hides the ambient transaction.</summary>
    public static TransactionScope Suppress() => new(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
}
