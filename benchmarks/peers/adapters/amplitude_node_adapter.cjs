// SPDX-License-Identifier: MIT
//
// @amplitude/node: logEvent of an event made for each call, since it keeps
// and changes the caller's object; its promise is left alone.

'use strict';

const { init } = require('@amplitude/node');

exports.connect = (url, options) => {
  const config = { serverUrl: `${url}/2/httpapi`, ...options };
  const client = init('BENCHMARK', config);
  return {
    log: (event) => client.logEvent({
      ...event,
      event_properties: { ...event.event_properties },
    }),
    drain: () => client.flush(),
  };
};
