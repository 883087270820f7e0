using CrawlData.Testing;

namespace CrawlData.Tests.Testing;

/// <summary>Nothing here is fetched, and no cache is made.</summary>
public sealed class FetchSettingTests
{
    private static readonly string NoFolder = Path.Combine(TestContext.CurrentContext.TestDirectory, "no-such-cache");

    [Test]
    public async Task Fetching_is_turned_off_by_a_variable_and_by_an_option()
    {
        var byVariable = await Assert.ThrowsAsync<FetchException>(async () => await GetAsync((FetchedBinaries.FetchVariable, "off")));
        var byOption = await Assert.ThrowsAsync<FetchException>(async () => await GetAsync(new ThrowawayDatabaseOptions { Fetch = false }));

        Assert.That(byVariable!.Failure, Is.EqualTo(FetchFailure.Off));
        Assert.That(byOption!.Failure, Is.EqualTo(FetchFailure.Off));
        Assert.That(Directory.Exists(NoFolder), Is.False);
    }

    [TestCase(FetchedBinaries.FetchVariable, "no")]
    [TestCase(FetchedBinaries.MirrorVariable, "example.org/maven")]
    [TestCase(FetchedBinaries.MirrorVariable, "ftp://example.org/maven")]
    [TestCase(FetchedBinaries.MirrorVariable, "http://user:hunter2@example.org/maven")]
    public void A_variable_with_another_value_is_an_error_naming_it(string name, string value)
    {
        Assert.That(
            async () => await GetAsync((name, value)),
            Throws.TypeOf<ThrowawayServerException>().With.Message.StartsWith($"{name} is ").And.Message.Not.Contains("hunter2"));
        Assert.That(Directory.Exists(NoFolder), Is.False);
    }

    [Test]
    public void The_name_of_a_mirror_has_no_password() =>
        Assert.That(
            MavenRepository.Mirror(new("https://user:hunter2@example.org/maven")).Name, Is.EqualTo("the mirror https://example.org/maven"));

    private static Task<PostgresBinaries> GetAsync(params (string Name, string Value)[] environment) => GetAsync(new(), environment);

    private static Task<PostgresBinaries> GetAsync(ThrowawayDatabaseOptions options, params (string Name, string Value)[] environment) =>
        FetchedBinaries.GetAsync(
            name => name == FetchedBinaries.CacheVariable ? NoFolder : environment.FirstOrDefault(entry => entry.Name == name).Value,
            options, CancellationToken.None);
}
