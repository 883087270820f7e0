using System.CommandLine;
using CrawlData.Audits;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata session enqueue</c>: adds an audit session to the queue.</summary>
internal sealed class SessionEnqueueCommand : ActCommand
{
    private readonly Argument<string> url = new("URL") { Description = "The URL to audit: an absolute http or https URL, without credentials." };

    private readonly Option<string> policy = new("--policy") { Description = "The version of the crawl policy.", HelpName = "VERSION", Required = true };

    private readonly Option<Jsonb?> config = CommandParameters.Json(
        "--config", "The crawl policy as it is now, as JSON in your auditor's form. Later changes of the policy do not change the session.");

    private readonly Option<AuditMode?> mode = CommandParameters.Label<AuditMode>("--mode", "MODE", "The mode of the audit");

    private readonly Option<RetentionPolicy?> retention = CommandParameters.Label<RetentionPolicy>("--retention", "POLICY", "The retention of its artifacts");

    public SessionEnqueueCommand() : base("enqueue", "Adds an audit session to the queue, and writes its id.", """
        Workers that wait for sessions are notified.

        Redirected, it writes the id alone. With --json it writes the row.

          ID=$(crawldata session enqueue https://example.org/ \
            --policy 2026.11 --config "$(cat policy.json)")
        """, makesRow: true)
    {
        config.Required = true;
        Add(url);
        Add(policy);
        Add(config);
        Add(mode);
        Add(retention);
    }

    protected override async Task<Change> ChangeAsync(ParseResult arguments, NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        var given = UsageException.ThrowIfInvalid(() => new NewAuditSession
        {
            Url = arguments.GetRequiredValue(url),
            CrawlPolicyVersion = arguments.GetRequiredValue(policy),
            ConfigSnapshot = arguments.GetRequiredValue(config)!.Value,
            Mode = arguments.GetValue(mode) ?? default,
            RetentionPolicy = arguments.GetValue(retention) ?? default,
        });
        var session = await new AuditSessionRepository(dataSource, notify: true).InsertAsync(given, cancellationToken: cancellationToken);
        return new Change($"Enqueued session {session.Id} of {session.Url}.", session, session.Id);
    }
}
