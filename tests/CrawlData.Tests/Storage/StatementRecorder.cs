using System.Collections.Concurrent;
using System.Diagnostics;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Records the statements that a data source sends, each with the PostgreSQL types of its parameters.</summary>
internal sealed class StatementRecorder : IDisposable
{
    private readonly ConcurrentDictionary<string, IReadOnlyDictionary<string, string>> sent = [];
    private readonly ConcurrentDictionary<string, bool> atDefaultIsolation = [];

    // Npgsql calls back only while a listener collects its spans.
    private readonly ActivityListener listener = new()
    {
        ShouldListenTo = source => source.Name == "Npgsql",
        Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
    };

    public StatementRecorder() => ActivitySource.AddActivityListener(listener);

    /// <summary>The types by parameter of each statement that was sent.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Sent => sent;

    /// <summary>The statements that were sent outside a transaction, and not made to run at READ COMMITTED.</summary>
    public ICollection<string> SentAtDefaultIsolation => atDefaultIsolation.Keys;

    public NpgsqlDataSource CreateDataSource(string connectionString)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        builder.ConfigureTracing(tracing => tracing
            .ConfigureCommandEnrichmentCallback((_, command) => Record(command))
            .ConfigureBatchEnrichmentCallback((_, batch) =>
            {
                foreach (NpgsqlBatchCommand command in batch.BatchCommands)
                {
                    Record(command.CommandText, command.Parameters);
                }
            })
            .ConfigureCopyOperationEnrichmentCallback((_, sql) => sent[sql] = new Dictionary<string, string>()));
        return builder.Build();
    }

    public void Dispose() => listener.Dispose();

    private void Record(NpgsqlCommand command)
    {
        var isReadCommitted = command.CommandText.StartsWith(Sql.ReadCommitted, StringComparison.Ordinal);
        var sql = isReadCommitted ? command.CommandText[Sql.ReadCommitted.Length..] : command.CommandText;
        if (command.Transaction is null && !isReadCommitted)
        {
            atDefaultIsolation[sql] = true;
        }

        Record(sql, command.Parameters);
    }

    private void Record(string sql, NpgsqlParameterCollection parameters) =>
        sent[sql] = parameters.Select((parameter, index) => (Name: parameter.ParameterName is "" ? $"{index + 1}" : parameter.ParameterName, parameter))
            .ToDictionary(one => one.Name, one => one.parameter.DataTypeName ?? "unknown");
}
