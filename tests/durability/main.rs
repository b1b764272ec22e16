//! What the service keeps: through crashes, full disks, other programs, clock steps, dumps and stops.

mod clock;
mod crash;
mod disk;
mod dumps;
mod lost;
mod replaced;
mod retention;
mod spoiled;
mod sql;
mod start;
mod stop;
