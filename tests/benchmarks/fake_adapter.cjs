// SPDX-License-Identifier: MIT
//
// A peer in Node that posts each event by itself, and loses every third if
// it is told to.

'use strict';

const http = require('http');

exports.connect = (url, options) => {
  let number = 0;
  let waiting = [];

  function post(event) {
    return new Promise((done) => {
      const wire = http.request(`${url}/2/httpapi`, { method: 'POST' });
      const body = JSON.stringify({ events: [event] });
      wire.on('response', (answer) => answer.resume().on('end', done));
      wire.setHeader('Content-Length', Buffer.byteLength(body));
      wire.end(body);
    });
  }

  return {
    log(event) {
      number += 1;
      if (options.loses && number % options.loses === 0) return;
      waiting.push(post({ ...event, insert_id: `${number}` }));
    },
    async drain() {
      const all = waiting;
      waiting = [];
      await Promise.all(all);
    },
  };
};
