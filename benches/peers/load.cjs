// Node's side of the benchmark: the load on one server.
//
//     node load.cjs KIND PORT accept CALLERS SECONDS WARM_UP    durable enqueues, each answered
//     node load.cjs KIND PORT finish CALLERS SECONDS WARM_UP    the same until the queue is empty again
//     node load.cjs KIND PORT idle COUNT                        one job after the other, each until it is completed
//     node load.cjs KIND PORT work CALLERS                      a worker whose jobs do nothing, until it is killed
//
// KIND names the file with the client. After the warm-up a load prints `ready`, waits for a line, and prints its
// figures as one JSON object; it lives on, so that its processor time can be read. A worker prints `ready` only.
// `load.py` has the same verbs for ARQ.
'use strict';

const { once } = require('node:events');
const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');

const [kind, port, verb, ...numbers] = process.argv.slice(2);
const client = require(`./${kind}.cjs`);

// Submits from `callers` loops until the time is over and every request is answered; returns the milliseconds of each.
async function submitFor(connection, callers, seconds) {
    const times = [];
    const end = performance.now() + seconds * 1000;
    const call = async (caller) => {
        for (let begun; (begun = performance.now()) < end;) {
            await connection.submit(caller, `hello ${times.length}`);
            times.push(performance.now() - begun);
        }
    };
    await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
    return times;
}

async function drained(connection) {
    while (!(await connection.isEmpty())) await sleep(10);
}

async function load(callers, seconds, warmUp) {
    const connection = await client.connect(port, callers);
    const end = verb === 'finish' ? () => drained(connection) : () => {};
    await submitFor(connection, callers, warmUp);
    await end();
    await go();
    const [begun, cpu] = [performance.now(), process.cpuUsage()];
    const times = await submitFor(connection, callers, seconds);
    await end();
    report(times, performance.now() - begun, cpu);
}

async function idle(count) {
    const connection = await client.connect(port, 1);
    for (let number = 0; number < count / 10; number++) await connection.runOne();
    await go();
    const [times, start, cpu] = [[], performance.now(), process.cpuUsage()];
    for (let number = 0; number < count; number++) {
        await sleep(1);
        const begun = performance.now();
        await connection.runOne();
        times.push(performance.now() - begun);
    }
    report(times, performance.now() - start, cpu);
}

async function go() {
    console.log('ready');
    await once(process.stdin, 'data');
}

function report(times, elapsed, cpuAtStart) {
    const { user, system } = process.cpuUsage(cpuAtStart);
    times.sort((left, right) => left - right);
    const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
    const figures = { answered: times.length, seconds: elapsed / 1000, cpu_us: user + system };
    console.log(JSON.stringify({ ...figures, p50_ms: at(0.5), p99_ms: at(0.99) }));
}

async function work(callers) {
    await client.work(port, callers);
    console.log('ready');
}

const verbs = { accept: load, finish: load, idle, work };
verbs[verb](...numbers.map(Number)).catch((error) => {
    console.error(error);
    process.exit(1);
});
