//! One child process and everything it starts: spawned, signalled and reaped as a group.
//!
//! The child leads a session of its own, and so a process group of its own whose id is its process id. A group alone
//! would also shield it from a terminal's Ctrl-C, but a program that asks for a password on the terminal would be
//! stopped by it and hang; without a terminal it fails.
//!
//! The number of a group is free again once its leader is reaped and its members are gone, and a later signal could
//! hit a stranger. So the leader's exit is watched without reaping (a pidfd, on Linux), the group is killed while the
//! dead leader still holds the number, and only then is the leader reaped. Elsewhere, or where pidfds are forbidden,
//! a short time lies between the two.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};

#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
#[cfg(target_os = "linux")]
use tokio::io::{Interest, unix::AsyncFd};

use rustix::process::{Pid, Resource, Rlimit, Signal, setrlimit};
use tokio::process::{Child, Command};

use super::guard::ProcessGuard;
use super::orphans::RunMark;
use super::pipes::Pipes;
use crate::config::CommandSettings;
use crate::processors::command::scrubbed_env::ScrubbedEnv;

/// A running child and its group. If dropped before it is reaped, it is killed with its group.
pub(crate) struct Group {
    child: Child,
    /// The leader's process id, which is also the group's id.
    pub(crate) id: Pid,
    #[cfg(target_os = "linux")]
    leader_exit: Option<AsyncFd<OwnedFd>>,
    guard: Arc<ProcessGuard>,
    reaped: bool,
}

impl Group {
    /// Starts the program. Call it on a thread that lives as long as the service, such as a runtime's worker: on
    /// Linux the child dies with the thread that spawned it.
    pub(crate) fn spawn(
        mut command: Command,
        guard: &Arc<ProcessGuard>,
    ) -> io::Result<(Self, Pipes)> {
        let mut child = command.spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let id = id.expect("a child that was not waited for has a process id");
        let pipes = Pipes {
            stdin: child.stdin.take().expect("stdin is piped"),
            stdout: child.stdout.take().expect("stdout is piped"),
            stderr: child.stderr.take().expect("stderr is piped"),
        };
        guard.watch(id);
        let group = Self {
            child,
            id,
            #[cfg(target_os = "linux")]
            leader_exit: watch_exit(id),
            guard: Arc::clone(guard),
            reaped: false,
        };
        Ok((group, pipes))
    }

    /// Waits until the leader has exited; others of its group may continue.
    pub(crate) async fn leader_exited(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(leader_exit) = &self.leader_exit {
            // It fails only when the runtime ends, and this future with it.
            let _ = leader_exit.readable().await;
            return;
        }
        // The status is kept for `reap`.
        let _ = self.child.wait().await;
    }

    /// Sends SIGTERM to every process of the group.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
        // A stopped process receives SIGTERM when it continues.
        self.signal(Signal::CONT);
    }

    /// Sends SIGKILL to every process of the group, the leader too.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits for the leader's status. Kill the group first: after this its number may be another's.
    pub(crate) async fn reap(mut self) -> io::Result<ExitStatus> {
        self.guard.release(self.id);
        let status = self.child.wait().await;
        self.reaped = true;
        status
    }

    fn signal(&self, signal: Signal) {
        // An error means that nobody is left, or (on some systems) only the dead leader.
        let _ = rustix::process::kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            self.guard.release(self.id);
        }
        // The child itself is then reaped by tokio, in the background.
    }
}

#[cfg(target_os = "linux")]
fn watch_exit(leader: Pid) -> Option<AsyncFd<OwnedFd>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let pidfd = pidfd_open(leader, PidfdFlags::empty()).ok()?;
    // SAFETY: the `AsyncFd` owns the descriptor, and an `OwnedFd` never changes what it refers to.
    #[expect(
        unsafe_code,
        reason = "the only way to await a descriptor tokio has no type for"
    )]
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.ok()
}

/// Builds the command that starts an attempt's program.
pub(crate) fn command(
    settings: &CommandSettings,
    scrubbed_env: &ScrubbedEnv,
    mark: &RunMark,
) -> Command {
    let mut command = Command::new(&settings.program);
    for name in scrubbed_env.found() {
        command.env_remove(name);
    }
    command
        .args(&settings.args)
        .envs(&settings.env)
        .envs(mark.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(directory) = &settings.working_directory {
        command.current_dir(directory);
    }
    let service = rustix::process::getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; `prepare_child` makes
    // a few system calls and allocates nothing.
    #[expect(
        unsafe_code,
        reason = "nothing else runs code in the child before its program"
    )]
    unsafe {
        command.pre_exec(move || prepare_child(service));
    }
    command
}

/// The limit of open files for children, if the service has raised its own.
static FILE_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Sets the limit of open files for programs to what the service had before it raised its own: some programs walk
/// through every number up to it, and `select` supports 1024.
pub(crate) fn remember_file_limit(limit: Rlimit) {
    let _ = FILE_LIMIT.set(limit);
}

/// Runs in the child, before its program. Signals need no setup: the standard library has emptied the mask and reset
/// SIGPIPE.
fn prepare_child(service: Pid) -> io::Result<()> {
    rustix::process::setsid()?;
    if let Some(limit) = FILE_LIMIT.get() {
        // A program also runs with another limit.
        let _ = setrlimit(Resource::Nofile, *limit);
    }
    die_with(service)
}

/// Makes the kernel kill this process when `parent` dies. Runs in a child, before its program.
pub(crate) fn die_with(parent: Pid) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the line above; then no signal comes.
    if rustix::process::getppid() == Some(parent) {
        Ok(())
    } else {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}
