//! `venom pause`: nothing more is started, by the whole queue or by one processor.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::error::Error;
use super::order::Order;
use super::period::period;
use crate::models::Timestamp;

const EXAMPLES: &str = "\
Examples:
  venom pause
  venom pause --for 10m --reason 'the disk is being replaced'
  venom pause --processor summarise --until 2026-12-24T18:00:00Z

Tasks that run go on, new ones are accepted and wait. The pause lasts until its time is over or
`venom resume`, also through restarts of the service.";

/// Start no more tasks until `venom resume`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Pause {
    /// Only tasks of this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    /// Resume by itself at this moment, such as 2026-12-24T18:00:00Z
    #[arg(long, value_name = "MOMENT")]
    until: Option<Timestamp>,
    /// Resume by itself after this time, such as 90, 10m, 2h or 1d
    #[arg(long = "for", value_name = "TIME", value_parser = period, conflicts_with = "until")]
    period: Option<Duration>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    order: Order,
}

/// Gives the order.
pub(super) async fn run(pause: &Pause) -> Result<(), Error> {
    let body = pause.body();
    pause.order.give("/api/v1/queue/pause", body.as_ref()).await
}

impl Pause {
    fn body(&self) -> Option<Value> {
        let end = self.period.map(|period| Timestamp::now().after(period));
        let mut body = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            body.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("processor", self.processor.as_ref().map(|it| json!(it)));
        set("until", self.until.or(end).map(|it| json!(it)));
        set("reason", self.reason.as_ref().map(|it| json!(it)));
        (!body.is_empty()).then_some(Value::Object(body))
    }
}
