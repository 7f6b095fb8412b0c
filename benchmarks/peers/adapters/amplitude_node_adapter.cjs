// SPDX-License-Identifier: MIT
//
// @amplitude/node: logEvent of one and the same object, which spares it an
// allocation; its promise is left alone.

'use strict';

const { init } = require('@amplitude/node');

exports.connect = (url, options) => {
  const client = init('BENCHMARK', { serverUrl: `${url}/2/httpapi`, ...options });
  return {
    log: (event) => client.logEvent(event),
    drain: () => client.flush(),
  };
};
