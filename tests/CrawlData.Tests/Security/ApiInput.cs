using System.Text.Json;

namespace CrawlData.Tests.Security;

/// <summary>One row of the table of inputs: what is called, with which values, and which error each of them causes.</summary>
/// <param name="Name">The parameter or property, for example <c>CrawlRunRepository.FailAsync(errorMessage)</c> or <c>NewCrawlRun.Goal</c>.</param>
/// <param name="Cases">The values, each with its error; null where the value is accepted.</param>
/// <param name="UseAsync">Makes the call, and returns each stored form of the value that can be read back.</param>
internal sealed record ApiInput(
    string Name, IReadOnlyList<(object? Value, ExpectedError? Error)> Cases, Func<ValidArguments, object?, Task<IReadOnlyList<object?>>> UseAsync)
{
    public override string ToString() => Name;

    /// <summary>Text that is refused where PostgreSQL cannot store it, where it is longer than its column, or where it is empty and may not be.</summary>
    public static ApiInput Text(
        string name, Func<ValidArguments, string?, Task<object?[]>> use, int longest = int.MaxValue, bool empty = true, bool optional = false)
    {
        var refused = ExpectedError.OfValue(Field(name));
        return Of(name, use, [
            (null, optional ? null : new ExpectedError(typeof(ArgumentNullException), Field(name))),
            .. MalformedText.NotStorable.Select(text => (text, (ExpectedError?)refused)),
            .. MalformedText.Storable.Select(text => (text, text.EnumerateRunes().Count() > longest || (text.Length == 0 && !empty) ? refused : null)),
        ]);
    }

    public static ApiInput Text(string name, Func<ValidArguments, string?, Task> use, bool optional = false) => Text(name, Nothing(use), optional: optional);

    /// <summary>A list of texts that each are refused where PostgreSQL cannot store them.</summary>
    public static ApiInput Texts(string name, Func<ValidArguments, string[]?, Task> use) => Of<string[]?>(name, Nothing(use), [
        (null, null),
        ([], null),
        .. MalformedText.NotStorable.Select(text => (new[] { text }, (ExpectedError?)ExpectedError.OfValue(Field(name)))),
        .. MalformedText.Storable.Select(text => (new[] { text }, (ExpectedError?)null)),
    ]);

    /// <summary>A cursor that is refused where it is not of its kind.</summary>
    public static ApiInput Cursor(string name, CursorKind kind, Func<ValidArguments, string?, Task> use) => Of(name, Nothing(use), [
        (null, null),
        .. MalformedText.NotStorable.Concat(MalformedText.Storable).Concat(MalformedCursor.All).Select(
            cursor => ((string?)cursor, MalformedCursor.IsAccepted(cursor, kind) ? null : ExpectedError.OfValue("cursor"))),
    ]);

    /// <summary>A number that is refused out of its range.</summary>
    public static ApiInput Number(string name, int least, int most, Func<ValidArguments, int, Task> use) =>
        Number(name, least, most, Nothing(use), new ExpectedError(typeof(ArgumentOutOfRangeException), Member(name)));

    public static ApiInput Number(string name, int least, int most, Func<ValidArguments, int, Task<object?[]>> use, ExpectedError error) =>
        Of(name, use, [.. MalformedInput.Ints.Select(value => (value, value >= least && value <= most ? null : error))]);

    public static ApiInput Long(string name, Func<ValidArguments, long, Task> use) => Long(name, Nothing(use));

    public static ApiInput Long(string name, Func<ValidArguments, long, Task<object?[]>> use, long least = long.MinValue) =>
        Of(name, use, [.. MalformedInput.Longs.Select(value => (value, value >= least ? null : ExpectedError.OfValue(Field(name))))]);

    /// <summary>A duration that is refused out of its range.</summary>
    public static ApiInput Duration(string name, TimeSpan least, TimeSpan most, Func<ValidArguments, TimeSpan, Task> use, bool infinite = false) =>
        Of(name, Nothing(use), [
            .. MalformedInput.Durations.Select(value => (value, (value >= least && value <= most) || (infinite && value == Timeout.InfiniteTimeSpan)
                ? null
                : new ExpectedError(typeof(ArgumentOutOfRangeException), Member(name)))),
        ]);

    /// <summary>A time that is refused where PostgreSQL would store infinity.</summary>
    public static ApiInput Time(string name, Func<ValidArguments, DateTimeOffset?, Task<object?[]>> use, DateTimeOffset? latest = null) =>
        Of(name, use, [
            (null, null),
            .. MalformedInput.Times.Select(
                time => ((DateTimeOffset?)time, MalformedInput.IsInfinite(time) || time > latest ? ExpectedError.OfValue(Field(name)) : null)),
        ]);

    public static ApiInput Time(string name, Func<ValidArguments, DateTimeOffset?, Task> use) => Time(name, Nothing(use));

    /// <summary>An enum's value that is refused where it is not defined.</summary>
    public static ApiInput Enum<T>(string name, Func<ValidArguments, T, Task<object?[]>> use) where T : struct, Enum =>
        Enum(name, use, ExpectedError.OfValue(Field(name)));

    /// <summary>An enum's value that is not stored.</summary>
    public static ApiInput Enum<T>(string name, Func<ValidArguments, T, Task> use) where T : struct, Enum =>
        Enum(name, Nothing(use), new ExpectedError(typeof(ArgumentOutOfRangeException), Member(name)));

    public static ApiInput Enums<T>(string name, Func<ValidArguments, T[]?, Task> use) where T : struct, Enum => Of<T[]?>(name, Nothing(use), [
        (null, null),
        ([], null),
        .. System.Enum.GetValues<T>().Select(value => (new[] { value }, (ExpectedError?)null)),
        .. MalformedInput.Undefined<T>().Select(value => (new[] { value }, (ExpectedError?)ExpectedError.OfValue(Field(name)))),
    ]);

    /// <summary>An id of no row. Without an error the call finds nothing.</summary>
    public static ApiInput Id(string name, Func<ValidArguments, Guid, Task> use, ExpectedError? error = null) =>
        Of(name, Nothing(use), [.. MalformedInput.Ids.Select(id => (id, error))]);

    /// <summary>The cases of a list of ids.</summary>
    public static IReadOnlyList<(Guid[] Value, ExpectedError? Error)> Ids(string parameter) =>
        [(null!, new ExpectedError(typeof(ArgumentNullException), parameter)), ([], null), ([.. MalformedInput.Ids, .. MalformedInput.Ids], null)];

    /// <summary>The beginning of an id.</summary>
    public static ApiInput Prefix(string name, Func<ValidArguments, string, Task> use) => Of<string>(name, Nothing(use), [
        (null!, new ExpectedError(typeof(ArgumentNullException), "idPrefix")),
        .. MalformedText.NotStorable.Concat(MalformedText.Storable).Append("").Append("-").Append(new string('0', 33)).Append("0g")
            .Where(text => text.Length == 0 || !text.All(char.IsAsciiHexDigit) || text.Length > 32)
            .Select(text => (text, (ExpectedError?)ExpectedError.OfValue("id_prefix"))),
        ("0", null),
        ("FFFFFFFF-ffff-ffff-ffff-ffffffffffff", null),
    ]);

    /// <summary>An id that the caller may choose.</summary>
    public static ApiInput NewId(string name, Func<ValidArguments, Guid?, Task<object?[]>> use) =>
        Of(name, use, [(null, null), .. MalformedInput.Ids.Select(id => ((Guid?)id, (ExpectedError?)null))]);

    /// <summary>JSON that is stored as it is.</summary>
    public static ApiInput Json(string name, Func<ValidArguments, Jsonb, Task<object?[]>> use) =>
        Of(name, use, [.. MalformedJson.Storable.Select(json => (json, (ExpectedError?)null))]);

    /// <summary>An object that may not be null.</summary>
    public static ApiInput Required<T>(string name, Func<ValidArguments, T, Task> use) where T : class =>
        Of<T>(name, Nothing(use), [(null!, new ExpectedError(typeof(ArgumentNullException), Member(name)))]);

    /// <summary>A list of rows that may be empty; neither the list nor a row may be null.</summary>
    public static ApiInput Rows<T>(string name, Func<ValidArguments, T[], Task> use) => Of(name, Nothing(use), [
        (null!, new ExpectedError(typeof(ArgumentNullException), Member(name))),
        ([], null),
        ([default!], ExpectedError.OfValue(Field(name))),
    ]);

    public static ApiInput Of<T>(string name, Func<ValidArguments, T, Task<object?[]>> use, IReadOnlyList<(T Value, ExpectedError? Error)> cases) =>
        new(name, [.. cases.Select(one => ((object?)one.Value, one.Error))], async (valid, value) => await use(valid, (T)value!));

    public static ApiInput Of<T>(string name, Func<ValidArguments, T, Task> use, IReadOnlyList<(T Value, ExpectedError? Error)> cases) =>
        Of(name, Nothing(use), cases);

    private static ApiInput Enum<T>(string name, Func<ValidArguments, T, Task<object?[]>> use, ExpectedError error) where T : struct, Enum =>
        Of(name, use, [
            .. System.Enum.GetValues<T>().Select(value => (value, (ExpectedError?)null)),
            .. MalformedInput.Undefined<T>().Select(value => (value, (ExpectedError?)error)),
        ]);

    private static Func<ValidArguments, T, Task<object?[]>> Nothing<T>(Func<ValidArguments, T, Task> use) => async (valid, value) =>
    {
        await use(valid, value);
        return [];
    };

    /// <summary>The name of the parameter or property in C#.</summary>
    private static string Member(string name) => name.Split('.', '(', ')').Last(part => part.Length > 0);

    /// <summary>The name of the column.</summary>
    private static string Field(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(Member(name));
}
