using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace CrawlData.Dashboard.Pages;

/// <summary>Renders pages to HTML, on the server and at once.</summary>
internal static class PageRenderer
{
    public static async Task WriteAsync<TPage>(HttpContext context, PageContext page, object screen) where TPage : IComponent
    {
        var renderer = new HtmlRenderer(new RenderedServices(screen, page), context.RequestServices.GetRequiredService<ILoggerFactory>());
        await using var disposal = renderer.ConfigureAwait(false);
        var html = await renderer.Dispatcher.InvokeAsync(async () =>
        {
            var root = await renderer.RenderComponentAsync<TPage>().ConfigureAwait(false);
            return root.ToHtmlString();
        }).ConfigureAwait(false);
        context.Response.ContentType = "text/html; charset=utf-8";
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.WriteAsync($"<!DOCTYPE html>\n{html}", context.RequestAborted).ConfigureAwait(false);
        }
    }
}
