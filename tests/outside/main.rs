//! Programs of others against the service: a browser, generated clients, schemathesis, a Python worker.

mod browser;
mod clients;
mod contract;
mod worker_program;
