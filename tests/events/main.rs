//! Events over WebSocket and SSE, and the connections that carry them.

mod connections;
mod events;
mod frames;
mod listeners;
mod replay;
mod stream;
