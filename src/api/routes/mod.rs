//! The calls of the API: one handler each, and the table that gives each handler its permission.

mod doctor;
mod dump;
mod events;
mod health;
mod hive;
mod metrics;
mod openapi;
mod overview;
mod processors;
mod queue;
mod reload;
mod schedules;
mod session;
mod stats;
mod stream;
pub(super) mod table;
mod tasks;
mod web;
mod worker;
