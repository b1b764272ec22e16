//! Decides how much of its output an attempt may store: the beginning at once, and the last lines at its end.
//!
//! Each line is a row of the journal, so a program that prints millions of them must not fill the disk or make its
//! task too large to read. Pure: [`Context`](super::Context) carries out the decisions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::terminal::OutputLine;

/// The number of lines kept beyond the limit, and their bytes.
const TAIL_LINES: usize = 1000;
const TAIL_BYTES: usize = 1 << 20;

/// The interval between held lines that are shown to live viewers.
const LIVE_INTERVAL: Duration = Duration::from_millis(250);

/// Progress values that differ by less look the same.
const PROGRESS_STEP: f64 = 0.001;
/// The number of progress values that are stored as they come; later ones are stored once a second.
const PROGRESS_ROWS: u32 = 2000;

/// How much of a task's output is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogLimits {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

impl LogLimits {
    /// No limits: everything is stored.
    pub(crate) const NONE: Self = Self {
        lines: u64::MAX,
        bytes: u64::MAX,
    };
}

/// The decision on a line.
#[derive(Debug, PartialEq)]
pub(crate) enum LogDecision {
    Store(OutputLine),
    /// The line is held and may be dropped. The first held line comes with a notice, which is stored; live viewers
    /// see one now and then.
    Hold {
        words: Option<String>,
        show: Option<OutputLine>,
    },
}

/// What an attempt has stored, and what it holds.
#[derive(Debug)]
pub(crate) struct LogBook {
    limits: LogLimits,
    lines: u64,
    bytes: u64,
    is_full: bool,
    tail: VecDeque<OutputLine>,
    tail_bytes: usize,
    left_out: u64,
    shown_at: Option<Instant>,
    progress: Option<(f64, Instant)>,
    progress_rows: u32,
}

impl LogBook {
    /// Opens the book of an attempt whose task has already stored this much.
    pub(crate) fn new(limits: LogLimits, lines: u64, bytes: u64) -> Self {
        Self {
            limits,
            lines,
            bytes,
            is_full: false,
            tail: VecDeque::new(),
            tail_bytes: 0,
            left_out: 0,
            shown_at: None,
            progress: None,
            progress_rows: 0,
        }
    }

    /// Decides on a line.
    pub(crate) fn add(&mut self, line: OutputLine, now: Instant) -> LogDecision {
        let bytes = line.bytes() as u64;
        let fits =
            self.lines < self.limits.lines && self.bytes.saturating_add(bytes) <= self.limits.bytes;
        if fits && !self.is_full {
            self.lines += 1;
            self.bytes += bytes;
            return LogDecision::Store(line);
        }
        let words = (!std::mem::replace(&mut self.is_full, true)).then(|| self.limit_in_words());
        let is_due = self.shown_at.is_none_or(|at| now >= at + LIVE_INTERVAL);
        let show = is_due.then(|| line.clone());
        if is_due {
            self.shown_at = Some(now);
        }
        self.hold(line);
        LogDecision::Hold { words, show }
    }

    fn limit_in_words(&self) -> String {
        let limit = match self.lines >= self.limits.lines {
            true => format!("{} lines (task_log_limit_lines)", self.limits.lines),
            false => format!("{} bytes (task_log_limit_bytes)", self.limits.bytes),
        };
        format!(
            "This log has reached its limit of {limit}. Of the lines that follow, the last {TAIL_LINES} are \
             stored when the attempt ends."
        )
    }

    fn hold(&mut self, line: OutputLine) {
        self.tail_bytes += line.bytes();
        self.tail.push_back(line);
        while self.tail.len() > TAIL_LINES || (self.tail_bytes > TAIL_BYTES && self.tail.len() > 1)
        {
            if let Some(oldest) = self.tail.pop_front() {
                self.tail_bytes -= oldest.bytes();
                self.left_out += 1;
            }
        }
    }

    /// Returns the lines to store when the attempt ends.
    pub(crate) fn end(&mut self) -> Vec<OutputLine> {
        let words = match std::mem::take(&mut self.left_out) {
            0 => None,
            1 => Some("… 1 line left out".to_owned()),
            count => Some(format!("… {count} lines left out")),
        };
        let tail = std::mem::take(&mut self.tail);
        self.tail_bytes = 0;
        let mut lines: Vec<_> = words.map(OutputLine::plain).into_iter().collect();
        lines.extend(tail);
        // They replace the last one shown.
        if self.shown_at.take().is_some()
            && let Some(first) = lines.first_mut()
        {
            first.replaces = true;
        }
        lines
    }

