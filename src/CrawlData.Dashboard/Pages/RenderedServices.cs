namespace CrawlData.Dashboard.Pages;

/// <summary>What components may inject: the screen and the context of the page. Nothing is registered in the application.</summary>
internal sealed class RenderedServices(params object[] services) : IServiceProvider
{
    public object? GetService(Type serviceType) => Array.Find(services, serviceType.IsInstanceOfType);
}
