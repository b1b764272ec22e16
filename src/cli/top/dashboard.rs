//! What is shown and what a key means: all of `venom top` that needs no terminal and no service.

use std::collections::VecDeque;

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::Value;

use super::poll::{Look, News, Order, Seen, Wanted};
use crate::models::TaskStatus;

/// Events that are kept; no terminal shows more.
const EVENTS: usize = 200;
/// Tasks that PageUp and PageDown go past.
const PAGE: usize = 10;
/// Tab goes from one to the next.
const VIEWS: [TaskStatus; 4] = [
    TaskStatus::Processing,
    TaskStatus::Pending,
    TaskStatus::Failed,
    TaskStatus::Completed,
];

/// What is to be done after a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Nothing,
    End,
    Order(Order),
}

/// What keys mean at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Tasks,
    /// One task from near, from this line of it on.
    Task {
        from: usize,
    },
    Help,
    /// Whether it is meant: an order, and the question.
    Sure(Order, &'static str),
    /// Words to search for are typed.
    Search(String),
}

/// Everything that is shown.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) seen: Seen,
    /// Why there is no answer now; the rest is what was seen before.
    pub(crate) trouble: Option<String>,
    /// What became of the last order.
    pub(crate) done: Option<String>,
    /// Oldest first.
    pub(crate) events: VecDeque<String>,
    pub(crate) mode: Mode,
    pub(crate) wanted: Wanted,
    /// The place of the chosen task in the list.
    pub(crate) chosen: usize,
}

impl Board {
    /// Takes what has come.
    pub(crate) fn take(&mut self, news: News) {
        match news {
            News::Seen(seen) => {
                self.trouble = None;
                // An answer to what is not asked any more comes too late.
                if seen.wanted == self.wanted {
                    let before = self.chosen_id();
                    self.seen = *seen;
                    self.choose_again(before.as_deref());
                }
            }
            News::Away(reason) => self.trouble = Some(reason),
            News::Done(words) => self.done = Some(words),
            News::Event(line) => {
                self.events.push_back(line);
                if self.events.len() > EVENTS {
                    self.events.pop_front();
                }
            }
        }
    }

    /// Whether nothing is started.
    pub(crate) fn is_paused(&self) -> bool {
        self.seen.status["paused"] == true
    }

    /// The task that is looked at, once it was seen.
    pub(crate) fn look(&self) -> Option<&Look> {
        self.seen.task.as_ref()
    }

    /// Takes a key; a change of size only has everything drawn again.
    pub(crate) fn input(&mut self, input: &Event) -> Act {
        match input {
            Event::Key(key) if key.kind == KeyEventKind::Press => self.key(key),
            _ => Act::Nothing,
        }
    }

