namespace CrawlData;

/// <summary>Thrown for a value that PostgreSQL, or the schema, would refuse or change. It is thrown where the value is given, before anything is sent. So
/// the value's batch is not affected.</summary>
public sealed class InvalidValueException : CrawlDataException
{
    internal InvalidValueException(string field, string reason, Exception? innerException = null)
        : base($"{field}: {reason}.", innerException)
    {
        Field = field;
        Reason = reason;
    }

    /// <summary>Gets the name of the field in snake_case: a column such as <c>event_type</c>, <c>json</c> for a <see cref="Jsonb"/>, <c>cursor</c>, or
    /// <c>connection_string</c>.</summary>
    public string Field { get; }

    /// <summary>Gets the reason why the value is invalid, with the limit where there is one. It quotes no text of the value.</summary>
    public string Reason { get; }
}
