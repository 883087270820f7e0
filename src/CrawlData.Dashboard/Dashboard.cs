using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Dashboard.Api;
using CrawlData.Dashboard.Assets;
using CrawlData.Dashboard.Live;
using CrawlData.Dashboard.Pages;
using CrawlData.Dashboard.Reads;
using CrawlData.Dashboard.Screens;
using CrawlData.Dashboard.Security;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace CrawlData.Dashboard;

/// <summary>A dashboard that is mapped: its screens, and what their requests share.</summary>
internal sealed partial class Dashboard
{
    // Screens are mapped with GET alone: none of them can write.
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    // A viewer whose page is a few seconds old finds its next event among them.
    private const int NewestEvents = 200;

    private readonly IServiceProvider services;
    private readonly CrawlDataDashboardOptions options;
    private readonly DashboardDatabase database;
    private readonly Redaction redaction;
    private readonly RunCache<CrawlEventSummary> summaries = new();
    private readonly EventSampler sampler;
    private readonly DatabaseStatusReader statusReader;
    private readonly DatabaseDoctor doctor;
    private readonly SchemaMigrator migrator;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Cached<DatabaseStatus> status;
    private readonly Cached<Overview> overview;
    private readonly Cached<(IReadOnlyDictionary<ArtifactType, ArtifactTotal> Totals, ArtifactTotal Expiring)> artifactTotals;
    private readonly Cached<IReadOnlyList<DatabaseFinding>> findings;
    private readonly Cached<SchemaCheck> schema;
    private readonly EventStream events;

    public Dashboard(IServiceProvider services, CrawlDataDashboardOptions options)
    {
        (this.services, this.options) = (services, options);
        statusReader = Find<DatabaseStatusReader>(services, options.ServiceKey);
        doctor = Find<DatabaseDoctor>(services, options.ServiceKey);
        migrator = Find<SchemaMigrator>(services, options.ServiceKey);
        database = new DashboardDatabase(services, options);
        redaction = new Redaction(options);
        time = services.GetService<TimeProvider>() ?? TimeProvider.System;
        logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("CrawlData.Dashboard");
        sampler = new EventSampler(time);
        status = new(TimeSpan.FromSeconds(10), time);
        overview = new(TimeSpan.FromSeconds(10), time);

        // It counts all artifacts.
        artifactTotals = new(TimeSpan.FromMinutes(1), time);
        findings = new(TimeSpan.FromSeconds(10), time);

        // It runs the scripts in temporary tables.
        schema = new(TimeSpan.FromMinutes(1), time);
        events = new EventStream(new LiveRuns(FindLiveSource(services)), time);
    }

    /// <summary>Maps the screens. Each has a page, and below <c>api/v1/</c> the same as JSON.</summary>
    public void Map(IEndpointRouteBuilder endpoints)
    {
        MapScreen<Overview, OverviewPage>(endpoints, "", "", context => overview.GetAsync(() => ReadOverviewAsync(context), context.RequestAborted)!);
        MapScreen<RunList, RunListPage>(endpoints, "runs", "runs", FromRows(RunList.ReadAsync));
        MapScreen<Comparison, ComparisonPage>(endpoints, "compare", "runs", FromRows(Comparison.ReadAsync));
        MapScreen<RunView, RunPage>(endpoints, "runs/{id:guid}", "runs", FromRows(RunView.ReadAsync));
        MapScreen<EventView, EventPage>(endpoints, "runs/{id:guid}/events/{event:long}", "runs", FromRows(EventView.ReadAsync));
        MapScreen<SessionList, SessionListPage>(endpoints, "sessions", "sessions", FromRows(SessionList.ReadAsync));
        MapScreen<SessionView, SessionPage>(endpoints, "sessions/{id:guid}", "sessions", FromRows(SessionView.ReadAsync));
        MapScreen<ArtifactView, ArtifactPage>(endpoints, "artifacts", "artifacts", ReadArtifactsAsync);
        MapScreen<ArtifactList, ArtifactListPage>(endpoints, "artifacts/expired", "artifacts", FromRows(ArtifactList.ReadExpiredAsync));
        MapScreen<ArtifactList, ArtifactListPage>(endpoints, "artifacts/expiring", "artifacts", FromRows(ArtifactList.ReadExpiringAsync));
        MapScreen<StatusView, StatusPage>(endpoints, "status", "status", ReadStatusViewAsync);
        MapLive(endpoints);
        MapArtifacts(endpoints);
        MapActions(endpoints);
        Map(endpoints, "assets/{name}", isApi: false, context => AssetCatalog.WriteAsync(context, (string)context.Request.RouteValues["name"]!));
    }

