//! What a client knows: the tasks whose 201 it has read whole, and the events it has heard.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sqlx::Row;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Database, Service, in_time};

/// Ids whose acknowledgement arrived.
#[derive(Clone, Default)]
pub struct Ledger {
    acknowledged: Arc<Mutex<Vec<String>>>,
}

impl Ledger {
    pub fn ids(&self) -> Vec<String> {
        self.acknowledged.lock().expect("no panic").clone()
    }

    fn add(&self, id: &str) -> usize {
        let mut ids = self.acknowledged.lock().expect("no panic");
        ids.push(id.to_owned());
        ids.len()
    }

    /// Submits from several clients until the service is gone; resolves through `reached` with the
    /// number of acknowledgements.
    pub fn load(&self, service: &Service, clients: usize) -> Load {
        let (count, reached) = watch::channel(self.ids().len());
        let mut submitters = JoinSet::new();
        for client in 0..clients {
            let request = service.request(reqwest::Method::POST, "/api/v1/tasks");
            let (ledger, count) = (self.clone(), count.clone());
            submitters.spawn(async move {
                for number in 0.. {
                    let body = json!({ "content": format!("client {client}, task {number}") });
                    let request = request.try_clone().expect("it has no body yet");
                    let Ok(answer) = request.json(&body).send().await else {
                        return;
                    };
                    if answer.status() != 201 {
                        continue;
                    }
                    let Ok(created) = answer.json::<Value>().await else {
                        return;
                    };
                    let id = created["task_id"].as_str().expect("an id");
                    let known = ledger.add(id);
                    count.send_if_modified(|count| std::mem::replace(count, known) < known);
                }
            });
        }
        Load {
            submitters,
            reached,
        }
    }

    /// Everything acknowledged is there, once.
    pub async fn check(&self, database: &mut Database) {
        let ids = self.ids();
        let mut rows: HashMap<String, u64> = HashMap::new();
        for id in database.texts("SELECT id FROM tasks").await {
            *rows.entry(id).or_default() += 1;
        }
        for id in &ids {
            assert_eq!(rows.get(id), Some(&1), "rows of the acknowledged task {id}");
        }
        let distinct: HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "an id was given twice");
    }
}

/// Clients that submit until the service is gone.
pub struct Load {
    submitters: JoinSet<()>,
    reached: watch::Receiver<usize>,
}

impl Load {
    /// Waits for `count` acknowledgements in all.
    pub async fn reaches(&mut self, count: usize) {
        let reached = self.reached.wait_for(|reached| *reached >= count);
        let reached = in_time("enough tasks are acknowledged", reached).await;
        reached.expect("somebody submits");
    }

    /// Waits until every client has noticed that the service is gone.
    pub async fn ends(mut self) {
        let all = async { while self.submitters.join_next().await.is_some() {} };
        in_time("the clients end", all).await;
    }
}

/// Every event that somebody heard is in the journal, as it was told.
pub async fn check_events(database: &mut Database, heard: &[Value]) {
    let mut journal = HashMap::new();
    for row in database.rows("SELECT id, type, task_id FROM logs").await {
        let (id, kind, task): (i64, String, Option<String>) = (row.get(0), row.get(1), row.get(2));
        journal.insert(id, (kind, task));
    }
    for event in heard.iter().filter(|event| event["type"] != "SYSTEM_LOG") {
        let id = event["id"].as_i64().expect("an id");
        let (kind, task) = journal
            .get(&id)
            .unwrap_or_else(|| panic!("heard, and not in the database: {event}"));
        assert_eq!(&event["type"], kind, "{event}");
        assert_eq!(
            event["data"]["task_id"].as_str(),
            task.as_deref(),
            "{event}"
        );
    }
}

/// The attempts of each task are numbered 1, 2, 3 … in the journal, and the row has the last.
pub async fn check_attempts(database: &mut Database) {
    let started = "SELECT task_id, data ->> 'attempt' FROM logs
                    WHERE type = 'TASK_STARTED' ORDER BY id";
    let mut last: HashMap<String, i64> = HashMap::new();
    for row in database.rows(started).await {
        let (task, attempt): (String, i64) = (row.get(0), row.get(1));
        let before = last.insert(task.clone(), attempt).unwrap_or(0);
        assert_eq!(attempt, before + 1, "an attempt of {task}");
    }
    for row in database.rows("SELECT id, attempt FROM tasks").await {
        let (task, attempt): (String, i64) = (row.get(0), row.get(1));
        assert_eq!(
            attempt,
            last.get(&task).copied().unwrap_or(0),
            "attempts of {task}"
        );
    }
}
