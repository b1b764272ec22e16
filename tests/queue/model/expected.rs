//! The model: what each task must be, and what waits for what.

/// Tasks that may run at a time.
pub(super) const SLOTS: usize = 3;
/// A task under which the service dies this often is lost.
const CRASHES_UNTIL_LOST: u32 = 3;

/// A task as it must be.
#[derive(Debug)]
pub(super) struct Task {
    pub id: String,
    pub status: &'static str,
    pub failure: Option<&'static str>,
    pub attempt: u32,
    pub crashes: u32,
}

#[derive(Default)]
pub(super) struct Model {
    /// In order of arrival.
    pub tasks: Vec<Task>,
    pub paused: bool,
}

impl Model {
    pub(super) fn submitted(&mut self, id: String) {
        self.tasks.push(Task {
            id,
            status: "PENDING",
            failure: None,
            attempt: 0,
            crashes: 0,
        });
        self.claim();
    }

    /// Starts pending tasks in the order of arrival while slots are free.
    pub(super) fn claim(&mut self) {
        if self.paused {
            return;
        }
        let mut free = SLOTS - self.with("PROCESSING").count();
        for task in self
            .tasks
            .iter_mut()
            .filter(|task| task.status == "PENDING")
        {
            if free == 0 {
                return;
            }
            free -= 1;
            task.status = "PROCESSING";
            task.attempt += 1;
        }
    }

    pub(super) fn with(&self, status: &'static str) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(move |task| task.status == status)
    }

    pub(super) fn end(&mut self, id: &str, status: &'static str, failure: Option<&'static str>) {
        let task = self
            .tasks
            .iter_mut()
            .find(|task| task.id == id)
            .expect("a task of ours");
        (task.status, task.failure) = (status, failure);
        self.claim();
    }

    pub(super) fn end_all(&mut self, from: &'static str, failure: &'static str) {
        for task in self.tasks.iter_mut().filter(|task| task.status == from) {
            (task.status, task.failure) = ("FAILED", Some(failure));
        }
    }

    pub(super) fn interrupt(&mut self, crashed: bool) {
        for task in self
            .tasks
            .iter_mut()
            .filter(|task| task.status == "PROCESSING")
        {
            task.crashes += u32::from(crashed);
            (task.status, task.failure) = match task.crashes {
                CRASHES_UNTIL_LOST => ("FAILED", Some("lost")),
                _ => ("PENDING", None),
            };
        }
        self.claim();
    }
}