    fn key(&mut self, key: &KeyEvent) -> Act {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Act::End,
                _ => Act::Nothing,
            };
        }
        self.done = None;
        match std::mem::take(&mut self.mode) {
            Mode::Tasks => self.key_at_tasks(key.code),
            Mode::Task { from } => self.key_at_task(key.code, from),
            Mode::Help => Act::Nothing,
            Mode::Sure(order, _) => match key.code {
                KeyCode::Char('y' | 'Y') => Act::Order(order),
                _ => Act::Nothing,
            },
            Mode::Search(words) => self.key_at_search(key.code, words),
        }
    }

    fn key_at_tasks(&mut self, code: KeyCode) -> Act {
        let last = self.seen.tasks.len().saturating_sub(1);
        match code {
            KeyCode::Char('q') => return Act::End,
            KeyCode::Esc if self.wanted.words.is_empty() => return Act::End,
            KeyCode::Esc => return self.search(String::new()),
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.chosen = (self.chosen + 1).min(last),
            KeyCode::PageUp => self.chosen = self.chosen.saturating_sub(PAGE),
            KeyCode::PageDown => self.chosen = (self.chosen + PAGE).min(last),
            KeyCode::Home => self.chosen = 0,
            KeyCode::End => self.chosen = last,
            KeyCode::Tab => return self.turn(1),
            KeyCode::BackTab => return self.turn(VIEWS.len() - 1),
            KeyCode::Enter => return self.look_at_chosen(),
            KeyCode::Char('/') => self.mode = Mode::Search(self.wanted.words.clone()),
            KeyCode::Char('p') => self.mode = self.pause_or_resume(),
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            _ => {}
        }
        Act::Nothing
    }

    fn key_at_task(&mut self, code: KeyCode, from: usize) -> Act {
        let from = match code {
            KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => from + 1,
            KeyCode::PageUp => from.saturating_sub(PAGE),
            KeyCode::PageDown => from + PAGE,
            KeyCode::Home => 0,
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => {
                self.wanted.task = None;
                return self.want();
            }
            _ => from,
        };
        self.mode = Mode::Task { from };
        Act::Nothing
    }

    fn key_at_search(&mut self, code: KeyCode, mut words: String) -> Act {
        match code {
            KeyCode::Enter => return self.search(words),
            KeyCode::Esc => return Act::Nothing,
            KeyCode::Backspace => drop(words.pop()),
            KeyCode::Char(letter) => words.push(letter),
            _ => {}
        }
        self.mode = Mode::Search(words);
        Act::Nothing
    }

    fn pause_or_resume(&self) -> Mode {
        match self.is_paused() {
            true => Mode::Sure(Order::Resume, "Start tasks again?"),
            false => Mode::Sure(Order::Pause, "Start no more tasks?"),
        }
    }

    fn turn(&mut self, by: usize) -> Act {
        let at = VIEWS.iter().position(|view| *view == self.wanted.status);
        self.wanted.status = VIEWS[(at.unwrap_or(0) + by) % VIEWS.len()];
        self.chosen = 0;
        self.want()
    }

    fn search(&mut self, words: String) -> Act {
        self.wanted.words = words.trim().to_owned();
        self.chosen = 0;
        self.want()
    }

    fn look_at_chosen(&mut self) -> Act {
        let Some(id) = self.chosen_id() else {
            return Act::Nothing;
        };
        self.seen.task = None;
        self.wanted.task = Some(id);
        self.mode = Mode::Task { from: 0 };
        self.want()
    }

    fn want(&self) -> Act {
        Act::Order(Order::Want(self.wanted.clone()))
    }

    /// The chosen task, unless others are listed than those that are wanted.
    fn chosen_id(&self) -> Option<String> {
        let is_listed = self.seen.wanted.status == self.wanted.status;
        let task = self.seen.tasks.get(self.chosen).filter(|_| is_listed)?;
        task["id"].as_str().map(str::to_owned)
    }

    /// A task that is chosen stays so wherever it moves in the list; in the place of one that is gone, its
    /// neighbour is chosen.
    fn choose_again(&mut self, before: Option<&str>) {
        let has_id = |task: &Value| task["id"].as_str() == before;
        let place = self.seen.tasks.iter().position(has_id);
        let last = self.seen.tasks.len().saturating_sub(1);
        self.chosen = place.unwrap_or(self.chosen).min(last);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(ids: &[&str], wanted: &Wanted) -> News {
        News::Seen(Box::new(Seen {
            tasks: ids.iter().map(|id| json!({ "id": id })).collect(),
            wanted: wanted.clone(),
            ..Seen::default()
        }))
    }

    fn press(board: &mut Board, code: KeyCode) -> Act {
        board.input(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn the_chosen_task_stays_chosen() {
        let mut board = Board::default();
        let wanted = board.wanted.clone();
        board.take(seen(&["a", "b", "c"], &wanted));
        press(&mut board, KeyCode::Down);
        board.take(seen(&["new", "a", "b"], &wanted));
        assert_eq!(board.chosen, 2);
        board.take(seen(&["a"], &wanted));
        assert_eq!(board.chosen, 0);
        board.take(seen(&[], &wanted));
        assert_eq!(press(&mut board, KeyCode::Enter), Act::Nothing);
    }

    #[test]
    fn enter_looks_at_a_task_and_escape_goes_back() {
        let mut board = Board::default();
        let wanted = board.wanted.clone();
        board.take(seen(&["a", "b"], &wanted));
        press(&mut board, KeyCode::End);
        let looked = Wanted {
            task: Some("b".to_owned()),
            ..wanted.clone()
        };
        let order = Act::Order(Order::Want(looked.clone()));
        assert_eq!(press(&mut board, KeyCode::Enter), order);
        // An answer that was on its way.
        board.take(seen(&["other"], &wanted));
        assert_eq!(board.seen.tasks.len(), 2);
        press(&mut board, KeyCode::PageDown);
        assert_eq!(board.mode, Mode::Task { from: PAGE });
        let order = Act::Order(Order::Want(wanted));
        assert_eq!(press(&mut board, KeyCode::Esc), order);
        assert_eq!(board.mode, Mode::Tasks);
        assert_eq!(press(&mut board, KeyCode::Esc), Act::End);
    }

    #[test]
    fn a_pause_is_asked_about_first() {
        let mut board = Board::default();
        press(&mut board, KeyCode::Char('p'));
        assert_eq!(press(&mut board, KeyCode::Char('n')), Act::Nothing);
        press(&mut board, KeyCode::Char('p'));
        let pause = Act::Order(Order::Pause);
        assert_eq!(press(&mut board, KeyCode::Char('y')), pause);
        board.seen.status = json!({"paused": true});
        press(&mut board, KeyCode::Char('p'));
        let resume = Act::Order(Order::Resume);
        assert_eq!(press(&mut board, KeyCode::Char('y')), resume);
    }

    #[test]
    fn words_are_typed_and_taken_back() {
        let mut board = Board::default();
        for letter in "/qux".chars() {
            press(&mut board, KeyCode::Char(letter));
        }
        press(&mut board, KeyCode::Backspace);
        press(&mut board, KeyCode::Enter);
        assert_eq!(board.wanted.words, "qu");
        assert_eq!(board.mode, Mode::Tasks);
        press(&mut board, KeyCode::Esc);
        assert_eq!(board.wanted.words, "");
    }

    #[test]
    fn tab_goes_round() {
        let mut board = Board::default();
        for view in [&VIEWS[1..], &VIEWS[..1]].concat() {
            press(&mut board, KeyCode::Tab);
            assert_eq!(board.wanted.status, view);
        }
        press(&mut board, KeyCode::BackTab);
        assert_eq!(board.wanted.status, TaskStatus::Completed);
    }

    #[test]
    fn control_c_ends_it_everywhere() {
        let mut board = Board::default();
        press(&mut board, KeyCode::Char('/'));
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(board.input(&Event::Key(key)), Act::End);
    }
}
