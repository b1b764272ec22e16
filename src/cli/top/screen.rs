//! Takes over the terminal and restores it, however the command ends.

use std::io;

use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{self, EnterAlternateScreen};
use ratatui::layout::Rect;
use ratatui::{DefaultTerminal, TerminalOptions, Viewport};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::dashboard::Dashboard;
use super::draw;

/// The size of a terminal that does not report one, such as a serial line.
const DEFAULT_SIZE: (u16, u16) = (80, 24);
/// The most columns and lines that are used. A terminal may report 65,535 of both, which would need too much
/// memory.
const LARGEST_SIZE: (u16, u16) = (1_000, 500);

/// The alternate screen of the terminal.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    drawn_on: Rect,
}

impl Screen {
    /// Takes over the terminal. A panic restores it before its message is printed.
    pub(crate) fn enter() -> io::Result<Self> {
        let drawn_on = area(terminal::size());
        let taken = ratatui::try_init_with_options(TerminalOptions {
            viewport: Viewport::Fixed(drawn_on),
        });
        let taken = taken.and_then(|terminal| {
            execute!(io::stdout(), EnterAlternateScreen)?;
            Ok(Self { terminal, drawn_on })
        });
        if taken.is_err() {
            // The terminal may be half switched.
            let _ = ratatui::try_restore();
        }
        taken
    }

    /// Draws the changes, at the present size of the terminal.
    pub(crate) fn draw(&mut self, dashboard: &Dashboard) -> io::Result<()> {
        let now = area(terminal::size());
        if now != self.drawn_on {
            self.terminal.resize(now)?;
            self.drawn_on = now;
        }
        self.terminal
            .draw(|frame| draw::draw(frame, dashboard))
            .map(drop)
    }
}

/// Returns the area to draw on, for the size that the terminal reports.
fn area(size: io::Result<(u16, u16)>) -> Rect {
    let (width, height) = size.unwrap_or_default();
    let or_default = |length: u16, default: u16| if length == 0 { default } else { length };
    let width = or_default(width, DEFAULT_SIZE.0).min(LARGEST_SIZE.0);
    let height = or_default(height, DEFAULT_SIZE.1).min(LARGEST_SIZE.1);
    Rect::new(0, 0, width, height)
}

impl Drop for Screen {
    fn drop(&mut self) {
        // An error cannot be shown any more.
        let _ = self.terminal.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Returns keys and changes of size. A thread reads them until the process ends, because a read from a terminal
/// cannot be cancelled.
pub(crate) fn keys() -> UnboundedReceiver<io::Result<Event>> {
    let (sender, keys) = unbounded_channel();
    std::thread::spawn(move || {
        loop {
            let input = event::read();
            let is_over = input.is_err();
            if sender.send(input).is_err() || is_over {
                return;
            }
        }
    });
    keys
}
