//! Polls the service for the dashboard: at each interval, and immediately after a command.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cli::args::task_filter::with_query;
use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::service::status;
use crate::models::TaskStatus;

/// A service that takes longer to answer is shown as unreachable.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most tasks that are fetched for the list.
const TASKS: usize = 200;

/// A message to the dashboard.
#[derive(Debug)]
pub(crate) enum DashboardUpdate {
    Fetched(Box<Snapshot>),
    /// Why the service did not answer.
    Unreachable(String),
    /// The answer to a command.
    Answered(String),
    /// An event, formatted as a line.
    Event(String),
}

/// A message to the poller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PollerCommand {
    Pause,
    Resume,
    Show(View),
}

/// What the dashboard shows, and the poller has to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The status of the listed tasks.
    pub(crate) status: TaskStatus,
    /// The search text.
    pub(crate) search: String,
    /// The id of the task that is shown in detail.
    pub(crate) task: Option<String>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            status: TaskStatus::Processing,
            search: String::new(),
            task: None,
        }
    }
}

/// All answers of one poll.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) url: String,
    /// As `venom status --json` has it.
    pub(crate) status: Value,
    pub(crate) processors: Vec<Value>,
    /// The chart of the last five minutes; null if the token may not see it.
    pub(crate) chart: Value,
    /// The view that this was fetched for.
    pub(crate) view: View,
    pub(crate) tasks: Vec<Value>,
    pub(crate) task: Option<TaskDetail>,
}

/// One task in detail.
#[derive(Debug)]
pub(crate) struct TaskDetail {
    pub(crate) task: Value,
    /// The explanation of its state.
    pub(crate) explanation: String,
}

/// Fetches what the dashboard shows, and sends its commands.
pub(crate) struct Poller {
    client: ServiceClient,
    target: ServiceTarget,
    commands: Receiver<PollerCommand>,
    updates: Sender<DashboardUpdate>,
    view: View,
}

impl Poller {
    pub(crate) fn new(
        client: ServiceClient,
        target: ServiceTarget,
        commands: Receiver<PollerCommand>,
        updates: Sender<DashboardUpdate>,
    ) -> Self {
        Self {
            client,
            target,
            commands,
            updates,
            view: View::default(),
        }
    }

    /// Polls until the dashboard is gone.
    pub(crate) async fn run(mut self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.handle_command(command).await,
                    None => return,
                },
                _ = ticks.tick() => {}
            }
            let fetched = timeout(PATIENCE, fetch(&self.client, &self.view)).await;
            let update = match fetched {
                Ok(Ok(snapshot)) => DashboardUpdate::Fetched(Box::new(snapshot)),
                Ok(Err(error)) => DashboardUpdate::Unreachable(error.to_string()),
                Err(_) => {
                    DashboardUpdate::Unreachable(format!("{} did not answer", self.client.url()))
                }
            };
            if matches!(update, DashboardUpdate::Unreachable(_)) {
                // A restarted service may have another address.
                self.client = self.target.client_again(self.client);
            }
            if self.updates.send(update).await.is_err() {
                return;
            }
        }
    }

    async fn handle_command(&mut self, command: PollerCommand) {
        let path = match command {
            PollerCommand::Show(view) => {
                self.view = view;
                return;
            }
            PollerCommand::Pause => "/api/v1/queue/pause",
            PollerCommand::Resume => "/api/v1/queue/resume",
        };
        let message = match self.client.post(path, None).await {
            Ok(answer) => match self.client.message(&answer) {
                Ok(message) => message.to_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        // The dashboard may be gone.
        let _ = self.updates.send(DashboardUpdate::Answered(message)).await;
    }
}

async fn fetch(client: &ServiceClient, view: &View) -> Result<Snapshot, Error> {
    let mut parameters = vec![
        ("status", view.status.as_str().to_owned()),
        ("limit", TASKS.to_string()),
        ("logs", "false".to_owned()),
    ];
    if !view.search.is_empty() {
        parameters.push(("q", view.search.clone()));
    }
    let tasks = with_query("/api/v1/tasks", &parameters);
    let task = match &view.task {
        // A task that was deleted meanwhile must not hide the rest.
        Some(id) => Some(
            fetch_task(client, id)
                .await
                .unwrap_or_else(|error| TaskDetail {
                    task: Value::Null,
                    explanation: error.to_string(),
                }),
        ),
        None => None,
    };
    Ok(Snapshot {
        url: client.url().to_owned(),
        status: status::fetch(client).await?,
        processors: list(client, "/api/v1/processors").await?,
        chart: client.get("/api/v1/stats").await.unwrap_or_default(),
        tasks: list(client, &tasks).await?,
        view: view.clone(),
        task,
    })
}

async fn fetch_task(client: &ServiceClient, id: &str) -> Result<TaskDetail, Error> {
    let path = format!("/api/v1/tasks/{id}");
    let task = client.get_object(&path).await?;
    let explained = client.get_object(&format!("{path}/explain")).await?;
    let explanation = explained["message"].as_str().unwrap_or_default().to_owned();
    Ok(TaskDetail { task, explanation })
}

async fn list(client: &ServiceClient, path: &str) -> Result<Vec<Value>, Error> {
    match client.get(path).await? {
        Value::Array(list) => Ok(list),
        _ => Err(client.not_a_service()),
    }
}
