//! The terminal while it is ours. However the command ends, the person gets it back as it was.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::board::Board;
use super::draw;

/// The screen beside the one on which the person works.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal. A panic gives it back too, before it is reported.
    pub fn enter() -> io::Result<Self> {
        let taken = ratatui::try_init();
        if taken.is_err() {
            // It may be half taken.
            let _ = ratatui::try_restore();
        }
        taken.map(Self)
    }

    /// Draws what has changed; the size is that of the moment.
    pub fn draw(&mut self, board: &Board) -> io::Result<()> {
        self.0.draw(|frame| draw::draw(frame, board)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Keys and changes of size. They are read by a thread that ends with the process, because a read from a
/// terminal cannot be called off.
pub(super) fn keys() -> UnboundedReceiver<io::Result<Event>> {
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