    private void MapLive(IEndpointRouteBuilder endpoints)
    {
        const string Stream = "runs/{id:guid}/events/stream";
        Map(endpoints, Stream, isApi: true, async context =>
        {
            if (!await events.WriteAsync(context).ConfigureAwait(false))
            {
                await WriteProblemAsync(context, Stream, Problem.NotFound, isApi: true).ConfigureAwait(false);
            }
        });
    }

    private void MapScreen<TScreen, TPage>(
        IEndpointRouteBuilder endpoints, string path, string section, Func<HttpContext, Task<TScreen?>> read)
        where TScreen : class, IScreen
        where TPage : IComponent
    {
        Map(endpoints, path, isApi: false, async context =>
        {
            if (await read(context).ConfigureAwait(false) is not { } screen)
            {
                await WriteProblemAsync(context, path, Problem.NotFound, isApi: false).ConfigureAwait(false);
                return;
            }

            await PageRenderer.WriteAsync<TPage>(context, ContextOf(context, path, screen.Title, section), screen).ConfigureAwait(false);
        });
        Map(endpoints, path.Length == 0 ? "api/v1/overview" : $"api/v1/{path}", isApi: true, async context =>
        {
            if (await read(context).ConfigureAwait(false) is not { } screen)
            {
                await WriteProblemAsync(context, path, Problem.NotFound, isApi: true).ConfigureAwait(false);
                return;
            }

            await ApiResponse.WriteAsync(context, screen.Twin).ConfigureAwait(false);
        });
    }

    private IEndpointConventionBuilder Map(IEndpointRouteBuilder endpoints, string path, bool isApi, RequestDelegate answer, string[]? methods = null) =>
        endpoints.MapMethods($"/{path}", methods ?? Methods, async context =>
        {
            ResponseHeaders.Set(context.Response);
            if (!DashboardAccess.IsAllowed(context))
            {
                await RefuseAsync(context, DashboardAccess.Refusal).ConfigureAwait(false);
            }
            else if (CanonicalAddress(context.Request, path) is { } address)
            {
                context.Response.StatusCode = StatusCodes.Status302Found;
                context.Response.Headers.Location = address;
            }
            else
            {
                await AnswerAsync(context, path, isApi, answer).ConfigureAwait(false);
            }
        }).ExcludeFromDescription();

    private async Task AnswerAsync(HttpContext context, string path, bool isApi, RequestDelegate answer)
    {
        try
        {
            await answer(context).ConfigureAwait(false);
        }
        catch (Exception exception) when (!context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted
            && Problem.Of(exception, options.StatementTimeout) is { } problem)
        {
            if (problem.Status >= StatusCodes.Status500InternalServerError)
            {
                LogProblem(logger, problem.Title, exception);
            }

            await WriteProblemAsync(context, path, problem, isApi).ConfigureAwait(false);
        }
    }

    private static Task RefuseAsync(HttpContext context, string refusal)
    {
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(refusal, context.RequestAborted);
    }

    private Task WriteProblemAsync(HttpContext context, string path, Problem problem, bool isApi)
    {
        context.Response.StatusCode = problem.Status;
        if (problem.Status == StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = "5";
        }

        return isApi
            ? ApiResponse.WriteAsync(context, problem, "application/problem+json")
            : PageRenderer.WriteAsync<ProblemPage>(context, ContextOf(context, path, problem.Title, null), problem);
    }

    private async Task<Overview> ReadOverviewAsync(HttpContext context)
    {
        var state = await ReadStatusAsync(context).ConfigureAwait(false);
        return (await FromRows<Overview>(async request => await Overview.ReadAsync(request, state).ConfigureAwait(false))(context).ConfigureAwait(false))!;
    }

    private async Task<ArtifactView?> ReadArtifactsAsync(HttpContext context)
    {
        var (totals, expiring) = await artifactTotals.GetAsync(
            () => ReadRowsAsync(
                async rows => (
                    await rows.TotalArtifactsAsync().ConfigureAwait(false), await rows.TotalExpiringArtifactsAsync(ArtifactList.Soon).ConfigureAwait(false)),
                context.RequestAborted),
            context.RequestAborted).ConfigureAwait(false);
        return new ArtifactView(totals, expiring, await ReadStatusAsync(context).ConfigureAwait(false));
    }

