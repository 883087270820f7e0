namespace CrawlData.Tests;

/// <summary>A test of what Citus does not have: triggers, functions that lock, unique indexes of the application's own, one <c>now()</c> for all
/// nodes.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NotOnCitusAttribute() : CategoryAttribute("NotOnCitus");
