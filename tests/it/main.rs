//! The service's promises, tried from outside: over HTTP, WebSocket, the database and files.

mod command;
mod connections;
mod crash;
mod disk;
mod dumps;
mod emergency_stop;
mod errors;
mod events;
mod guard;
mod large;
mod ledger;
mod limits;
mod listeners;
mod lost;
mod model;
mod processes;
mod queue;
mod reload;
mod replay;
mod schedules;
mod sql;
mod start;
mod stop;
mod stream;
mod support;
mod tasks;
