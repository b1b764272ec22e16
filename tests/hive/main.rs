//! Tasks that go through Redis: the service as a client of ARQ, `venom hive worker`, and traces across both.

mod away;
mod claims;
mod clients;
mod control;
mod ends;
mod fleet;
mod forgotten;
mod hang;
mod hostile;
mod limits;
mod login;
mod lost;
mod orders;
mod outcomes;
mod parts;
mod quiet;
mod refused;
mod rights;
mod sending;
mod traces;
mod worker;
