using System.Text.Json.Serialization;

namespace CrawlData.Cli.Exports;

/// <summary>Describes a folder of Parquet files. Its properties are in snake_case in the JSON.</summary>
internal sealed record ExportManifest
{
    /// <summary>The newest script of the schema that the files have the columns of.</summary>
    public required string Schema { get; init; }

    /// <summary>The version of the tool.</summary>
    public required string Tool { get; init; }

    /// <summary>The id after which the events begin; left out for an export of all.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? After { get; init; }

    public required IReadOnlyList<Source> Sources { get; init; }

    public required IReadOnlyList<Table> Files { get; init; }

    /// <summary>A crawl or an audit session that was exported.</summary>
    internal sealed record Source
    {
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public Guid? CrawlId { get; init; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public Guid? SessionId { get; init; }

        /// <summary>The status in the snapshot that was exported.</summary>
        public required string Status { get; init; }

        public required long Rows { get; init; }

        /// <summary>The id to go on after; left out for a session.</summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public long? NextAfter { get; init; }
    }

    /// <summary>A file. A table without rows has none.</summary>
    internal sealed record Table
    {
        public required string File { get; init; }

        public required long Rows { get; init; }

        public required long Bytes { get; init; }
    }
}
