// beanstalkd by a small client of ours: its protocol is lines, each answered in order. One connection for each caller.
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
    }

    // Sends one command; returns the words of the answer's line and the data after it. Another answer is an error.
    ask(command, expected) {
        return new Promise((resolve, reject) => {
            this.waiting = { resolve, reject, expected };
            this.socket.write(command);
        });
    }

    receive(data) {
        this.received += data;
        const end = this.received.indexOf('\r\n');
        if (end < 0 || !this.waiting) return;
        const words = this.received.slice(0, end).split(' ');
        const length = { RESERVED: Number(words[2]) + 2, OK: Number(words[1]) + 2 }[words[0]] ?? 0;
        if (this.received.length < end + 2 + length) return;
        const [{ resolve, reject, expected }, body] = [this.waiting, this.received.slice(end + 2, end + length)];
        [this.received, this.waiting] = [this.received.slice(end + 2 + length), null];
        if (words[0] === expected) resolve({ words, body });
        else reject(new Error(`beanstalkd answered ${words.join(' ')}`));
    }

    put(content) {
        return this.ask(`put 0 0 60 ${content.length}\r\n${content}\r\n`, 'INSERTED');
    }

    async runNext() {
        const { words } = await this.ask('reserve\r\n', 'RESERVED');
        await this.ask(`delete ${words[1]}\r\n`, 'DELETED');
    }
}

exports.connect = async (port, callers) => {
    const opened = Array.from({ length: callers + 1 }, () => Connection.open(port));
    const connections = await Promise.all(opened);
    const [consumer] = connections.slice(-1);
    return {
        submit: (caller, content) => connections[caller].put(content),
        // The consumer waits for the job before it is there.
        runOne: () => Promise.all([consumer.runNext(), connections[0].put('hello')]),
        isEmpty: async () => {
            const { body } = await consumer.ask('stats-tube default\r\n', 'OK');
            return /jobs-ready: 0\n/.test(body) && /jobs-reserved: 0\n/.test(body);
        },
    };
};

exports.work = async (port, callers) => {
    const run = async (connection) => {
        for (;;) await connection.runNext();
    };
    const connections = await Promise.all(Array.from({ length: callers }, () => Connection.open(port)));
    for (const connection of connections) {
        run(connection).catch((error) => {
            console.error(error);
            process.exit(1);
        });
    }
};
