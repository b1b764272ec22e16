//! The wire format against Python: what ARQ writes is read, what is written is read by ARQ, and hostile bytes are refused.

mod golden;
mod hostile;
mod properties;
mod python;
mod reads;
mod records;
mod writes;
