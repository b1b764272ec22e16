//! The API, tried over HTTP: requests, bodies, refusals, lists, tokens, settings and metrics.

mod audit;
mod auth;
mod bodies;
mod cors;
mod doctor;
mod document;
mod errors;
mod host_check;
mod large;
mod lists;
mod metrics;
mod overview;
mod protocol;
mod query_plans;
mod rate_limit;
mod reload;
mod restricted_tokens;
mod search;
mod slow_queries;
mod stats;
mod tasks;
mod tls;
mod web;
