//! The ways to run a task: commands, webhooks, models, and workers outside the service.

mod command;
mod llm;
mod output;
mod tls;
mod webhook;
mod worker;
mod worker_ends;
mod worker_leases;
