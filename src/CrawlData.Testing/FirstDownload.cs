using MysticMind.PostgresEmbed;

namespace CrawlData.Testing;

/// <summary>Reports the size of the first download, before its content is read. System.Progress would report it later, on another thread.</summary>
/// <param name="report">Gets the size in bytes; null when the server does not send it.</param>
internal sealed class FirstDownload(Action<long?> report) : IProgress<PgInstallProgress>
{
    private bool reported;

    /// <inheritdoc/>
    public void Report(PgInstallProgress value)
    {
        if (!reported && value.Step == PgInstallStep.Download)
        {
            reported = true;
            report(value.BytesTotal);
        }
    }
}
