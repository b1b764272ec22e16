//! Records the parts of an answer that are not text: reasoning, tool calls and refusals. Pure.

use serde_json::Value;

/// The number of tool names that a line shows, and of characters of each.
const TOOLS: usize = 8;
const NAME_CHARACTERS: usize = 64;

/// The parts of an answer that are not text.
#[derive(Default)]
pub(crate) struct Unread {
    pub(crate) reasoning_characters: usize,
    pub(crate) tools: Vec<String>,
    pub(crate) has_tools: bool,
    pub(crate) is_refusal: bool,
}

impl Unread {
    /// Records a message, or a part of one.
    pub(crate) fn take(&mut self, message: &Value) {
        let reasoning = ["reasoning_content", "reasoning", "thinking"];
        let texts = reasoning
            .iter()
            .filter_map(|field| message[*field].as_str());
        self.reasoning_characters += texts.map(characters).max().unwrap_or(0);
        for part in message["content"].as_array().into_iter().flatten() {
            match part["type"].as_str() {
                Some("thinking" | "reasoning") => self.reasoning_characters += thought(part),
                Some("refusal") => self.is_refusal = true,
                _ => {}
            }
        }
        self.is_refusal |= message["refusal"]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        let functions = calls.map(|call| &call["function"]);
        for function in functions.chain([&message["function_call"]]) {
            if function.is_object() {
                self.take_tool(function["name"].as_str().unwrap_or_default());
            }
        }
    }

    fn take_tool(&mut self, name: &str) {
        self.has_tools = true;
        let shown: String = name.chars().take(NAME_CHARACTERS).collect();
        let shown = shown.replace(|c: char| c.is_control() || c == '`', " ");
        if !shown.is_empty() && self.tools.len() < TOOLS && !self.tools.contains(&shown) {
            self.tools.push(shown);
        }
    }
}

/// Returns the number of characters of a part that holds reasoning, as a text or as a list of texts.
fn thought(part: &Value) -> usize {
    let list = part["thinking"].as_array().into_iter().flatten();
    let texts = [&part["text"], &part["thinking"]].into_iter();
    let texts = texts.chain(list.map(|item| &item["text"]));
    texts.filter_map(Value::as_str).map(characters).sum()
}

fn characters(text: &str) -> usize {
    text.chars().count()
}
