using System.Reflection;
using CrawlData.Crawls;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>The constructors of the types that work on a data source have one form.</summary>
public sealed class ConstructorTests
{
    private static readonly ConstructorInfo[] Constructors =
    [
        .. typeof(CrawlRun).Assembly.GetExportedTypes().SelectMany(type => type.GetConstructors())
            .Where(constructor => constructor.GetParameters().Any(IsDataSource)),
    ];

    private static IEnumerable<TestCaseData> All() =>
        Constructors.Select(constructor => new TestCaseData(constructor).SetArgDisplayNames(constructor.DeclaringType!.Name));

    [Test]
    public void Each_public_type_with_a_data_source_is_covered() => Assert.That(Constructors, Has.Length.EqualTo(18));

    [TestCaseSource(nameof(All))]
    public void Data_sources_come_first_and_the_logger_last(ConstructorInfo constructor)
    {
        var parameters = constructor.GetParameters();

        var names = new[] { "dataSource", "readDataSource" }.Take(parameters.Count(IsDataSource));
        Assert.That(parameters.TakeWhile(IsDataSource).Select(parameter => parameter.Name), Is.EqualTo(names));
        Assert.That(parameters.SkipLast(1).Select(parameter => parameter.ParameterType), Has.None.AssignableTo<ILogger>());
        Assert.That(parameters.Skip(1).Select(parameter => parameter.IsOptional), Is.All.True);
    }

    [TestCaseSource(nameof(All))]
    public void A_missing_data_source_is_refused(ConstructorInfo constructor) => Assert.That(
        () => constructor.Invoke([.. constructor.GetParameters().Select(parameter => IsDataSource(parameter) ? null : parameter.DefaultValue)]),
        Throws.InnerException.InstanceOf<ArgumentNullException>().With.InnerException.Property("ParamName").EqualTo("dataSource"));

    private static bool IsDataSource(ParameterInfo parameter) => parameter.ParameterType == typeof(NpgsqlDataSource);
}
