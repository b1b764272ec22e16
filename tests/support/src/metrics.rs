//! `GET /metrics`, and the values in it.

use crate::service::Service;

impl Service {
    pub async fn metrics(&self) -> String {
        let answer = self.get("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().to_owned()
    }

    /// The value of this series, labels included.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        value_of(&self.metrics().await, series)
    }

    /// How long the tasks of this processor had been due when they started, all together.
    pub async fn waited(&self, processor: &str) -> f64 {
        let sum = format!("venom_task_wait_seconds_sum{{processor=\"{processor}\"}}");
        self.metric(&sum).await.expect("a processor")
    }
}

/// The value of a series in this text, if it is there.
pub fn value_of(text: &str, series: &str) -> Option<f64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map(|value| value.parse().expect("a number"))
}
