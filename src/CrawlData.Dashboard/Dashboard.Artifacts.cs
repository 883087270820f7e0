using CrawlData.Audits;
using CrawlData.Dashboard.Artifacts;
using CrawlData.Dashboard.Screens;
using CrawlData.Dashboard.Text;
using Microsoft.AspNetCore.Routing;

namespace CrawlData.Dashboard;

/// <summary>The content of artifacts. It is mapped only when the application says how to open it.</summary>
internal sealed partial class Dashboard
{
    private void MapArtifacts(IEndpointRouteBuilder endpoints)
    {
        if (!options.ServesArtifacts)
        {
            return;
        }

        var source = new ArtifactSource(options, time);
        const string path = "sessions/{id:guid}/artifacts/{artifact:guid}";
        var find = FromRows(request => request.Rows.GetStoredArtifactAsync(request.Id, request.ArtifactId));
        Map(endpoints, path, isApi: false, async context =>
        {
            // The transaction has ended before the storage is asked.
            var stored = await find(context).ConfigureAwait(false);
            await (stored is null
                ? WriteProblemAsync(context, path, Problem.NotFound, isApi: false)
                : source.WriteAsync(context, stored.StorageUri, FileNameOf(stored))).ConfigureAwait(false);
        });

        const string eventPath = "runs/{id:guid}/events/{event:long}/artifact";
        var findUri = FromRows(request => request.Rows.GetStoredUriAsync(request.Id, request.EventId, options.ArtifactProperties));
        Map(endpoints, eventPath, isApi: false, async context =>
        {
            var uri = await findUri(context).ConfigureAwait(false);
            await (uri is null
                ? WriteProblemAsync(context, eventPath, Problem.NotFound, isApi: false)
                : source.WriteAsync(context, uri, $"event-{context.Request.RouteValues["event"]}")).ConfigureAwait(false);
        });
    }

    private static string FileNameOf(Artifact artifact) => $"{artifact.Type.ToLabel()}-{artifact.Id}" + artifact.Type switch
    {
        ArtifactType.VisibleText => ".txt",
        ArtifactType.FeaturesJson => ".json",
        ArtifactType.HtmlGz => ".html.gz",
        _ => "",
    };
}
