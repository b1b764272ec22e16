//! The terminal while it is ours. However the command ends, the person gets it back as it was.

use std::io;

use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{self, EnterAlternateScreen};
use ratatui::layout::Rect;
use ratatui::{DefaultTerminal, TerminalOptions, Viewport};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::dashboard::Board;
use super::draw;

/// What is drawn on where the terminal does not say how large it is, as serial lines do not.
const USUAL_SIZE: (u16, u16) = (80, 24);
/// The most columns and lines that are drawn on. A terminal may say that it has 65,535 of both, and nobody has
/// memory for that.
const LARGEST_SIZE: (u16, u16) = (1_000, 500);

/// The screen beside the one on which the person works.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    drawn_on: Rect,
}

impl Screen {
    /// Takes the terminal. A panic gives it back too, before it is reported.
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
            // It may be half taken.
            let _ = ratatui::try_restore();
        }
        taken
    }

    /// Draws what has changed; the size is that of the moment.
    pub(crate) fn draw(&mut self, board: &Board) -> io::Result<()> {
        let now = area(terminal::size());
        if now != self.drawn_on {
            self.terminal.resize(now)?;
            self.drawn_on = now;
        }
        self.terminal
            .draw(|frame| draw::draw(frame, board))
            .map(drop)
    }
}

/// What is drawn on, on a terminal that says it has this size.
fn area(size: io::Result<(u16, u16)>) -> Rect {
    let (width, height) = size.unwrap_or_default();
    let or_usual = |length: u16, usual: u16| if length == 0 { usual } else { length };
    let width = or_usual(width, USUAL_SIZE.0).min(LARGEST_SIZE.0);
    let height = or_usual(height, USUAL_SIZE.1).min(LARGEST_SIZE.1);
    Rect::new(0, 0, width, height)
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.terminal.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Keys and changes of size. They are read by a thread that ends with the process, because a read from a
/// terminal cannot be called off.
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
