//! `/api/v1/hive/…`: status and nodes of the Hive (task sharing by Redis), and commands to all nodes.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::context::{Api, Shared};
use crate::api::error::{ApiError, Refusal};
use crate::api::input::body::SmallJsonBody;
use crate::api::input::body_schema::{RequestBody, body, optional, required};
use crate::api::input::kinds::{AnyObject, Text};
use crate::api::input::query::{NoParameters, Query};
use crate::hive::cluster::command::{ClusterCommand, InvalidCommand};
use crate::hive::cluster::node_list::ListedNode;
use crate::hive::{Error, Handle, Status};
use crate::models::Timestamp;

/// The parameter `hive` of a call: whether the command goes to all nodes.
pub(crate) struct WholeHive(bool);

impl<S: Send + Sync> FromRequestParts<S> for WholeHive {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = Query::parse(parts.uri.query(), &["hive"])?;
        let given = query.get("hive", "bool_parsing", "true or false")?;
        Ok(Self(given.unwrap_or(false)))
    }
}

impl WholeHive {
    /// Returns whether the command goes to all nodes.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0
    }

    /// Broadcasts the command to the other nodes if the caller asked for that. Returns the number of receivers. `data` is a
    /// JSON object.
    pub(crate) async fn pass_on(
        &self,
        api: &Api,
        command: &str,
        data: Value,
    ) -> Result<Option<u64>, ApiError> {
        if !self.0 {
            return Ok(None);
        }
        let sent = match handle(api) {
            Ok(hive) => hive.pass_on(command, data).await.map_err(ApiError::from),
            Err(off) => Err(off),
        };
        sent.map(Some).map_err(only_here)
    }
}

/// Adds to an error that this service has carried out the command, and the others did not receive it.
fn only_here(error: ApiError) -> ApiError {
    let only = |why: String| {
        format!("Only this service carried out the command; the other nodes did not get it: {why}")
    };
    match error {
        ApiError::Status(status, why) => ApiError::Status(status, only(why)),
        ApiError::Unavailable(why) => ApiError::Unavailable(only(why)),
        other => other,
    }
}

body! {
    /// A command to all nodes of the Hive.
    pub(crate) struct BroadcastBody as "BroadcastRequest" {
        /// `pause`, `resume`, `emergency_stop` or `status`, in small or capital letters.
        command: String = required(Text),
        /// For `pause`: `processor`, `until` and `reason`; for `resume`: `processor`.
        data: Option<Value> = optional(AnyObject),
    }
    example: { "command": "resume", "data": {} }
}

/// The answer to a broadcast.
#[derive(Serialize, ToSchema)]
pub(crate) struct BroadcastDone {
    /// Always true.
    success: bool,
    /// Nodes that received the command.
    receivers: u64,
    message: String,
}

/// Status of the Hive: its connection, queues and jobs.
#[utoipa::path(
    get, path = "/api/v1/hive/status", tag = "Hive", operation_id = "get_hive_status",
    responses(
        (status = 200, description = "The connection, queues and jobs", body = Status),
        (status = 409, description = "The Hive is off", body = Refusal),
    ),
)]
pub(crate) async fn status(State(api): Shared, _: NoParameters) -> Result<Json<Status>, ApiError> {
    Ok(Json(handle(&api)?.status().await?))
}

/// List the nodes of the Hive.
#[utoipa::path(
    get, path = "/api/v1/hive/nodes", tag = "Hive", operation_id = "list_hive_nodes",
    responses(
        (status = 200, description = "The nodes", body = Vec<ListedNode>),
        (status = 409, description = "The Hive is off", body = Refusal),
    ),
)]
pub(crate) async fn nodes(
    State(api): Shared,
    _: NoParameters,
) -> Result<Json<Vec<ListedNode>>, ApiError> {
    Ok(Json(handle(&api)?.nodes().await?))
}

/// Send a command to all nodes of the Hive.
///
/// This service receives it like every node, and may not have carried it out yet when this call answers.
#[utoipa::path(
    post, path = "/api/v1/hive/broadcast", tag = "Hive", operation_id = "broadcast",
    request_body = BroadcastBody,
    responses(
        (status = 200, description = "The command was sent", body = BroadcastDone),
        (status = 409, description = "The Hive is off", body = Refusal),
    ),
)]
pub(crate) async fn broadcast(
    State(api): Shared,
    _: NoParameters,
    SmallJsonBody(body): SmallJsonBody,
) -> Result<Json<BroadcastDone>, ApiError> {
    let (command, data) = read(&body)?;
    let receivers = handle(&api)?.broadcast(&command, &data).await?;
    let message = match receivers {
        1 => "Sent to the Hive; one node received it: this service.".to_owned(),
        receivers => format!("Sent to the Hive; {receivers} nodes received it."),
    };
    Ok(Json(BroadcastDone {
        success: true,
        receivers,
        message,
    }))
}

/// Reads the command and its data. Refuses commands that some nodes do not understand.
fn read(body: &[u8]) -> Result<(String, Value), ApiError> {
    let body = BroadcastBody::read(body, |body, fields| {
        let (command, data) = (&body.command, body.data.get_or_insert_with(|| json!({})));
        let read = ClusterCommand::read(command, data);
        let is_over = matches!(&read, Ok(ClusterCommand::Pause(pause))
            if pause.until.is_some_and(|until| until <= Timestamp::now()));
        match read {
            Err(InvalidCommand::Unknown(_)) if !command.is_empty() => {
                let msg = format!(
                    "Input should be one of {}",
                    crate::hive::cluster::command::KNOWN
                );
                fields.refuse("command", "enum", &msg, json!(command));
            }
            Err(InvalidCommand::Data(why)) => {
                let msg = format!("Input should be the command's data: {why}");
                fields.refuse("data", "value_error", &msg, data.clone());
            }
            _ if is_over => {
                let msg = "`until` should be a time in the future";
                fields.refuse("data", "value_error", msg, data.clone());
            }
            _ => {}
        }
    })?;
    let data = body.data.unwrap_or_else(|| json!({}));
    Ok((body.command.to_ascii_lowercase(), data))
}

fn handle(api: &Api) -> Result<&Handle, ApiError> {
    let off = || {
        let detail = "The Hive is off: set enable_hive.";
        ApiError::Status(StatusCode::CONFLICT, detail.to_owned())
    };
    api.hive.as_ref().ok_or_else(off)
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Away(_) | Error::Denied(_) | Error::Redis(_) => {
                Self::Unavailable(format!("{error}."))
            }
            Error::Large => {
                let detail = "The message is larger than 65536 bytes.".to_owned();
                Self::Status(StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            Error::State(error) => error.into(),
        }
    }
}
