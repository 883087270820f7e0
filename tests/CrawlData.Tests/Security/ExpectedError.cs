using CrawlData.Recordings;

namespace CrawlData.Tests.Security;

/// <summary>An error that names what it refuses.</summary>
/// <param name="Type">The exception's type.</param>
/// <param name="Name">The field or parameter that the exception names; null where it names none.</param>
internal sealed record ExpectedError(Type Type, string? Name = null)
{
    /// <summary>There is no row with this id.</summary>
    public static readonly ExpectedError NotFound = new(typeof(RowNotFoundException));

    public static ExpectedError OfValue(string field) => new(typeof(InvalidValueException), field);

    public bool Matches(Exception exception) => Type.IsInstanceOfType(exception) && exception switch
    {
        InvalidValueException invalid => invalid.Field == Name,
        ArgumentException argument => argument.ParamName == Name,
        RowNotFoundException unknown => unknown.Ids.Count == 1,
        RecordingException recording => recording.Line == 1,
        _ => true,
    };
}
