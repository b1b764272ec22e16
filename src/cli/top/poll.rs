//! Asks the service, again and again and at once after an order, and brings what it answers.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cli::args::task_filter::with_query;
use crate::cli::client::http::Client;
use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::service::status;
use crate::models::TaskStatus;

/// A service that takes longer to answer is said to be away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tasks that are asked for; nobody scrolls further.
const TASKS: usize = 200;

/// What the board hears.
#[derive(Debug)]
pub(crate) enum News {
    Seen(Box<Seen>),
    /// Why there is no answer.
    Away(String),
    /// What became of an order.
    Done(String),
    /// An event, as a line.
    Event(String),
}

/// What the board wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Pause,
    Resume,
    Want(Wanted),
}

/// What is to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The tasks that are listed.
    pub(crate) status: TaskStatus,
    /// Words that they have.
    pub(crate) words: String,
    /// The task that is looked at.
    pub(crate) task: Option<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            status: TaskStatus::Processing,
            words: String::new(),
            task: None,
        }
    }
}

/// Everything that was seen at one moment.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) url: String,
    /// As `venom status --json` has it.
    pub(crate) status: Value,
    pub(crate) processors: Vec<Value>,
    /// The chart of the last five minutes; null where the token may not see it.
    pub(crate) chart: Value,
    /// What these tasks are.
    pub(crate) wanted: Wanted,
    pub(crate) tasks: Vec<Value>,
    pub(crate) task: Option<Look>,
}

/// One task from near.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) task: Value,
    /// Why it does not run, or how it stands.
    pub(crate) why: String,
}

/// Asks in the name of the board.
pub(crate) struct Asker {
    client: Client,
    target: Target,
    orders: Receiver<Order>,
    news: Sender<News>,
    wanted: Wanted,
}

impl Asker {
    pub(crate) fn new(
        client: Client,
        target: Target,
        orders: Receiver<Order>,
        news: Sender<News>,
    ) -> Self {
        Self {
            client,
            target,
            orders,
            news,
            wanted: Wanted::default(),
        }
    }

    /// Asks as long as there is a board.
    pub(crate) async fn run(mut self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                _ = ticks.tick() => {}
            }
            let seen = timeout(PATIENCE, look(&self.client, &self.wanted)).await;
            let news = match seen {
                Ok(Ok(seen)) => News::Seen(Box::new(seen)),
                Ok(Err(error)) => News::Away(error.to_string()),
                Err(_) => News::Away(format!("{} does not answer", self.client.url())),
            };
            if matches!(news, News::Away(_)) {
                // It may come back under another address.
                self.client = self.target.client_again(self.client);
            }
            if self.news.send(news).await.is_err() {
                return;
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        let path = match order {
            Order::Want(wanted) => {
                self.wanted = wanted;
                return;
            }
            Order::Pause => "/api/v1/queue/pause",
            Order::Resume => "/api/v1/queue/resume",
        };
        let words = match self.client.post(path, None).await {
            Ok(answer) => match self.client.message(&answer) {
                Ok(message) => message.to_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        // Without a board there is nobody to tell.
        let _ = self.news.send(News::Done(words)).await;
    }
}

async fn look(client: &Client, wanted: &Wanted) -> Result<Seen, Error> {
    let mut parameters = vec![
        ("status", wanted.status.as_str().to_owned()),
        ("limit", TASKS.to_string()),
        ("logs", "false".to_owned()),
    ];
    if !wanted.words.is_empty() {
        parameters.push(("q", wanted.words.clone()));
    }
    let tasks = with_query("/api/v1/tasks", &parameters);
    let task = match &wanted.task {
        // It may be deleted by now, which is no reason to see nothing else.
        Some(id) => Some(look_at(client, id).await.unwrap_or_else(|error| Look {
            task: Value::Null,
            why: error.to_string(),
        })),
        None => None,
    };
    Ok(Seen {
        url: client.url().to_owned(),
        status: status::whole(client).await?,
        processors: list(client, "/api/v1/processors").await?,
        chart: client.get("/api/v1/stats").await.unwrap_or_default(),
        tasks: list(client, &tasks).await?,
        wanted: wanted.clone(),
        task,
    })
}

async fn look_at(client: &Client, id: &str) -> Result<Look, Error> {
    let path = format!("/api/v1/tasks/{id}");
    let task = client.get_object(&path).await?;
    let explained = client.get_object(&format!("{path}/explain")).await?;
    let why = explained["message"].as_str().unwrap_or_default().to_owned();
    Ok(Look { task, why })
}

async fn list(client: &Client, path: &str) -> Result<Vec<Value>, Error> {
    match client.get(path).await? {
        Value::Array(list) => Ok(list),
        _ => Err(client.not_a_service()),
    }
}
