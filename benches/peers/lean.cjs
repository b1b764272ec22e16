// The service by a small HTTP client of ours, which shows what undici costs: one keep-alive connection for each caller,
// and no more of HTTP than the service's answers need.
'use strict';

const net = require('node:net');
const { once } = require('node:events');

class Connection {
    static async open(port) {
        const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
        await once(socket, 'connect');
        return new Connection(socket);
    }

    constructor(socket) {
        this.socket = socket;
        this.received = '';
        this.waiting = null;
        socket.setEncoding('latin1').on('data', (data) => this.receive(data));
        socket.on('close', () => this.waiting?.reject(new Error('the service closed a connection')));
    }

    // Sends one request; returns the body of the answer. Another status is an error.
    ask(method, path, expected, body = '') {
        const type = 'content-type: application/json\r\ncontent-length: ';
        return new Promise((resolve, reject) => {
            this.waiting = { resolve, reject, expected };
            this.socket.write(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${type}${body.length}\r\n\r\n${body}`);
        });
    }

    receive(data) {
        this.received += data;
        const end = this.received.indexOf('\r\n\r\n') + 4;
        if (end < 4 || !this.waiting) return;
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.received)[1]);
        if (this.received.length < end + length) return;
        const [{ resolve, reject, expected }, answer] = [this.waiting, this.received];
        [this.received, this.waiting] = ['', null];
        if (answer.startsWith(`HTTP/1.1 ${expected} `)) resolve(answer.slice(end));
        else reject(new Error(answer));
    }
}

exports.connect = async (port, callers) => {
    const connections = await Promise.all(Array.from({ length: callers }, () => Connection.open(port)));
    const post = (caller, path, expected, content) =>
        connections[caller].ask('POST', path, expected, JSON.stringify({ content }));
    return {
        submit: (caller, content) => post(caller, '/api/v1/tasks', 201, content),
        runOne: () => post(0, '/api/v1/tasks?wait=10', 200, 'hello'),
        isEmpty: async () => {
            const status = JSON.parse(await connections[0].ask('GET', '/api/v1/queue/status', 200));
            return status.pending === 0 && status.processing === 0;
        },
    };
};
