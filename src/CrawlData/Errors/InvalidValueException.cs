namespace CrawlData;

/// <summary>Thrown for a value that PostgreSQL, or the schema, would refuse or change. It is thrown where the value is set, before anything is sent to the
/// server. So no other value fails with it.</summary>
public sealed class InvalidValueException : CrawlDataException
{
    internal InvalidValueException(string field, string reason, Exception? innerException = null)
        : base($"{field}: {reason}.", innerException)
    {
        Field = field;
        Reason = reason;
    }

    /// <summary>The name of the field, in snake_case as columns are: a column such as <c>event_type</c>, <c>json</c> for a <see cref="Jsonb"/>, <c>cursor</c>,
    /// or <c>connection_string</c>.</summary>
    public string Field { get; }

    /// <summary>The reason why the value is invalid, with the limit if the value exceeds one. It quotes no text.</summary>
    public string Reason { get; }
}
