//! Runs the steps of a page in one shell, in an empty folder, on a network of its own.
//!
//! The shell has its own network namespace, so that each page has port 8000 for itself, and its own
//! process namespace, so that nothing of a page outlives it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::compare::matches;
use crate::page::{Step, steps};

/// Longer than any step takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// A shell that keeps its folder and variables from step to step.
struct Shell {
    child: Child,
    input: ChildStdin,
    codes: Receiver<String>,
    /// Where the scripts and their output are; the page's folder lies elsewhere.
    files: TempDir,
}

/// Runs all steps of a page. Panics at the first that fails, with its line, command and output.
pub(crate) fn run(page: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(page)).expect("the page");
    let folder = TempDir::new().expect("a folder");
    let mut shell = Shell::start(folder.path());
    for (number, step) in steps(&text).iter().enumerate() {
        if let Err((why, output)) = shell.step(number, step) {
            let script = &step.script;
            let line = step.line;
            let shown = step.shown.join("\n");
            panic!(
                "{page}:{line}: {why}\n--- command\n{script}\n--- shown\n{shown}\n--- printed\n{output}"
            );
        }
    }
}

impl Shell {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "--pid", "--fork", "--mount-proc", "--kill-child"]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["bash", "--noprofile", "--norc"]).env_clear();
        command.env("PATH", path()).env("HOME", folder);
        command.env("ROOT", env!("CARGO_MANIFEST_DIR"));
        command.env("LANG", "C.UTF-8").current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("unshare runs");
        let (sender, codes) = channel();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let input = child.stdin.take().expect("piped");
        let files = TempDir::new().expect("a folder");
        let mut shell = Self {
            child,
            input,
            codes,
            files,
        };
        let code = shell.send("ip link set lo up; echo $?");
        assert_eq!(code.as_deref(), Some("0"), "the network does not come up");
        shell
    }

    /// Sends a line to the shell and returns the line that it answers.
    fn send(&mut self, line: &str) -> Option<String> {
        writeln!(self.input, "{line}").ok()?;
        self.codes.recv_timeout(DEADLINE).ok()
    }

    /// Runs one step. The error is what went wrong, and the output.
    fn step(&mut self, number: usize, step: &Step) -> Result<(), (String, String)> {
        let script = self.files.path().join(format!("{number}.sh"));
        let out = self.files.path().join(format!("{number}.out"));
        std::fs::write(&script, &step.script).expect("a file");
        let printed = || std::fs::read_to_string(&out).unwrap_or_default();
        let (script, file) = (script.display(), out.display());
        let fail = |why: String| Err((why, printed()));
        if step.background {
            self.send(&format!(". {script} </dev/null >{file} 2>&1 & echo $!"));
            return self.wait_for(step, &out).or_else(fail);
        }
        let code = self.send(&format!(". {script} </dev/null >{file} 2>&1; echo $?"));
        match code.as_deref() {
            None => fail("it does not end".to_owned()),
            Some("0") if step.shown.is_empty() || matches(&step.shown, &printed()) => Ok(()),
            Some("0") => fail("it prints something else".to_owned()),
            Some(code) => fail(format!("exit code {code}")),
        }
    }

    /// Waits until a background step has printed what the page shows, and a service accepts tasks.
    fn wait_for(&mut self, step: &Step, out: &PathBuf) -> Result<(), String> {
        let end = Instant::now() + DEADLINE / 4;
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
            let printed = std::fs::read_to_string(out).unwrap_or_default();
            let as_shown = step.shown.is_empty() || matches(&step.shown, &printed);
            if as_shown && (!step.script.starts_with("venom") || self.is_ready(step, &printed)) {
                return Ok(());
            }
        }
        Err("it does not get ready, or prints something else".to_owned())
    }

    fn is_ready(&mut self, step: &Step, printed: &str) -> bool {
        let serves = step.script == "venom" || step.script.starts_with("venom serve");
        !serves || printed.contains("http")
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns where the shell finds programs: `venom` as it was built, Python with `requests`, the system's.
fn path() -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_venom"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let venv = root.join("target/test-venv/bin");
    let system = std::env::var("PATH").unwrap_or_default();
    format!(
        "{}:{}:/usr/sbin:/sbin:{system}",
        binary.parent().expect("a folder").display(),
        venv.display()
    )
}
