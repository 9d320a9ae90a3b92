// node-postgres with pg-cursor, pg-query-stream and pg-copy-streams. Prints `ok NAME` / `not ok NAME: why`.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");
const { pipeline } = require("node:stream/promises");
const { Readable, Writable } = require("node:stream");
const assert = require("node:assert/strict");
const load = createRequire(path.join(process.env.SUITE_NODE, "package.json"));
const { Client, Pool } = load("pg");
const Cursor = load("pg-cursor");
const QueryStream = load("pg-query-stream");
const copy = load("pg-copy-streams");

const ROWS = 100000;
const secure = process.env.PGSSLMODE === "verify-full";
const ssl = secure ? { ca: fs.readFileSync(process.env.PGSSLROOTCERT) } : false;
delete process.env.PGSSLMODE;
delete process.env.PGSSLROOTCERT;

async function connected(work) {
  const client = new Client({ ssl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const checks = {
  async transactions() {
    await connected(async (c) => {
      await c.query("CREATE TABLE tx(n int)");
      await c.query("BEGIN");
      await c.query("INSERT INTO tx VALUES ($1)", [1]);
      await c.query("SAVEPOINT s");
      await c.query("INSERT INTO tx VALUES ($1)", [2]);
      await c.query("ROLLBACK TO SAVEPOINT s");
      await c.query("COMMIT");
      await c.query("BEGIN; INSERT INTO tx VALUES (3); ROLLBACK");
      assert.deepEqual((await c.query("SELECT n FROM tx")).rows, [{ n: 1 }]);
    });
  },
  async prepared_many_times() {
    await connected(async (c) => {
      for (let n = 0; n < 500; n++) {
        const got = await c.query({ name: "plus", text: "SELECT $1::int + 1 AS n", values: [n] });
        assert.equal(got.rows[0].n, n + 1);
      }
    });
  },
  async queued_queries() {
    await connected(async (c) => {
      const all = await Promise.all(Array.from({ length: 200 }, (_, n) => c.query("SELECT $1::int AS n", [n])));
      assert.deepEqual(all.map((r) => r.rows[0].n), Array.from({ length: 200 }, (_, n) => n));
    });
  },
  async errors_and_recovery() {
    await connected(async (c) => {
      await assert.rejects(c.query("SELECT 1 / $1::int", [0]), { code: "22012" });
      assert.equal((await c.query("SELECT 1 AS n")).rows[0].n, 1);
      await c.query("BEGIN");
      await assert.rejects(c.query("SELECT nothing"), { code: "42703" });
      await assert.rejects(c.query("SELECT 1"), { code: "25P02" });
      await c.query("ROLLBACK");
      await assert.rejects(c.query({ name: "bad", text: "SELEC 1" }), { code: "42601" });
      assert.equal((await c.query("SELECT 1 AS n")).rows[0].n, 1);
    });
  },
  async large_result() {
    await connected(async (c) => {
      const { rows } = await c.query("SELECT n, repeat('x', 40) AS s FROM generate_series(1, $1::int) n", [ROWS]);
      assert.equal(rows.length, ROWS);
      assert.equal(rows[ROWS - 1].n, ROWS);
    });
  },
  async types() {
    await connected(async (c) => {
      const sql = "SELECT $1::text AS a, $2::bool AS b, $3::int8 AS c, $4::bytea AS d, $5::int[] AS e, $6::jsonb AS f, $7::timestamptz AS g";
      const values = [null, true, "1099511627776", Buffer.from([0, 255]), [1, null], { a: 1 }, new Date(0)];
      assert.deepEqual(Object.values((await c.query(sql, values)).rows[0]), values);
      const binary = await c.query({ text: "SELECT $1::int4 AS n, $2::text AS s", values: [7, "x"], binary: true });
      assert.deepEqual({ ...binary.rows[0] }, { n: 7, s: "x" });
    });
  },
  async cursor_with_partial_fetches() {
    await connected(async (c) => {
      const cursor = c.query(new Cursor("SELECT n FROM generate_series(1, 1000) n"));
      assert.equal((await cursor.read(10)).length, 10);
      assert.equal((await cursor.read(500)).at(-1).n, 510);
      await cursor.close();
      assert.equal((await c.query("SELECT 1 AS n")).rows[0].n, 1);
    });
  },
  async query_stream() {
    await connected(async (c) => {
      let sum = 0;
      const stream = c.query(new QueryStream("SELECT n FROM generate_series(1, 20000) n", [], { batchSize: 500 }));
      for await (const row of stream) sum += row.n;
      assert.equal(sum, 200010000);
    });
  },
  async copy_in_and_out() {
    await connected(async (c) => {
      await c.query("CREATE TABLE c(n int, s text)");
      const lines = Readable.from((function* () { for (let n = 0; n < 10000; n++) yield `${n}\tline ${n}\n`; })());
      await pipeline(lines, c.query(copy.from("COPY c FROM STDIN")));
      let bytes = 0;
      const sink = new Writable({ write(chunk, _e, done) { bytes += chunk.length; done(); } });
      await pipeline(c.query(copy.to("COPY (SELECT * FROM c ORDER BY n) TO STDOUT")), sink);
      assert.equal(bytes, (await c.query("SELECT sum(length(n::text) + length(s) + 2)::int AS n FROM c")).rows[0].n);
    });
  },
  async cancel_by_another_session() {
    await connected(async (c) => {
      const timer = setTimeout(() => new Client({ ssl, host: c.host, port: c.port }).cancel(c, c._activeQuery ?? c.activeQuery), 500);
      const start = Date.now();
      await assert.rejects(c.query("SELECT pg_sleep(30)"), { code: "57014" });
      clearTimeout(timer);
      assert.ok(Date.now() - start < 10000);
    });
  },
  async notifications() {
    await connected(async (listener) => connected(async (sender) => {
      await listener.query("LISTEN ch");
      const got = new Promise((resolve) => listener.once("notification", resolve));
      await sender.query("SELECT pg_notify('ch', 'paid')");
      const message = await got;
      assert.deepEqual([message.channel, message.payload], ["ch", "paid"]);
    }));
  },
  async masks_and_rules() {
    const { SUITE_EMAIL: email, SUITE_BORN: born, SUITE_NOTE: note } = process.env;
    const want = { id: 2, name: "name 2", email, born: born || null, note };
    const person = "SELECT id, name, email, born::text AS born, note FROM people WHERE id = $1";
    await connected(async (c) => {
      assert.deepEqual((await c.query(person, [2])).rows, [want]);
      assert.deepEqual((await c.query({ text: person.replace("born::text AS born", "born"), values: [2], types: { getTypeParser: () => String } })).rows, [{ ...want, id: "2" }]);
      await assert.rejects(c.query("SELECT * FROM payroll WHERE id = $1", [1]), { code: "42501" });
      assert.deepEqual((await c.query({ name: "person", text: person, values: [2] })).rows, [want]);
    });
  },
  async pool() {
    const pool = new Pool({ ssl, max: 5 });
    const all = await Promise.all(Array.from({ length: 100 }, (_, n) => pool.query("SELECT $1::int AS n", [n])));
    assert.equal(all.reduce((sum, r) => sum + r.rows[0].n, 0), 4950);
    await pool.end();
  },
};

(async () => {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("no end within 60 s")), 60000); });
    try {
      await Promise.race([check(), late]);
      console.log(`ok ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok ${name}: ${String(error && error.message).replace(/\s+/g, " ").slice(0, 400)}`);
    } finally {
      clearTimeout(timer);
    }
  }
  process.exit(failed ? 1 : 0);
})();
