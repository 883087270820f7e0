using System.Text.Json;
using System.Text.Json.Serialization;
using CrawlData.Crawls;

namespace CrawlData.Recordings;

/// <summary>The metadata of the rows of recordings, so that they are read without reflection.</summary>
[JsonSerializable(typeof(RecordingFormat.Line<JsonElement>))]
[JsonSerializable(typeof(RecordingFormat.RunRow))]
[JsonSerializable(typeof(RecordingFormat.EventRow))]
[JsonSerializable(typeof(RecordingFormat.SessionRow))]
[JsonSerializable(typeof(RecordingFormat.PageRow))]
[JsonSerializable(typeof(RecordingFormat.ArtifactRow))]
[JsonSerializable(typeof(RecordingFormat.LogRow))]
[JsonSerializable(typeof(NewCrawlEvent))]
internal sealed partial class RecordingJsonContext : JsonSerializerContext;
