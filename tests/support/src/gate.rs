//! Gate tasks: they start, wait until a test lets them go, and end as it says.
//!
//! A gate is a named pipe for each attempt. A word written to it ends the attempt (`open`,
//! `fail REASON`) or becomes a line of the task's log; the pipe is held open by its reader, so that
//! no word is lost.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::OFlags;
use serde_json::Value;

use crate::service::{Service, Setup};
use crate::wait::eventually;

const SCRIPT: &str = r#"
content=$(cat)
gate="$GATES/$VENOM_TASK_ID.$VENOM_ATTEMPT"
mkfifo "$gate" && exec 3<>"$gate" && : > "$gate.ready" || exit 9
while IFS= read -r word <&3; do
    case "$word" in
        open) printf 'let through: %s\n' "$content"; exit 0 ;;
        fail*) printf '%s\n' "${word#fail }" >&2; exit 1 ;;
        *) printf '%s\n' "$word" ;;
    esac
done
"#;

impl Setup {
    /// Adds the processor `gate`.
    pub fn gates(self) -> Self {
        self.gate_processor("gate", "")
    }

    /// Adds a gate of this name; `settings` are more lines of its table.
    pub fn gate_processor(self, name: &str, settings: &str) -> Self {
        let folder = self.gate_folder();
        std::fs::create_dir_all(&folder).expect("a folder for gates");
        let folder = folder.display();
        self.table(&format!(
            "[processors.{name}]\nkind = \"command\"\nprogram = \"sh\"\n\
             args = [\"-c\", '''{SCRIPT}''']\n{settings}\n\
             [processors.{name}.env]\nGATES = \"{folder}\"\n"
        ))
    }

    fn gate_folder(&self) -> PathBuf {
        self.folder().join("gates")
    }
}

impl Service {
    /// Waits until the first attempt of this task stands at its gate.
    pub async fn at_gate(&self, id: &str) {
        self.at_gate_again(id, 1).await;
    }

    /// Waits until this attempt stands at its gate.
    pub async fn at_gate_again(&self, id: &str, attempt: u32) {
        let ready = self
            .setup
            .gate_folder()
            .join(format!("{id}.{attempt}.ready"));
        eventually("a task stands at its gate", || {
            let there = ready.exists();
            async move { there.then_some(()) }
        })
        .await;
    }

    /// Submits a task to `gate` and waits until it stands there; its id.
    pub async fn submit_to_gate(&self, content: &str) -> String {
        let id = self.submit_to("gate", content).await;
        self.at_gate(&id).await;
        id
    }

    /// Says a word to the first attempt of this task.
    pub async fn say(&self, id: &str, word: &str) {
        self.say_again(id, 1, word).await;
    }

    /// Says a word to this attempt of the task.
    pub async fn say_again(&self, id: &str, attempt: u32, word: &str) {
        self.at_gate_again(id, attempt).await;
        let path = self.setup.gate_folder().join(format!("{id}.{attempt}"));
        // Opened both ways, it never waits for a reader.
        let mut pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .expect("a gate that is waited at");
        pipe.write_all(format!("{word}\n").as_bytes())
            .expect("room in a pipe");
    }

    /// Waits until the first attempt of this task has ended, whether that is stored or not.
    pub async fn left_gate(&self, id: &str) {
        let path = self.setup.gate_folder().join(format!("{id}.1"));
        let at_once = OFlags::NONBLOCK.bits().cast_signed();
        eventually("a task leaves its gate", || {
            // Without a reader a pipe cannot be opened to write.
            let mut options = OpenOptions::new();
            let opened = options.write(true).custom_flags(at_once).open(&path);
            async move { opened.is_err().then_some(()) }
        })
        .await;
    }

    /// Lets the task through; the finished task.
    pub async fn open_gate(&self, id: &str) -> Value {
        self.say(id, "open").await;
        self.finished(id).await
    }
}
