// The service by undici, Node's HTTP client; one keep-alive connection for each caller.
'use strict';

const { Client } = require('undici');

exports.connect = async (port, callers) => {
    const clients = Array.from({ length: callers }, () => new Client(`http://127.0.0.1:${port}`));
    const call = async (client, method, path, expected, body) => {
        const headers = { 'content-type': 'application/json' };
        const answer = await client.request({ method, path, headers, body });
        const text = await answer.body.text();
        if (answer.statusCode !== expected) throw new Error(`${path}: ${answer.statusCode} ${text}`);
        return text;
    };
    const post = (client, path, expected, content) =>
        call(client, 'POST', path, expected, JSON.stringify({ content }));
    return {
        submit: (caller, content) => post(clients[caller], '/api/v1/tasks', 201, content),
        runOne: () => post(clients[0], '/api/v1/tasks?wait=10', 200, 'hello'),
        isEmpty: async () => {
            const status = JSON.parse(await call(clients[0], 'GET', '/api/v1/queue/status', 200));
            return status.pending === 0 && status.processing === 0;
        },
    };
};