    /// Returns true if this progress value must be stored.
    pub(crate) fn is_progress_new(&mut self, progress: f64, now: Instant) -> bool {
        if let Some((last, at)) = self.progress {
            let is_end = progress >= 1.0 && last < 1.0;
            let is_step = (progress - last).abs() >= PROGRESS_STEP;
            let is_slow = self.progress_rows < PROGRESS_ROWS || now >= at + Duration::from_secs(1);
            let is_new = is_end || (is_step && is_slow);
            if !is_new {
                return false;
            }
        }
        self.progress = Some((progress, now));
        self.progress_rows += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> OutputLine {
        OutputLine::plain(text.to_owned())
    }

    fn texts(lines: Vec<OutputLine>) -> Vec<String> {
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_first_and_the_last_lines_are_stored() {
        let limits = LogLimits {
            lines: 3,
            ..LogLimits::NONE
        };
        let now = Instant::now();
        let mut book = LogBook::new(limits, 1, 0);
        assert_eq!(book.add(line("1"), now), LogDecision::Store(line("1")));
        assert_eq!(book.add(line("2"), now), LogDecision::Store(line("2")));
        let LogDecision::Hold { words, show } = book.add(line("3"), now) else {
            panic!("the third line is stored");
        };
        let words = words.expect("words at the limit");
        assert!(words.contains("3 lines (task_log_limit_lines)"), "{words}");
        assert_eq!(show, Some(line("3")));
        for number in 4..=TAIL_LINES + 5 {
            // At the same time nothing more is shown, and the notice comes once.
            let held = book.add(line(&number.to_string()), now);
            let (words, show) = (None, None);
            assert_eq!(held, LogDecision::Hold { words, show });
        }
        let later = book.add(line("last"), now + LIVE_INTERVAL);
        assert!(
            matches!(later, LogDecision::Hold { show: Some(_), .. }),
            "{later:?}"
        );
        let end = book.end();
        assert!(end[0].replaces);
        let end = texts(end);
        assert_eq!(end[0], "… 4 lines left out");
        assert_eq!(end[1], "7");
        assert_eq!(end.last().map(String::as_str), Some("last"));
        assert_eq!(end.len(), TAIL_LINES + 1);
        assert!(book.end().is_empty());
    }

    #[test]
    fn bytes_have_a_limit_too() {
        let limits = LogLimits {
            bytes: 10,
            ..LogLimits::NONE
        };
        let now = Instant::now();
        let mut book = LogBook::new(limits, 0, 4);
        assert!(matches!(
            book.add(line("12345"), now),
            LogDecision::Store(_)
        ));
        assert!(matches!(
            book.add(line("67"), now),
            LogDecision::Hold { .. }
        ));
        // What would fit does not overtake what was held.
        assert!(matches!(book.add(line("8"), now), LogDecision::Hold { .. }));
        assert_eq!(texts(book.end()), ["67", "8"]);
        let large = "x".repeat(TAIL_BYTES - 10);
        book.add(line(&large), now);
        book.add(line(&large), now);
        assert_eq!(texts(book.end()), ["… 1 line left out".to_owned(), large]);
    }

    #[test]
    fn progress_is_stored_in_steps() {
        let now = Instant::now();
        let mut book = LogBook::new(LogLimits::NONE, 0, 0);
        assert!(book.is_progress_new(0.5, now));
        assert!(!book.is_progress_new(0.5, now));
        assert!(!book.is_progress_new(0.5001, now));
        assert!(book.is_progress_new(0.51, now));
        assert!(book.is_progress_new(0.9999, now));
        assert!(book.is_progress_new(1.0, now));
        for number in 0..2 * PROGRESS_ROWS {
            book.is_progress_new(f64::from(number % 2), now);
        }
        assert!(!book.is_progress_new(0.3, now));
        assert!(book.is_progress_new(0.3, now + Duration::from_secs(1)));
    }
}
