// SPDX-License-Identifier: MIT
//
// Puts one Node peer through one task; driver.py tells the same of Python's.
//
//     NODE_PATH=... node driver.cjs '{"adapter": "/path/x_adapter.cjs", ...}'
//
// An adapter exports connect(url, options), which gives {log(event), drain()}
// or a promise of it.
// There is no fork here: Node starts workers as new processes.

'use strict';

const fs = require('fs');
const http = require('http');
const { performance } = require('perf_hooks');

const ARRIVAL_SECONDS = 30;
const TURN = 2000; // Events a turn: as many as one request may hold.
const KIB = 1024;

const turn = () => new Promise(setImmediate);
const sleep = (ms) => new Promise((done) => setTimeout(done, Math.max(0, ms)));

let raised = 0;
process.on('unhandledRejection', () => { raised += 1; });

function ask(order, path) {
  return new Promise((done, fail) => {
    http.get(order.url + path, { agent: false }, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => done(JSON.parse(text)));
    }).on('error', fail);
  });
}

const arrivals = (order, count, seconds) =>
  ask(order, `/await/${count}/${seconds}`);

function numbered(order, serial) {
  const properties = { ...order.event.event_properties, serial };
  return { ...order.event, event_properties: properties };
}

async function logInChunks(peer, event, events, chunk) {
  for (let start = 0; start < events; start += chunk) {
    const end = Math.min(start + chunk, events);
    for (let number = start; number < end; number += 1) {
      peer.log(event);
      if ((number + 1) % TURN === 0) await turn();
    }
    await peer.drain();
  }
}

function resident(name) {
  if (!fs.existsSync('/proc/self/status')) return 0;
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  return Number(status.match(new RegExp(`^${name}:\\s*(\\d+)`, 'm'))[1]) * KIB;
}

function resetPeak() {
  if (fs.existsSync('/proc/self/clear_refs')) {
    fs.writeFileSync('/proc/self/clear_refs', '5');
  }
}

const TASKS = {
  async calls(peer, order) {
    const block = Math.min(order.block, order.events);
    const spans = [];
    await logInChunks(peer, order.event, block, block);
    for (let left = Math.max(block, order.events); left > 0; left -= block) {
      for (let number = 0; number < block; number += 1) {
        const began = performance.now();
        peer.log(order.event);
        spans.push((performance.now() - began) * 1000);
      }
      await peer.drain();
    }
    spans.sort((a, b) => a - b);
    const at = (part) =>
      spans[Math.min(spans.length - 1, Math.floor(spans.length * part))];
    return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
  },

  async delivery(peer, order) {
    const { event, events, chunk, arrival } = order;
    await logInChunks(peer, event, 1, 1);
    let before = (await arrivals(order, 1, arrival)).count;
    const idle = resident('VmRSS');
    resetPeak();
    const warm = Math.max(1, Math.floor(events / 4));
    await logInChunks(peer, event, warm, chunk);
    before = (await arrivals(order, before + warm, arrival)).count;
    const usage = process.cpuUsage();
    const began = process.hrtime.bigint();
    await logInChunks(peer, event, events, chunk);
    const seen = await arrivals(order, before + events, arrival);
    const { user, system } = process.cpuUsage(usage);
    return {
      logged: events,
      delivered: seen.count - before,
      seconds: (seen.last - Number(began)) / 1e9,
      cpu: (user + system) / 1e6,
      memory: resident('VmHWM') - idle,
    };
  },

  async exit(peer, order) {
    for (let number = 0; number < order.events; number += 1) {
      peer.log(numbered(order, `e-${number}`));
    }
    return {};
  },

  async kill(peer, order) {
    for (let number = 0; number < order.events; number += 1) {
      peer.log(numbered(order, `k-${number}`));
    }
    process.kill(process.pid, 'SIGKILL');
    return {};
  },

  async outage(peer, order) {
    const { rate, outage, events } = order;
    const began = performance.now();
    for (let number = 0; number < events; number += 1) {
      if (number === rate) await ask(order, `/outage/${outage}`);
      await sleep(began + (number * 1000) / rate - performance.now());
      peer.log(numbered(order, `o-${number}`));
    }
    await sleep(began + (outage + 2) * 1000 - performance.now());
    await Promise.race([peer.drain(), sleep(ARRIVAL_SECONDS * 1000)]);
    await arrivals(order, events, order.patience);
    return { raised, hung: 0 };
  },
};

async function main() {
  const order = JSON.parse(process.argv[2]);
  const { connect } = require(order.adapter);
  const peer = await connect(order.url, order.options);
  const found = await TASKS[order.task](peer, order);
  console.log(JSON.stringify(found));
  // An exit of the SDK's own is not cut short where it is the question.
  if (!['exit', 'outage'].includes(order.task)) process.exit(0);
}

main();
