//! The guard: a small process that briefly outlives the service, to kill its children.
//!
//! When the service is killed, the kernel kills the children that it started itself (see `group`), but not their
//! children. The guard knows every group and holds the read end of a pipe whose only writer is the service. When the
//! pipe closes, however the service ended, the guard kills the remaining groups and exits. One guard serves all
//! commands; it starts with the first.
//!
//! It is a second line of defence: without it (not on Linux, an old kernel, the guard killed too) such a process runs
//! on until the next start of the service, whose recovery finds it (see `orphans`).

use rustix::process::Pid;

/// The service's end of the guard process.
#[derive(Default)]
pub(crate) struct ProcessGuard {
    #[cfg(target_os = "linux")]
    pipe: std::sync::OnceLock<Option<std::io::PipeWriter>>,
}

#[cfg(not(target_os = "linux"))]
impl ProcessGuard {
    pub(crate) fn watch(&self, _group: Pid) {}
    pub(crate) fn release(&self, _group: Pid) {}
}

#[cfg(target_os = "linux")]
impl ProcessGuard {
    /// Tells the guard to kill the group when the service dies.
    pub(crate) fn watch(&self, group: Pid) {
        self.send(group.as_raw_nonzero().get());
    }

    /// Tells the guard to forget the group: its number may soon be another's.
    pub(crate) fn release(&self, group: Pid) {
        self.send(-group.as_raw_nonzero().get());
    }

    fn send(&self, word: i32) {
        if let Some(pipe) = self.pipe.get_or_init(linux::start) {
            // It fails if the guard was killed; then there is none.
            let _ = rustix::io::write(pipe, &word.to_ne_bytes());
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::c_int;
    use std::io::{self, PipeWriter};
    use std::os::fd::{AsRawFd, RawFd};
    use std::ptr;

    /// The number of groups that can be watched; it costs address space and, unused, no memory.
    const CAPACITY: usize = 65_536;

    /// The number of words per read.
    const BATCH: usize = 256;

    pub(crate) fn start() -> Option<PipeWriter> {
        let started = fork();
        if let Err(error) = &started {
            tracing::warn!(%error, "no guard process: a command's own children may outlive a crash");
        }
        started.ok()
    }

    fn fork() -> io::Result<PipeWriter> {
        let (reader, writer) = io::pipe()?;
        // A guard that was stopped by hand must not block the service.
        rustix::io::ioctl_fionbio(&writer, true)?;
        let groups = Vec::with_capacity(CAPACITY);
        // SAFETY: the service has other threads, so the child may only do what is async-signal-safe
        // and must never return from here; `stand_guard` keeps to both.
        #[expect(unsafe_code, reason = "the standard library has no fork without exec")]
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => unsafe { stand_guard(reader.as_raw_fd(), groups) },
            _ => Ok(writer),
        }
    }

    /// Runs the guard to its end. Each word read is a group to watch or, negative, to forget.
    ///
    /// # Safety
    /// Only for a fresh fork, whose descriptors and signals are nobody else's. It makes system
    /// calls and touches its own memory, and neither allocates nor panics.
    #[expect(
        unsafe_code,
        reason = "raw system calls are all that is safe after a fork"
    )]
    unsafe fn stand_guard(pipe: RawFd, mut groups: Vec<c_int>) -> ! {
        let mut words = [0; BATCH];
        // SAFETY: every pointer is to a live local of the right size.
        unsafe {
            if !leave_service(pipe) {
                libc::_exit(1);
            }
            loop {
                let bytes = libc::read(0, words.as_mut_ptr().cast(), size_of_val(&words));
                let Ok(bytes @ 1..) = usize::try_from(bytes) else {
                    break;
                };
                // Words are written whole, and the batch is a whole number of them.
                for &word in words.iter().take(bytes / size_of::<c_int>()) {
                    note(&mut groups, word);
                }
            }
            for &group in &groups {
                libc::kill(-group, libc::SIGKILL);
            }
            libc::_exit(0)
        }
    }

    /// Closes all inherited descriptors: the guard would otherwise hold the database's lock, the listening socket and
    /// the pipe's write end, whose closing it waits for.
    #[expect(
        unsafe_code,
        reason = "raw system calls are all that is safe after a fork"
    )]
    unsafe fn leave_service(pipe: RawFd) -> bool {
        // SAFETY: as above; `sigfillset` initialises the set.
        unsafe {
            let mut signals = std::mem::zeroed();
            libc::sigfillset(&mut signals);
            libc::sigprocmask(libc::SIG_SETMASK, &signals, ptr::null_mut());
            libc::setsid();
            libc::chdir(c"/".as_ptr());
            libc::prctl(libc::PR_SET_NAME, c"venom-guard".as_ptr());
            // Unlike its wrapper the bare call needs no particular libc, only Linux 5.9.
            libc::dup2(pipe, 0) == 0 && libc::syscall(libc::SYS_close_range, 1, u32::MAX, 0) == 0
        }
    }

    fn note(groups: &mut Vec<c_int>, word: c_int) {
        if word < 0 {
            groups.retain(|&group| group != -word);
        } else if groups.len() < groups.capacity() {
            groups.push(word);
        }
    }
}
