//! Tasks that go through Redis: the service as a client of ARQ, `venom hive worker`, and traces across both.

mod building_blocks;
mod cancellations;
mod claims;
mod clients;
mod commands;
mod control;
mod hostile;
mod limits;
mod lost;
mod lost_redis_data;
mod many_nodes;
mod outcomes;
mod read_only_redis;
mod redis_acl;
mod redis_login;
mod sending;
mod silent_redis;
mod traces;
mod unkept_results;
mod unreachable;
mod worker;
