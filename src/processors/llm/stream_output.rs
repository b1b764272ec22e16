//! Publishes a growing answer, at most ten times a second.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::processors::context::Context;

const INTERVAL: Duration = Duration::from_millis(100);

pub(crate) struct Growth<'a> {
    context: &'a Context,
    untold: String,
    /// The earliest time of the next publication.
    due: Instant,
}

impl<'a> Growth<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            context,
            untold: String::new(),
            due: Instant::now(),
        }
    }

    pub(crate) fn add(&mut self, grown: String) {
        self.untold.push_str(&grown);
    }

    /// Waits for `work`, and meanwhile publishes the text so far whenever that is due.
    pub(crate) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep_until(self.due), if !self.untold.is_empty() => self.publish().await,
            }
        }
    }

    /// Publishes the text so far if that is due.
    pub(crate) async fn publish_if_due(&mut self) {
        if Instant::now() >= self.due {
            self.publish().await;
        }
    }

    /// Publishes the text so far.
    pub(crate) async fn publish(&mut self) {
        if !self.untold.is_empty() {
            let told = std::mem::take(&mut self.untold);
            self.context.output(told).await;
            self.due = Instant::now() + INTERVAL;
        }
    }
}
