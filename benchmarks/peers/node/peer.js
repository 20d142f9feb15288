// The Node SDK as a peer of the benchmarks: does the work it is told on standard input, line by
// line, and answers each line with a JSON object. See ../../work.py for the lines and
// ../python_worker.py for the answers; `warm_up` counts the calls that were made but not measured.
//
// Usage: node --expose-gc peer.js PORT
'use strict';

const readline = require('node:readline');
const { MilvusClient } = require('@zilliz/milvus2-sdk-node');

const OUTPUTS = { ids: [], scalar: ['text'], vectors: ['vector'] };
const WARM_UP_CPU = 3; // seconds; the first thousand searches cost twice as much as later ones
const MOST_IN_FLIGHT = 64; // of a client whose own limit is 10: others would wait their turn

function check(holds, what) {
  if (!holds) {
    throw new Error(what);
  }
}

function parse(line) {
  const work = Object.fromEntries(line.trim().split(' ').map((item) => item.split('=')));
  for (const key of ['dim', 'rows', 'nq', 'k', 'width', 'seconds']) {
    work[key] = Number(work[key]);
  }
  return work;
}

/** Arrays of numbers that float32 holds exactly, as the other peers' vectors do. */
function vectors(rows, dim) {
  const vector = () => Array.from({ length: dim }, () => Math.fround(Math.random()));
  return Array.from({ length: rows }, vector);
}

/** Reads each row's fields, as a program would. */
function readRows(rows, count, names, dim) {
  check(rows.length === count, `${rows.length} rows, not ${count}`);
  for (const row of rows) {
    for (const name of names) {
      check(row[name] !== undefined, `a row without ${name}`);
      check(name !== 'vector' || row.vector.length === dim, 'a vector of another dimension');
    }
  }
}

function insertOf(client, work) {
  const data = vectors(work.rows, work.dim).map((vector, id) => (
    { id, vector, text: `document ${id}: ${id.toString(16).padStart(32, '0')}` }
  ));
  return async () => {
    const result = await client.insert({ collection_name: `float_${work.dim}`, data });
    check(Number(result.insert_cnt) === work.rows, `insert: ${result.insert_cnt} rows`);
  };
}

/** A function that makes one call, and reads and checks its result. */
function callOf(client, work) {
  if (work.op === 'insert') {
    return insertOf(client, work);
  }
  const output_fields = ['id', ...OUTPUTS[work.fields]]; // a hit has no key unless asked for
  const wanted = { collection_name: `full_${work.dim}`, output_fields };
  if (work.op === 'query') {
    return async () => {
      const result = await client.query({ ...wanted, filter: 'id >= 0', limit: work.rows });
      readRows(result.data, work.rows, output_fields, work.dim);
    };
  }
  const names = ['score', ...output_fields];
  wanted.anns_field = 'vector';
  const data = Array(work.nq).fill(vectors(1, work.dim)[0]);
  return async () => {
    const { results } = await client.search({ ...wanted, data, limit: work.k });
    const found = work.nq === 1 ? [results] : results;
    check(found.length === work.nq, `search: ${found.length} results, not ${work.nq}`);
    for (const hits of found) {
      readRows(hits, work.k, names, work.dim);
    }
  };
}

/** getrusage of the process, all its threads included, in seconds. */
function cpu() {
  const usage = process.resourceUsage();
  const system = usage.systemCPUTime / 1e6;
  return { total: usage.userCPUTime / 1e6 + system, system };
}

/** Makes calls, `width` at a time, while `goesOn(now)`; their latencies. Times in milliseconds. */
async function callWhile(goesOn, call, width) {
  const latencies = [];
  async function caller() {
    for (let now = performance.now(); goesOn(now);) {
      await call();
      const next = performance.now();
      latencies.push(next - now);
      now = next;
    }
  }
  await Promise.all(Array.from({ length: width }, caller));
  return latencies;
}

async function run(client, work, isNew) {
  const call = callOf(client, work);
  await call();
  const warm = isNew ? cpu().total + WARM_UP_CPU : 0;
  const warming = await callWhile(() => cpu().total < warm, call, work.width);
  global.gc();
  const before = cpu();
  const start = performance.now();
  const end = start + work.seconds * 1e3;
  const latencies = await callWhile((now) => now < end, call, work.width);
  const wall = (performance.now() - start) / 1e3;
  const after = cpu();
  latencies.sort((a, b) => a - b);
  const at = (p) => latencies[Math.round((latencies.length - 1) * p)] / 1e3;
  return {
    calls: latencies.length,
    cpu: after.total - before.total,
    system: after.system - before.system,
    wall,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    digest: null,
    warm_up: 1 + warming.length,
  };
}

async function main() {
  const address = `127.0.0.1:${process.argv[2]}`;
  const client = new MilvusClient({ address, pool: { min: 2, max: MOST_IN_FLIGHT } });
  await client.connectPromise;
  const seen = new Set();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answer = await run(client, parse(line), !seen.has(line));
    seen.add(line);
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await client.closeConnection();
}

main().catch((error) => {
  console.error('node peer:', error);
  process.exit(1);
});
