namespace CrawlData.Dashboard;

/// <summary>The options of a dashboard. They are read once, when it is mapped.</summary>
public sealed class CrawlDataDashboardOptions
{
    /// <summary>Gets or sets the name that pages show.</summary>
    /// <value>The default is <c>CrawlData</c>.</value>
    /// <exception cref="ArgumentException">The value is null, empty or blank.</exception>
    public string Title
    {
        get;
        set
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(value, nameof(Title));
            field = value;
        }
    } = "CrawlData";

    /// <summary>Gets or sets the key that was passed to <c>AddKeyedCrawlData</c>.</summary>
    /// <value>The default is null: the database without a key.</value>
    public string? ServiceKey { get; set; }

    /// <summary>Gets or sets how long a statement of the dashboard may take. Then the server cancels it, and the page says so. It is also how long a request
    /// waits for its turn.</summary>
    /// <value>The default is 5 seconds. The range is 100 ms to 1 hour.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan StatementTimeout
    {
        get;
        set => field = Require(value, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1), nameof(StatementTimeout));
    } = TimeSpan.FromSeconds(5);

    /// <summary>Gets or sets the most connections that the dashboard holds at a time. Each request holds one.</summary>
    /// <value>The default is 4. The range is 1 to 100.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int MaxConnections { get; set => field = Require(value, 1, 100, nameof(MaxConnections)); } = 4;

    /// <summary>Gets or sets the time without a sign of life after which a running run or session is marked as stale. A sign of life is an event, a log line or
    /// a heartbeat.</summary>
    /// <value>The default is 10 minutes. The range is 1 second to 36,500 days.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan StaleAfter
    {
        get;
        set => field = Require(value, TimeSpan.FromSeconds(1), TimeSpan.FromDays(36_500), nameof(StaleAfter));
    } = TimeSpan.FromMinutes(10);

    /// <summary>Gets or sets a function that removes secrets from JSON. It gets the column, such as <c>crawl_events.payload</c>, and the value, and returns
    /// what is shown. All pages and the API show its result alone.</summary>
    /// <value>The default is null: values are shown as they are stored.</value>
    /// <remarks>It is called for each value that is read, on several threads at a time. When it throws, the request fails and shows nothing.</remarks>
    public Func<string, Jsonb, Jsonb>? Redact { get; set; }

    /// <summary>Gets or sets a function that removes secrets from text. It gets the column, such as <c>audit_sessions.url</c>, and the value, and returns what
    /// is shown. All pages and the API show its result alone.</summary>
    /// <value>The default is null: texts are shown as they are stored.</value>
    /// <remarks>It is called for goals, errors, URLs, messages, storage URIs and checksums, as <see cref="Redact"/> is for JSON. It is not called for what
    /// filters compare: app packages, event types and policy versions.</remarks>
    public Func<string, string, string>? RedactText { get; set; }

    /// <summary>Gets or sets a function that says whether events of a type are errors. The view of a run over time shows them apart.</summary>
    /// <value>The default is true for types that contain <c>error</c> or <c>fail</c>, in upper or lower case.</value>
    /// <remarks>It is called on several threads at a time.</remarks>
    /// <exception cref="ArgumentNullException">The value is null.</exception>
    public Func<string, bool> IsErrorType
    {
        get;
        set
        {
            ArgumentNullException.ThrowIfNull(value, nameof(IsErrorType));
            field = value;
        }
    } = type => type.Contains("error", StringComparison.OrdinalIgnoreCase) || type.Contains("fail", StringComparison.OrdinalIgnoreCase);

    /// <summary>Gets or sets a function that opens the content of an artifact. It gets the storage URI as it is stored, and returns the content, or null when
    /// there is none. With it, pages show screenshots and link to other artifacts.</summary>
    /// <value>The default is null: no content is served.</value>
    /// <remarks>
    /// <para>A storage URI comes from a row, and a row may come from anywhere. So a function limits what it opens, for example to one bucket.</para>
    /// <para>The dashboard disposes the stream. It serves PNG, JPEG, WebP and GIF as images, by their first bytes, and all else as a download. When the
    /// function throws, the request gets an error without its message.</para>
    /// </remarks>
    public Func<string, CancellationToken, Task<Stream?>>? Artifacts { get; set; }

    /// <summary>Gets or sets a folder whose files are served as artifacts, by their <c>file:</c> URIs, as <see cref="Retention.FileArtifactStore"/> opens them.
    /// It excludes <see cref="Artifacts"/>.</summary>
    /// <value>The default is null: no content is served.</value>
    /// <exception cref="ArgumentException">The value is not a full path.</exception>
    public string? ArtifactRoot
    {
        get;
        set
        {
            if (value is not null && (!Path.IsPathFullyQualified(value) || value.Contains('\0')))
            {
                throw new ArgumentException("Is not a full path, such as /var/audits.", nameof(ArtifactRoot));
            }

            field = value;
        }
    }

    /// <summary>Gets or sets the size of the largest artifact that is served, in bytes.</summary>
    /// <value>The default is 50 MiB. The range is 1 to 10 GiB.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public long MaxArtifactBytes { get; set => field = Require(value, 1, 10L << 30, nameof(MaxArtifactBytes)); } = 50 << 20;

    /// <summary>Gets or sets how long the opening of an artifact may take, and each read of it.</summary>
    /// <value>The default is 10 seconds. The range is 100 ms to 1 hour.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan ArtifactTimeout
    {
        get;
        set => field = Require(value, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1), nameof(ArtifactTimeout));
    } = TimeSpan.FromSeconds(10);

    /// <summary>Gets or sets the types of the events that are steps of a crawl. A run with such events has the tab Steps.</summary>
    /// <value>The default is <c>step.navigated</c>.</value>
    /// <exception cref="ArgumentNullException">The value is null.</exception>
    public IReadOnlyCollection<string> StepEventTypes { get; set => field = Copy(value, nameof(StepEventTypes)); } = ["step.navigated"];

    /// <summary>Gets or sets the types of the events that are screens of a crawl. A run with such events has the tab Screens, and opens there when the
    /// application opens artifacts.</summary>
    /// <value>The default is <c>screen.captured</c>.</value>
    /// <exception cref="ArgumentNullException">The value is null.</exception>
    public IReadOnlyCollection<string> ScreenEventTypes { get; set => field = Copy(value, nameof(ScreenEventTypes)); } = ["screen.captured"];

    /// <summary>Gets or sets the properties of an event's payload that hold the storage URI of its screenshot. The first that is a text counts.</summary>
    /// <value>The default is <c>artifact_uri</c>, <c>screenshot_uri</c> and <c>storage_uri</c>.</value>
    /// <exception cref="ArgumentNullException">The value is null.</exception>
    public IReadOnlyCollection<string> ArtifactProperties { get; set => field = Copy(value, nameof(ArtifactProperties)); } =
        ["artifact_uri", "screenshot_uri", "storage_uri"];

    /// <summary>Gets the policy of <see cref="Actions"/>; null without it.</summary>
    internal string? ActionPolicy { get; private set; }

    /// <summary>Gets whether the content of artifacts is served.</summary>
    internal bool ServesArtifacts => Artifacts is not null || ArtifactRoot is not null;

    /// <summary>Maps actions, under a policy of ASP.NET's authorization: cancel, fail and retry a run; requeue, fail and release a session. Without this call
    /// the dashboard only reads.</summary>
    /// <remarks>A user needs the dashboard's own authorization as well. Pages offer actions only to users whom the policy allows. Each action is logged, with
    /// the user's name.</remarks>
    /// <param name="policy">The name of the policy, as <c>AddAuthorization</c> has it.</param>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    /// <example>
    /// <code>
    /// app.MapCrawlDataDashboard("/crawls", options => options.Actions("operators")).RequireAuthorization("viewers");
    /// </code>
    /// </example>
    public void Actions(string policy)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(policy);
        ActionPolicy = policy;
    }

    private static string[] Copy(IReadOnlyCollection<string> value, string name)
    {
        ArgumentNullException.ThrowIfNull(value, name);
        return [.. value];
    }

    private static T Require<T>(T value, T least, T most, string name) where T : IComparable<T> =>
        value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0
            ? value
            : throw new ArgumentOutOfRangeException(name, value, $"The range is {least} to {most}.");
}
