// BullMQ by its own client, which shares one connection between all callers and pipelines their commands.
'use strict';

const { Queue, QueueEvents, Worker } = require('bullmq');

const NAME = 'bench';
const host = '127.0.0.1';

exports.connect = async (port) => {
    const connection = { host, port: Number(port) };
    const queue = new Queue(NAME, { connection });
    await queue.waitUntilReady();
    const submit = (_, content) => queue.add('noop', { content });
    // Only those who wait for results listen to the queue's events.
    let events;
    return {
        submit,
        runOne: async () => {
            events ??= new QueueEvents(NAME, { connection });
            await events.waitUntilReady();
            const job = await submit(0, 'hello');
            await job.waitUntilFinished(events);
        },
        isEmpty: async () => {
            const { wait, active, prioritized } = await queue.getJobCounts('wait', 'active', 'prioritized');
            return wait + active + prioritized === 0;
        },
    };
};

exports.work = async (port, callers) => {
    const connection = { host, port: Number(port) };
    const noop = async (job) => `Processed: ${job.data.content}`;
    const worker = new Worker(NAME, noop, { connection, concurrency: callers });
    await worker.waitUntilReady();
};
