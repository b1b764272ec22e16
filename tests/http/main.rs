//! The API, tried over HTTP: requests, bodies, refusals, lists, tokens, settings and metrics.

mod audit;
mod auth;
mod bodies;
mod confined;
mod cors;
mod doctor;
mod document;
mod errors;
mod guard;
mod heavy;
mod large;
mod lists;
mod metrics;
mod overview;
mod plans;
mod protocol;
mod quota;
mod reload;
mod search;
mod secure;
mod stats;
mod tasks;
mod web;
