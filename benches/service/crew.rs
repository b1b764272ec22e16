//! The load generator: a crew of connections that each submit, wait for the answer, and repeat.
//!
//! A closed loop: `n` connections means `n` requests under way, never more. Each connection is
//! one tokio task.

use std::time::{Duration, Instant};

use hyper::Uri;
use tokio::task::JoinSet;

use crate::Result;
use crate::client::{Asking, Client, Driver, Target};
use crate::figures::percentile;
use crate::rounds::Latency;

pub struct Crew {
    workers: Vec<Worker>,
    uri: Uri,
    ask: Ask,
}

/// What the submission of this worker and number has besides its content.
pub type Ask = fn(usize, u64) -> Asking;

struct Worker {
    number: usize,
    /// Tasks submitted so far.
    submitted: u64,
    client: Client,
    driver: Driver,
}

/// What one spell of load came to.
pub struct Tally {
    pub answered: u64,
    /// From the first request written to the last answer read.
    pub elapsed: Duration,
    /// Of each request until its answer was read.
    times_ms: Vec<f64>,
}

impl Tally {
    pub fn rate(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    pub fn latency(&self) -> Latency {
        Latency {
            p50_ms: self.time_ms(0.5),
            p99_ms: self.time_ms(0.99),
        }
    }

    /// The longest that a request took.
    pub fn worst_ms(&self) -> f64 {
        self.time_ms(1.0)
    }

    fn time_ms(&self, share: f64) -> f64 {
        percentile(self.times_ms.iter().copied(), share)
    }
}

impl Crew {
    pub async fn connect(target: Target, connections: usize) -> Result<Self> {
        let mut workers = Vec::with_capacity(connections);
        for number in 0..connections {
            let (client, driver) = Client::connect(target.address).await?;
            workers.push(Worker {
                number,
                submitted: 0,
                client,
                driver,
            });
        }
        Ok(Self {
            ask: |_, _| Asking::default(),
            workers,
            uri: target.path.parse()?,
        })
    }

    /// From now on, submissions ask for this.
    pub fn asking(mut self, ask: Ask) -> Self {
        self.ask = ask;
        self
    }

    /// Submits until `duration` is over and every request under way is answered. The first
    /// answer that is neither 201 nor 200 ends it with an error.
    pub async fn submit_for(&mut self, duration: Duration) -> Result<Tally> {
        let mut running = JoinSet::new();
        let start = Instant::now();
        for worker in self.workers.drain(..) {
            running.spawn(worker.submit_until(start + duration, self.uri.clone(), self.ask));
        }
        let mut times_ms = Vec::new();
        while let Some(outcome) = running.join_next().await {
            let (worker, times) = outcome??;
            self.workers.push(worker);
            times_ms.extend(times);
        }
        Ok(Tally {
            answered: times_ms.len() as u64,
            elapsed: start.elapsed(),
            times_ms,
        })
    }
}

impl Worker {
    /// Returns the milliseconds of each request.
    async fn submit_until(mut self, end: Instant, uri: Uri, ask: Ask) -> Result<(Self, Vec<f64>)> {
        let Self {
            number,
            submitted,
            client,
            driver,
        } = &mut self;
        let mut times_ms = Vec::new();
        let mut begun = Instant::now();
        while begun < end {
            let content = format!("hello {}", times_ms.len());
            // In this order, so that a request is written in the same poll that made it.
            tokio::select! {
                biased;
                answer = client.submit_asking(uri.clone(), &content, ask(*number, *submitted)) => {
                    drop(answer?);
                }
                outcome = &mut *driver => {
                    outcome?;
                    return Err("the server closed a connection under load".into());
                }
            }
            let answered = Instant::now();
            times_ms.push((answered - begun).as_secs_f64() * 1000.0);
            begun = answered;
            *submitted += 1;
        }
        Ok((self, times_ms))
    }
}
