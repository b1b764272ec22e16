//! A command on a terminal of its own, of which this is the other end.
//!
//! Nothing here can wait for ever: what the command writes is read by a thread of its own, and every wait
//! for something on the screen has a deadline.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::harness::{DEADLINE, Folder, wait};

/// A terminal with a command on it, which is killed when this is dropped.
pub struct Terminal {
    child: Child,
    end: File,
    written: Receiver<Vec<u8>>,
    /// All that was ever written.
    pub bytes: Vec<u8>,
    screen: vt100::Parser,
}

/// What a command leaves behind.
pub struct Left {
    pub code: i32,
    pub bytes: Vec<u8>,
    pub screen: vt100::Parser,
    /// Whether what is typed is seen, and goes to programs line by line, as at the beginning.
    pub is_cooked: bool,
}

impl Terminal {
    /// Starts a command on a terminal of this size.
    pub fn start(folder: &Folder, args: &[&str], rows: u16, columns: u16) -> Self {
        let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&end).unwrap();
        unlockpt(&end).unwrap();
        let end = File::from(end);
        resize(&end, rows, columns);
        let child = spawn(folder, args, &end);
        let (sender, written) = channel();
        let mut source = end.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // It is over when nobody has the other end any more, which is an error here.
            while let Ok(length @ 1..) = source.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            end,
            written,
            bytes: Vec::new(),
            screen: vt100::Parser::new(height(rows), width(columns), 0),
        }
    }

    /// What the screen shows.
    pub fn shown(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the screen shows these words.
    #[track_caller]
    pub fn until(&mut self, words: &str) {
        self.until_shown(words, |shown| shown.contains(words));
    }

    /// Waits until the screen shows these words no more.
    #[track_caller]
    pub fn until_not(&mut self, words: &str) {
        self.until_shown(words, |shown| !shown.contains(words));
    }

    #[track_caller]
    fn until_shown(&mut self, what: &str, is_it: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_it(&self.shown()) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(piece) => self.take(&piece),
                Err(_) => panic!("{what:?}: the screen stays\n{}", self.shown()),
            }
        }
    }

    fn take(&mut self, piece: &[u8]) {
        self.bytes.extend(piece);
        self.screen.process(piece);
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        self.end.write_all(keys.as_bytes()).unwrap();
    }

    /// Makes the terminal larger or smaller.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let screen = self.screen.screen_mut();
        screen.set_size(height(rows), width(columns));
        resize(&self.end, rows, columns);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end.
    #[track_caller]
    pub fn ended(mut self) -> Left {
        let code = wait(&mut self.child);
        while let Ok(piece) = self.written.recv_timeout(DEADLINE) {
            self.take(&piece);
        }
        let modes = tcgetattr(&self.end).unwrap().local_modes;
        Left {
            code,
            is_cooked: modes.contains(LocalModes::ECHO | LocalModes::ICANON),
            bytes: std::mem::take(&mut self.bytes),
            screen: std::mem::take(&mut self.screen),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a terminal that says it has so many; 0 stands for not known.
fn height(rows: u16) -> NonZero<u16> {
    NonZero::new(rows.min(500)).unwrap_or(const { NonZero::new(24).unwrap() })
}

/// The columns of a terminal that says it has so many.
fn width(columns: u16) -> NonZero<u16> {
    NonZero::new(columns.min(1_000)).unwrap_or(const { NonZero::new(80).unwrap() })
}

fn resize(end: &File, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(end, size).unwrap();
}

/// By `setsid`, so that it is the command's own terminal that hears of a change of size. The command's end
/// is closed here when this is over: as long as anybody has it, the other end waits.
fn spawn(folder: &Folder, args: &[&str], end: &File) -> Child {
    let name = ptsname(end, Vec::new()).unwrap();
    let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let other = open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let stdio = || Stdio::from(other.try_clone().unwrap());
    let venom = folder.command(args);
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(venom.get_program()).args(args);
    command.current_dir(folder.path(".")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TERM", "xterm-256color");
    command.stdin(stdio()).stdout(stdio()).stderr(stdio());
    command
        .spawn()
        .expect("setsid is there: apt-get install util-linux")
}
