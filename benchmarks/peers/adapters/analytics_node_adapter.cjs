// SPDX-License-Identifier: MIT
//
// @amplitude/analytics-node: track of an event made for each call, since it
// keeps the properties of the caller's; its promise is left alone.

'use strict';

const { createInstance } = require('@amplitude/analytics-node');

exports.connect = async (url, options) => {
  const client = createInstance();
  const config = { serverUrl: `${url}/2/httpapi`, ...options };
  await client.init('BENCHMARK', config).promise;
  return {
    log: (event) => client.track({
      ...event,
      event_properties: { ...event.event_properties },
    }),
    drain: () => client.flush().promise,
  };
};
