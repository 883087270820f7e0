using System.Collections;
using System.Data;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>A statement's parameters, each with its PostgreSQL type. So neither Dapper nor an application's type handlers choose a type.</summary>
internal sealed class Parameters : SqlMapper.IDynamicParameters, IEnumerable<NpgsqlParameter>
{
    private readonly List<NpgsqlParameter> parameters = [];

    /// <summary>Adds a parameter.</summary>
    public void Add(string name, NpgsqlDbType type, object? value) => parameters.Add(new NpgsqlParameter(name, type)
    {
        Value = value switch
        {
            null => DBNull.Value,

            // Npgsql would split a duration into days and a rest. A day in PostgreSQL has 23 to 25 hours, by the session's time zone.
            TimeSpan time => new NpgsqlInterval(0, 0, time.Ticks / TimeSpan.TicksPerMicrosecond),
            Instant instant => instant.Microseconds,
            Instant?[] instants => Array.ConvertAll(instants, instant => instant?.Microseconds),
            _ => value,
        },
    });

    /// <summary>Adds the parameters to a command.</summary>
    public void AddTo(IDbCommand command)
    {
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(parameter);
        }
    }

    void SqlMapper.IDynamicParameters.AddParameters(IDbCommand command, SqlMapper.Identity identity)
    {
        // Dapper may have set a process-wide time-out, which the application chose for its own statements. The connection's time-out is restored.
        command.CommandTimeout = ((NpgsqlConnection)command.Connection!).CommandTimeout;
        AddTo(command);
    }

    public IEnumerator<NpgsqlParameter> GetEnumerator() => parameters.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