    private async Task<StatusView?> ReadStatusViewAsync(HttpContext context)
    {
        var found = await findings.GetAsync(
            () => database.ReadAsync(
                cancellationToken => doctor.CheckAllAsync(new DatabaseDoctorOptions { SilentFor = options.StaleAfter }, cancellationToken),
                context.RequestAborted),
            context.RequestAborted).ConfigureAwait(false);
        var compared = await schema.GetAsync(
            () => SchemaCheck.RunAsync(() => database.ReadAsync(migrator.VerifySchemaAsync, context.RequestAborted)), context.RequestAborted)
            .ConfigureAwait(false);
        return new StatusView(await ReadStatusAsync(context).ConfigureAwait(false), found, compared);
    }

    private Task<DatabaseStatus> ReadStatusAsync(HttpContext context) =>
        status.GetAsync(() => database.ReadAsync(statusReader.ReadAsync, context.RequestAborted), context.RequestAborted);

    private Func<HttpContext, Task<T?>> FromRows<T>(Func<ScreenRequest, Task<T?>> read) => context =>
        ReadRowsAsync(rows => read(new ScreenRequest(context, rows, time.GetUtcNow(), options)), context.RequestAborted);

    private Task<T> ReadRowsAsync<T>(Func<RowReads, Task<T>> read, CancellationToken cancellationToken) =>
        database.ReadAsync(
            transaction => read(new RowReads(database.Repositories, transaction, redaction, summaries, sampler, options.StaleAfter, cancellationToken)),
            cancellationToken);

    private LiveSource FindLiveSource(IServiceProvider services)
    {
        var repository = Find<CrawlEventRepository>(services, options.ServiceKey);
        var settings = services.GetRequiredService<IOptionsMonitor<CrawlDataOptions>>().Get(options.ServiceKey);
        return new LiveSource
        {
            ReadNewestAsync = (id, cancellationToken) => ReadRowsAsync(
                async rows => await rows.GetRunAsync(id).ConfigureAwait(false) is null
                    ? null
                    : await rows.ListNewestEventsAsync(id, new CrawlEventFilter(), NewestEvents).ConfigureAwait(false),
                cancellationToken),
            Events = repository,

            // The application's own appends notify. Otherwise listening would be a connection for nothing.
            Options = new CrawlEventFollowOptions { PageSize = EventRing.FrameEvents, Listen = settings.Notify && !database.Multiplexes },
            Redaction = redaction,
            Time = time,
            Logger = logger,
        };
    }

    private PageContext ContextOf(HttpContext context, string path, string title, string? section)
    {
        // Links are relative to the document. Its path has as many segments below the dashboard's first page as its route.
        var root = string.Concat(Enumerable.Repeat("../", path.Count(letter => letter == '/')));
        var below = context.Request.Path.Value!.Split('/')[^(path.Count(letter => letter == '/') + 1)..];
        var twin = path.Length == 0 ? "overview" : string.Join('/', below);
        return new PageContext(root, options.Title, title, section, section is null ? null : $"{root}api/v1/{twin}{context.Request.QueryString}");
    }

    /// <summary>Returns where a request has to go first, relative to its path: the first page has a slash at its end, and the others have none. Otherwise
    /// relative links would lead elsewhere.</summary>
    private static string? CanonicalAddress(HttpRequest request, string path)
    {
        var whole = request.PathBase.Add(request.Path).Value!;
        if (whole.EndsWith('/') == (path.Length == 0))
        {
            return null;
        }

        var last = Uri.EscapeDataString(whole.TrimEnd('/').Split('/')[^1]);
        return (path.Length == 0 ? $"{last}/" : $"../{last}") + request.QueryString;
    }

    private static T Find<T>(IServiceProvider services, string? key) where T : class =>
        (key is null ? services.GetService<T>() : services.GetKeyedService<T>(key))
            ?? throw new InvalidOperationException(
                key is null ? "The dashboard needs AddCrawlData." : $"The dashboard needs AddKeyedCrawlData(\"{key}\").");

    [LoggerMessage(EventId = 1, EventName = "DashboardProblem", Level = LogLevel.Warning, Message = "The dashboard shows a problem: {Title}.")]
    private static partial void LogProblem(ILogger logger, string title, Exception exception);
}
