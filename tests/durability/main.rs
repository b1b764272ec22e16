//! What the service keeps: through crashes, full disks, other programs, clock steps, dumps and stops.

mod clock;
mod corrupt_rows;
mod crash;
mod disk;
mod dumps;
mod lost_attempts;
mod power;
mod replaced_database;
mod retention;
mod sql;
mod start;
mod stop;
