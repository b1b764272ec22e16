//! The load generator: a crew of connections that each submit, wait for the answer, and repeat.
//!
//! A closed loop: `n` connections means `n` requests under way, never more. Each connection is
//! one tokio task.

use std::time::{Duration, Instant};

use hyper::Uri;
use tokio::task::JoinSet;

use crate::Result;
use crate::client::{Asking, Client, Driver, Target};

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
#[derive(Clone, Copy)]
pub struct Tally {
    pub answered: u64,
    /// From the first request written to the last answer read.
    pub elapsed: Duration,
}

impl Tally {
    pub fn rate(self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
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
    /// answer that is not 201 ends it with an error.
    pub async fn submit_for(&mut self, duration: Duration) -> Result<Tally> {
        let mut running = JoinSet::new();
        let start = Instant::now();
        for worker in self.workers.drain(..) {
            running.spawn(worker.submit_until(start + duration, self.uri.clone(), self.ask));
        }
        let mut answered = 0;
        while let Some(outcome) = running.join_next().await {
            let (worker, count) = outcome??;
            self.workers.push(worker);
            answered += count;
        }
        Ok(Tally {
            answered,
            elapsed: start.elapsed(),
        })
    }
}

impl Worker {
    async fn submit_until(mut self, end: Instant, uri: Uri, ask: Ask) -> Result<(Self, u64)> {
        let Self {
            number,
            submitted,
            client,
            driver,
        } = &mut self;
        let mut answered = 0;
        while Instant::now() < end {
            let content = format!("hello {answered}");
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
            answered += 1;
            *submitted += 1;
        }
        Ok((self, answered))
    }
}
