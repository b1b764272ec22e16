//! The state of `venom top`: what is shown, and what each key does. Needs no terminal and no service.

use std::collections::VecDeque;

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::Value;

use super::poll::{DashboardUpdate, PollerCommand, Snapshot, TaskDetail, View};
use crate::models::TaskStatus;

/// The most events that are kept; no terminal shows more.
const EVENTS: usize = 200;
/// Tasks that PageUp and PageDown skip.
const PAGE: usize = 10;
/// The lists, in the order of Tab.
const VIEWS: [TaskStatus; 4] = [
    TaskStatus::Processing,
    TaskStatus::Pending,
    TaskStatus::Failed,
    TaskStatus::Completed,
];

/// What the loop has to do after a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyAction {
    Nothing,
    Quit,
    Send(PollerCommand),
}

/// What is on the screen, which decides what keys do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Tasks,
    /// One task in detail, scrolled to the line `from`.
    Task {
        from: usize,
    },
    Help,
    /// A command that waits for confirmation, and the question.
    Confirm(PollerCommand, &'static str),
    /// The search text while it is typed.
    Search(String),
}

/// Everything that `venom top` shows.
#[derive(Default)]
pub(crate) struct Dashboard {
    pub(crate) snapshot: Snapshot,
    /// Why the service did not answer; the snapshot is older then.
    pub(crate) error: Option<String>,
    /// The answer to the last command.
    pub(crate) answer: Option<String>,
    /// Oldest first.
    pub(crate) events: VecDeque<String>,
    pub(crate) mode: Mode,
    pub(crate) view: View,
    /// The index of the selected task in the list.
    pub(crate) selected: usize,
}

impl Dashboard {
    /// Applies an update from the poller or the event feed.
    pub(crate) fn update(&mut self, update: DashboardUpdate) {
        match update {
            DashboardUpdate::Fetched(snapshot) => {
                self.error = None;
                // A snapshot of a view that was left is dropped.
                if snapshot.view == self.view {
                    let before = self.selected_id();
                    self.snapshot = *snapshot;
                    self.keep_selection(before.as_deref());
                }
            }
            DashboardUpdate::Unreachable(reason) => self.error = Some(reason),
            DashboardUpdate::Answered(message) => self.answer = Some(message),
            DashboardUpdate::Event(line) => {
                self.events.push_back(line);
                if self.events.len() > EVENTS {
                    self.events.pop_front();
                }
            }
        }
    }

