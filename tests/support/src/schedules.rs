//! Schedules: how tests add them, and how far they have come.

use serde_json::Value;

use crate::service::{Service, Setup};
use crate::wait::eventually;

impl Setup {
    /// Adds a schedule; `settings` are the lines of its table.
    pub fn schedule(self, name: &str, settings: &str) -> Self {
        self.table(&format!(
            "[schedules.{name}]\ncontent = \"by the clock\"\n{settings}\n"
        ))
    }
}

impl Service {
    /// The schedule of this name, as it is listed.
    pub async fn schedule(&self, name: &str) -> Value {
        let list = self.get("/api/v1/schedules").await.expect(200);
        let list = list.as_array().expect("a list").clone();
        let found = list.into_iter().find(|schedule| schedule["name"] == name);
        found.expect("the schedule is listed")
    }

    /// The due times of all tasks of schedules, in the order of their arrival.
    pub async fn due_times(&self) -> Vec<String> {
        let times = "SELECT context_history ->> '$.request.due' FROM tasks ORDER BY seq";
        self.database().await.texts(times).await
    }

    /// Waits until this many due times have their tasks; all of them.
    pub async fn due_times_when(&self, count: usize) -> Vec<String> {
        eventually("schedules are due", || async {
            let times = self.due_times().await;
            (times.len() >= count).then_some(times)
        })
        .await
    }

    /// Waits until the schedule has come further than to `mark`; how far.
    pub async fn passed(&self, name: &str, mark: &Value) -> Value {
        eventually("a schedule goes on", || async {
            let last_due = &self.schedule(name).await["last_due"];
            (!last_due.is_null() && last_due != mark).then(|| last_due.clone())
        })
        .await
    }
}
