//! The tasks of `GET /api/v1/tasks`, one after the other, as they arrive.
//!
//! The answer may hold millions of tasks, so it is read only as far as tasks are requested, and never kept in memory
//! as a whole. The next page is requested when the tasks of the last one are used up.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use reqwest::Response;
use reqwest::header::{HeaderMap, LINK};
use serde_json::de::{IoRead, Read, SliceRead};
use serde_json::{StreamDeserializer, Value};

use super::http::ServiceClient;
use crate::cli::error::Error;
use crate::models::json::{Plain, spells_private_key};

const PATH: &str = "/api/v1/tasks";

type Chunks = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>>>>;

/// The remaining tasks of a list.
pub(crate) struct TaskPages<'a> {
    client: &'a ServiceClient,
    /// The unread rest of this page.
    chunks: Chunks,
    /// Bytes that arrived and are not parsed yet.
    arrived: BytesMut,
    /// The query of the next page.
    next_page: Option<String>,
}

impl<'a> TaskPages<'a> {
    /// Requests the tasks at `path`.
    pub(crate) async fn open(client: &'a ServiceClient, path: &str) -> Result<Self, Error> {
        let page = client.open(path).await?;
        Ok(Self {
            client,
            next_page: next_page(page.headers()),
            chunks: chunks(page),
            arrived: BytesMut::new(),
        })
    }

    /// Returns the next task; `None` at the end of the last page.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            match next_item(&mut self.arrived) {
                NextItem::Task(task) => return Ok(Some(task)),
                NextItem::End => {
                    let Some(query) = self.next_page.take() else {
                        return Ok(None);
                    };
                    *self = Self::open(self.client, &format!("{PATH}?{query}")).await?;
                }
                NextItem::Unreadable => return Err(self.client.not_a_service()),
                NextItem::Incomplete => match self.chunks.next().await {
                    Some(Ok(chunk)) => self.arrived.extend_from_slice(&chunk),
                    Some(Err(error)) => return Err(self.client.unreachable(&error)),
                    None => return Err(self.client.not_a_service()),
                },
            }
        }
    }
}

fn chunks(page: Response) -> Chunks {
    Box::pin(page.bytes_stream())
}

enum NextItem {
    Task(Value),
    /// The array has ended.
    End,
    /// More bytes are needed.
    Incomplete,
    Unreadable,
}

/// Removes the next item of the array from the arrived bytes, with the bracket or comma before it.
fn next_item(arrived: &mut BytesMut) -> NextItem {
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'[' | b',');
    let between = arrived.iter().take_while(|byte| is_between(byte)).count();
    match arrived.get(between) {
        None => return NextItem::Incomplete,
        Some(b']') => return NextItem::End,
        Some(b'{') => {}
        Some(_) => return NextItem::Unreadable,
    }
    let rest = &arrived[between..];
    let (task, length) = match spells_private_key(rest) {
        true => first_of(IoRead::new(rest)),
        false => first_of(SliceRead::new(rest)),
    };
    match task {
        Some(Ok(Plain(task))) => {
            let _ = arrived.split_to(between + length);
            NextItem::Task(task)
        }
        Some(Err(error)) if !error.is_eof() => NextItem::Unreadable,
        _ => NextItem::Incomplete,
    }
}

/// Returns the first value and its length in bytes.
fn first_of<'de>(read: impl Read<'de>) -> (Option<serde_json::Result<Plain>>, usize) {
    let mut values = StreamDeserializer::new(read);
    let first = values.next();
    (first, values.byte_offset())
}

/// Returns the query of the next page. The host of the link is ignored, because a proxy may stand before the
/// service.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(LINK).into_iter();
    let links = links.filter_map(|link| link.to_str().ok());
    links.flat_map(|links| links.split(',')).find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters
            .split(';')
            .any(|it| matches!(it.trim(), "rel=\"next\"" | "rel=next"));
        let (_, query) = address.split_once('?')?;
        is_next.then(|| query.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the items of an array that arrives in pieces of `size` bytes, and whether it ended well.
    fn items(array: &str, size: usize) -> (Vec<String>, bool) {
        let mut arrived = BytesMut::new();
        let mut pieces = array.as_bytes().chunks(size);
        let mut items = Vec::new();
        loop {
            match next_item(&mut arrived) {
                NextItem::Task(item) => items.push(item.to_string()),
                NextItem::End => return (items, true),
                NextItem::Unreadable => return (items, false),
                NextItem::Incomplete => match pieces.next() {
                    Some(piece) => arrived.extend_from_slice(piece),
                    None => return (items, false),
                },
            }
        }
    }

    #[test]
    fn tasks_are_taken_however_they_arrive() {
        let array = r#"[{"a":"],{"}, {"b":[1,{"c":"é"}]},{}]"#;
        let expected = [r#"{"a":"],{"}"#, r#"{"b":[1,{"c":"é"}]}"#, "{}"].map(str::to_owned);
        for size in 1..=array.len() {
            assert_eq!(items(array, size), (expected.to_vec(), true), "{size}");
        }
        assert_eq!(items("[]", 1), (vec![], true));
    }

    #[test]
    fn what_is_cut_or_no_list_is_no_end() {
        let first = vec!["{}".to_owned()];
        assert_eq!(items("[{},{\"a\"", 3), (first.clone(), false));
        assert_eq!(items("[{},", 3), (first, false));
        assert_eq!(items("<html>", 3), (vec![], false));
    }

    #[test]
    fn the_next_page_is_found_in_its_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(next_page(&headers), None);
        let links =
            "</x?a=1>; rel=\"prev\", <http://h/api/v1/tasks?limit=2&cursor=b>; rel=\"next\"";
        headers.insert(LINK, links.parse().unwrap());
        assert_eq!(next_page(&headers).as_deref(), Some("limit=2&cursor=b"));
    }
}