    /// Returns true if the queue is paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.snapshot.status["paused"] == true
    }

    /// Returns the task in detail, once it was fetched.
    pub(crate) fn detail(&self) -> Option<&TaskDetail> {
        self.snapshot.task.as_ref()
    }

    /// Handles a key. Other input, such as a change of size, only redraws the screen.
    pub(crate) fn input(&mut self, input: &Event) -> KeyAction {
        match input {
            Event::Key(key) if key.kind == KeyEventKind::Press => self.key(key),
            _ => KeyAction::Nothing,
        }
    }

    fn key(&mut self, key: &KeyEvent) -> KeyAction {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => KeyAction::Quit,
                _ => KeyAction::Nothing,
            };
        }
        self.answer = None;
        match std::mem::take(&mut self.mode) {
            Mode::Tasks => self.key_at_tasks(key.code),
            Mode::Task { from } => self.key_at_task(key.code, from),
            Mode::Help => KeyAction::Nothing,
            Mode::Confirm(command, _) => match key.code {
                KeyCode::Char('y' | 'Y') => KeyAction::Send(command),
                _ => KeyAction::Nothing,
            },
            Mode::Search(words) => self.key_at_search(key.code, words),
        }
    }

    fn key_at_tasks(&mut self, code: KeyCode) -> KeyAction {
        let last = self.snapshot.tasks.len().saturating_sub(1);
        match code {
            KeyCode::Char('q') => return KeyAction::Quit,
            KeyCode::Esc if self.view.search.is_empty() => return KeyAction::Quit,
            KeyCode::Esc => return self.search(String::new()),
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(last),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(PAGE),
            KeyCode::PageDown => self.selected = (self.selected + PAGE).min(last),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = last,
            KeyCode::Tab => return self.switch_view(1),
            KeyCode::BackTab => return self.switch_view(VIEWS.len() - 1),
            KeyCode::Enter => return self.show_selected(),
            KeyCode::Char('/') => self.mode = Mode::Search(self.view.search.clone()),
            KeyCode::Char('p') => self.mode = self.pause_or_resume(),
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            _ => {}
        }
        KeyAction::Nothing
    }

    fn key_at_task(&mut self, code: KeyCode, from: usize) -> KeyAction {
        let from = match code {
            KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => from + 1,
            KeyCode::PageUp => from.saturating_sub(PAGE),
            KeyCode::PageDown => from + PAGE,
            KeyCode::Home => 0,
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => {
                self.view.task = None;
                return self.show();
            }
            _ => from,
        };
        self.mode = Mode::Task { from };
        KeyAction::Nothing
    }

    fn key_at_search(&mut self, code: KeyCode, mut words: String) -> KeyAction {
        match code {
            KeyCode::Enter => return self.search(words),
            KeyCode::Esc => return KeyAction::Nothing,
            KeyCode::Backspace => drop(words.pop()),
            KeyCode::Char(letter) => words.push(letter),
            _ => {}
        }
        self.mode = Mode::Search(words);
        KeyAction::Nothing
    }

    fn pause_or_resume(&self) -> Mode {
        match self.is_paused() {
            true => Mode::Confirm(PollerCommand::Resume, "Resume the queue?"),
            false => Mode::Confirm(PollerCommand::Pause, "Pause the queue?"),
        }
    }

    fn switch_view(&mut self, by: usize) -> KeyAction {
        let at = VIEWS.iter().position(|view| *view == self.view.status);
        self.view.status = VIEWS[(at.unwrap_or(0) + by) % VIEWS.len()];
        self.selected = 0;
        self.show()
    }

    fn search(&mut self, words: String) -> KeyAction {
        self.view.search = words.trim().to_owned();
        self.selected = 0;
        self.show()
    }

    fn show_selected(&mut self) -> KeyAction {
        let Some(id) = self.selected_id() else {
            return KeyAction::Nothing;
        };
        self.snapshot.task = None;
        self.view.task = Some(id);
        self.mode = Mode::Task { from: 0 };
        self.show()
    }

    fn show(&self) -> KeyAction {
        KeyAction::Send(PollerCommand::Show(self.view.clone()))
    }

    /// Returns the id of the selected task; `None` while the list of another status is still shown.
    fn selected_id(&self) -> Option<String> {
        let is_listed = self.snapshot.view.status == self.view.status;
        let task = self
            .snapshot
            .tasks
            .get(self.selected)
            .filter(|_| is_listed)?;
        task["id"].as_str().map(str::to_owned)
    }

    /// Keeps the same task selected after the list has changed. If the task is gone, its neighbour is selected.
    fn keep_selection(&mut self, before: Option<&str>) {
        let has_id = |task: &Value| task["id"].as_str() == before;
        let place = self.snapshot.tasks.iter().position(has_id);
        let last = self.snapshot.tasks.len().saturating_sub(1);
        self.selected = place.unwrap_or(self.selected).min(last);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(ids: &[&str], view: &View) -> DashboardUpdate {
        DashboardUpdate::Fetched(Box::new(Snapshot {
            tasks: ids.iter().map(|id| json!({ "id": id })).collect(),
            view: view.clone(),
            ..Snapshot::default()
        }))
    }

    fn press(dashboard: &mut Dashboard, code: KeyCode) -> KeyAction {
        dashboard.input(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn the_selected_task_stays_selected() {
        let mut dashboard = Dashboard::default();
        let view = dashboard.view.clone();
        dashboard.update(seen(&["a", "b", "c"], &view));
        press(&mut dashboard, KeyCode::Down);
        dashboard.update(seen(&["new", "a", "b"], &view));
        assert_eq!(dashboard.selected, 2);
        dashboard.update(seen(&["a"], &view));
        assert_eq!(dashboard.selected, 0);
        dashboard.update(seen(&[], &view));
        assert_eq!(press(&mut dashboard, KeyCode::Enter), KeyAction::Nothing);
    }

    #[test]
    fn enter_looks_at_a_task_and_escape_goes_back() {
        let mut dashboard = Dashboard::default();
        let view = dashboard.view.clone();
        dashboard.update(seen(&["a", "b"], &view));
        press(&mut dashboard, KeyCode::End);
        let detailed = View {
            task: Some("b".to_owned()),
            ..view.clone()
        };
        let expected = KeyAction::Send(PollerCommand::Show(detailed.clone()));
        assert_eq!(press(&mut dashboard, KeyCode::Enter), expected);
        // A snapshot that was fetched before.
        dashboard.update(seen(&["other"], &view));
        assert_eq!(dashboard.snapshot.tasks.len(), 2);
        press(&mut dashboard, KeyCode::PageDown);
        assert_eq!(dashboard.mode, Mode::Task { from: PAGE });
        let expected = KeyAction::Send(PollerCommand::Show(view));
        assert_eq!(press(&mut dashboard, KeyCode::Esc), expected);
        assert_eq!(dashboard.mode, Mode::Tasks);
        assert_eq!(press(&mut dashboard, KeyCode::Esc), KeyAction::Quit);
    }

    #[test]
    fn a_pause_is_asked_about_first() {
        let mut dashboard = Dashboard::default();
        press(&mut dashboard, KeyCode::Char('p'));
        assert_eq!(
            press(&mut dashboard, KeyCode::Char('n')),
            KeyAction::Nothing
        );
        press(&mut dashboard, KeyCode::Char('p'));
        let pause = KeyAction::Send(PollerCommand::Pause);
        assert_eq!(press(&mut dashboard, KeyCode::Char('y')), pause);
        dashboard.snapshot.status = json!({"paused": true});
        press(&mut dashboard, KeyCode::Char('p'));
        let resume = KeyAction::Send(PollerCommand::Resume);
        assert_eq!(press(&mut dashboard, KeyCode::Char('y')), resume);
    }

    #[test]
    fn words_are_typed_and_taken_back() {
        let mut dashboard = Dashboard::default();
        for letter in "/qux".chars() {
            press(&mut dashboard, KeyCode::Char(letter));
        }
        press(&mut dashboard, KeyCode::Backspace);
        press(&mut dashboard, KeyCode::Enter);
        assert_eq!(dashboard.view.search, "qu");
        assert_eq!(dashboard.mode, Mode::Tasks);
        press(&mut dashboard, KeyCode::Esc);
        assert_eq!(dashboard.view.search, "");
    }

    #[test]
    fn tab_goes_round() {
        let mut dashboard = Dashboard::default();
        for view in [&VIEWS[1..], &VIEWS[..1]].concat() {
            press(&mut dashboard, KeyCode::Tab);
            assert_eq!(dashboard.view.status, view);
        }
        press(&mut dashboard, KeyCode::BackTab);
        assert_eq!(dashboard.view.status, TaskStatus::Completed);
    }

    #[test]
    fn control_c_ends_it_everywhere() {
        let mut dashboard = Dashboard::default();
        press(&mut dashboard, KeyCode::Char('/'));
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(dashboard.input(&Event::Key(key)), KeyAction::Quit);
    }
}
