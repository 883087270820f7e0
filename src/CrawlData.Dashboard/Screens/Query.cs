using System.Globalization;
using CrawlData.Dashboard.Text;
using Microsoft.AspNetCore.Http;

namespace CrawlData.Dashboard.Screens;

/// <summary>The parameters in a request's URL. An empty parameter counts as missing: forms send their empty fields.</summary>
internal sealed class Query(IQueryCollection values)
{
    public const int DefaultPageSize = 50;
    public const int MaxPageSize = 500;

    // .NET and PostgreSQL hold the years of these. A bound outside them bounds nothing.
    private static readonly DateTimeOffset Earliest = new(1, 1, 2, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Latest = new(9999, 12, 30, 0, 0, 0, TimeSpan.Zero);

    public string? Cursor => Text("cursor");

    /// <summary>Returns the parameter that <see cref="PageSize"/> reads.</summary>
    public static (string Name, string? Value) Size(int size) => ("size", size == DefaultPageSize ? null : $"{size}");

    /// <summary>Returns the parameter that <see cref="Time"/> reads.</summary>
    public static (string Name, string? Value) Bound(string name, DateTimeOffset? time) => (name, time is { } bound ? Show.Iso(bound) : null);

    /// <exception cref="BadQueryException">The size is no number from 1 to 500.</exception>
    public int PageSize => Text("size") is not { } text ? DefaultPageSize
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size is >= 1 and <= MaxPageSize ? size
        : throw new BadQueryException("size", $"must be a number from 1 to {MaxPageSize}");

    public string? Text(string name) => values[name].ToString() is { Length: > 0 } text ? text : null;

    /// <exception cref="BadQueryException">No value has the label.</exception>
    public T? Label<T>(string name) where T : struct, Enum => Text(name) is not { } text ? null
        : Labels.Find<T>(text) ?? throw new BadQueryException(name, $"must be one of {string.Join(", ", Enum.GetValues<T>().Select(Labels.ToLabel))}");

    /// <exception cref="BadQueryException">It is no number.</exception>
    public long? Id(string name) => Text(name) is not { } text ? null
        : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id) ? id
        : throw new BadQueryException(name, "must be the number of an event");

    /// <exception cref="BadQueryException">There are not two ids of runs.</exception>
    public (Guid First, Guid Second) TwoRuns() => values["run"] is [var first, var second]
        && Guid.TryParse(first, CultureInfo.InvariantCulture, out var one) && Guid.TryParse(second, CultureInfo.InvariantCulture, out var other)
        ? (one, other)
        : throw new BadQueryException("run", "must be given twice: tick two runs, and no more");

    /// <summary>Reads a time. It is in UTC unless it has an offset.</summary>
    /// <exception cref="BadQueryException">It is no time, or outside the years 1 to 9999.</exception>
    public DateTimeOffset? Time(string name) => Text(name) is not { } text ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            && time > Earliest && time < Latest ? time
        : throw new BadQueryException(name, "must be a time such as 2026-11-27T08:30, in UTC or with an offset");
}
