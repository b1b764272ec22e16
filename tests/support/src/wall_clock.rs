//! A service with a wall clock of its own, which a test sets: a library that is loaded before the C library
//! adds an offset to the time of day, and to nothing else. What passes by the steady clock goes on as ever.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use crate::service::{Service, Setup, Stopped};

pub const DAY: i64 = 24 * 60 * 60;

const LIBRARY: &str = r#"
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none = 0;
static volatile int64_t *offset = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) offset = shared;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    long failed = syscall(SYS_clock_gettime, clock, time);
    if (!failed && clock == CLOCK_REALTIME) time->tv_sec += *offset;
    return failed ? -1 : 0;
}

int gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *time) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (time) *time = now.tv_sec;
    return now.tv_sec;
}
"#;

impl Setup {
    /// The service has a wall clock that can be set.
    pub fn own_clock(self) -> Self {
        let path = |name: &str| self.folder().join(name);
        let (source, library, clock) = (path("clock.c"), path("clock.so"), path("clock"));
        std::fs::write(&source, LIBRARY).expect("a folder to write in");
        std::fs::write(&clock, 0_i64.to_ne_bytes()).expect("a folder to write in");
        let mut compiler = Command::new("cc");
        let compiler = compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        let status = compiler.arg(&library).arg(&source).status();
        assert!(status.expect("a C compiler").success());
        let text = |path: &Path| path.display().to_string();
        self.variable("LD_PRELOAD", &text(&library))
            .variable("TEST_CLOCK", &text(&clock))
    }

    /// Sets its clock ahead of the true time by this many seconds.
    pub fn set_clock(&self, seconds: i64) {
        let path = self.folder().join("clock");
        let clock = std::fs::File::options().write(true).open(path);
        let clock = clock.expect("a service with a clock of its own");
        let written = clock.write_all_at(&seconds.to_ne_bytes(), 0);
        written.expect("a file to write in");
    }
}

impl Service {
    /// Sets its clock ahead of the true time by this many seconds.
    pub fn set_clock(&self, seconds: i64) {
        self.setup().set_clock(seconds);
    }
}

impl Stopped {
    /// Sets its clock ahead of the true time by this many seconds.
    pub fn set_clock(&self, seconds: i64) {
        self.setup().set_clock(seconds);
    }
}
