//! The keys of the tables `[processors.NAME]`, `[concurrency_keys.NAME]` and `[schedules.NAME]`, for the example
//! file and the reference page. A test holds the lists against the keys that the reader knows.

use crate::config::value_types;

/// A key of such a table.
pub(super) struct TableKey {
    pub(super) key: &'static str,
    /// Completes "expected …".
    pub(super) expected: &'static str,
    pub(super) default: &'static str,
    pub(super) meaning: &'static str,
    /// The value in the example file; empty if the example does not have the key.
    pub(super) example: &'static str,
}

/// Keys that belong together.
pub(super) struct KeyTable {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) keys: &'static [TableKey],
    /// Lines of a table that the reader accepts with any of the keys left out.
    pub(super) least: &'static str,
}

/// A table of the example file.
pub(super) struct Example {
    pub(super) intro: &'static str,
    pub(super) heading: &'static str,
    pub(super) first: &'static [&'static str],
    pub(super) keys: &'static [&'static [TableKey]],
    pub(super) last: &'static [&'static str],
}

macro_rules! keys {
    ($($key:ident: $rule:ident, $default:literal, $meaning:literal, $example:literal;)+) => {
        &[$(TableKey {
            key: stringify!($key),
            expected: value_types::$rule.expected,
            default: $default,
            meaning: $meaning,
            example: $example,
        }),+]
    };
}

const ANY_KIND: &[TableKey] = keys! {
    kind: KIND, "required", "How the processor runs a task.", "";
    timeout: PERIOD, "`600` for webhook and llm, `hive_task_timeout` for hive, none for the others",
        "Seconds after which an attempt fails as \"timeout\". Without it, a webhook and an LLM have 600 seconds, a \
         hive processor hive_task_timeout, and the others are not limited.", "300";
    concurrency: CONCURRENCY, "`10000` for hive, no limit of its own for the others",
        "Number of its tasks that may run at the same time, besides max_concurrent_tasks.", "2";
    rate: RATE, "no limit",
        "Number of starts in a second, minute, hour or day (units s, m, h, d). Without it, starts are not limited.",
        "\"30/m\"";
    max_attempts: ATTEMPTS, "`hive_max_retries` for hive, `1` for the others",
        "Number of attempts of a task that names no number itself. Without it, one; with the hive, \
         hive_max_retries.", "3";
    backoff: BACKOFF, "`{ first = 1, factor = 2, max = 300, jitter = 0.1 }`",
        "Pause before the next attempt: `first` seconds, then `factor` times the one before, up to `max` seconds; \
         each is shorter or longer by up to the share `jitter`.",
        "{ first = 1, factor = 2, max = 300, jitter = 0.1 }";
};

const BACKOFF: &[TableKey] = keys! {
    first: FIRST_PAUSE, "`1`", "Pause after the first failure.", "1";
    factor: FACTOR, "`2`", "Factor from one pause to the next.", "2";
    max: PAUSE, "`300`, or `first` if that is longer", "Longest pause, before `jitter`; at least `first`.", "300";
    jitter: JITTER, "`0.1`",
        "Share by which a pause may be shorter or longer, so that tasks that failed together do not all come back \
         at once.", "0.1";
};

const COMMAND: &[TableKey] = keys! {
    program: PROGRAM, "required", "The program: a path, or a name that is looked up in PATH.", "\"python3\"";
    args: ARGUMENTS, "none", "Its arguments, passed as they are; there is no shell.", "[\"summarise.py\"]";
    working_directory: PATH, "where `venom` was started",
        "Where the program starts, relative to where `venom` was started.", "\"scripts\"";
    env: VARIABLES, "none",
        "Variables that are added to the environment of the service. VENOM_TASK_ID and VENOM_ATTEMPT are always \
         set, VENOM_UPSTREAM for a task with dependencies.", "";
};

const WEBHOOK: &[TableKey] = keys! {
    url: URL, "required", "Address to which the task is posted.", "\"https://example.org/tasks\"";
    secret_env: SECRET_VARIABLE, "requests are not signed",
        "Variable, of the environment or of .env, with the key that requests are signed with: base64, with or \
         without whsec_ before it. A file can hold it instead: secret_file = \"/run/secrets/notify\". Without \
         either, requests are not signed.", "\"NOTIFY_SECRET\"";
    secret_file: PATH, "requests are not signed", "File with that key, instead of `secret_env`.", "";
    ca_file: PATH, "none", "CA certificates to trust besides the system's, PEM.", "\"ca.pem\"";
    response_limit_bytes: BODY_BYTES, "`1048576`",
        "Bytes of a response that are kept as the result.", "1_048_576";
    headers: HEADERS, "none",
        "Headers that are sent with every request, besides those of the service itself, such as Content-Length and \
         webhook-….", "";
};

const LLM: &[TableKey] = keys! {
    base_url: URL, "required", "Where the OpenAI-compatible API begins.", "\"http://localhost:11434/v1\"";
    model: MODEL, "required", "Name of the model.", "\"llama3.2\"";
    system: PROMPT, "none", "System prompt: what the model reads before the task's content.",
        "\"Answer in one sentence.\"";
    api_key_env: SECRET_VARIABLE, "none",
        "Variable, of the environment or of .env, with the API key. A file can hold it instead (api_key_file). \
         Without either, none is sent.", "\"OPENAI_API_KEY\"";
    api_key_file: PATH, "none", "File with the API key, instead of `api_key_env`.", "";
    temperature: TEMPERATURE, "the model's own", "Without it, the model's own.", "0.7";
    max_tokens: TOKENS, "the model's own", "Tokens that an answer may have. Without it, the model's own limit.", "500";
    tokens_per_minute: TOKENS, "no limit",
        "Tokens of prompts and answers that may be used a minute. Requests are limited by rate.", "90_000";
    ca_file: PATH, "none", "CA certificates to trust besides the system's, PEM.", "\"ca.pem\"";
};

const WORKER: &[TableKey] = keys! {
    lease: LEASE, "`60`", "Seconds without a sign of life after which a worker loses its task.", "60";
};

const HIVE: &[TableKey] = keys! {
    function: FUNCTION, "required", "Name of the Python function that the ARQ workers run.", "\"translate\"";
    queue: HIVE_QUEUE, "`\"by priority\"`",
        "The queue: \"high\", \"background\", or \"by priority\", which sends tasks with a priority above 0 to \
         \"high\".", "\"by priority\"";
    codec: HIVE_CODEC, "`\"pickle\"`",
        "How jobs and results are serialized: \"pickle\", or \"json\" or \"msgpack\" if the workers are set up for \
         it.", "\"pickle\"";
    expects_result: SWITCH, "`true`",
        "Whether ARQ keeps the function's result. false is for a function with keep_result = 0: its tasks are \
         COMPLETED, without a result, when their jobs have ended.", "true";
};

const KEY: &[TableKey] = keys! {
    concurrency: CONCURRENCY, "no limit", "Number of its tasks that may run at the same time.", "2";
    rate: RATE, "no limit", "Number of starts in a second, minute, hour or day (units s, m, h, d).", "\"10/h\"";
};

const SCHEDULE: &[TableKey] = keys! {
    cron: CRON, "this or `every` is required",
        "Minute, hour, day, month, weekday; a sixth field before them is the second. Or @hourly, @daily, @weekly, \
         @monthly, @yearly.", "\"30 9 * * MON-FRI\"";
    timezone: TIMEZONE, "`UTC`", "Time zone of `cron`, an IANA name.", "\"UTC\"";
    every: EVERY, "this or `cron` is required", "Period between two tasks, instead of `cron`.", "";
    missed: MISSED, "`\"run once\"`",
        "What becomes of the times at which the service did not run: \"run once\" for all of them, or \"skip\".",
        "\"run once\"";
    content: CONTENT, "required", "The task's content.", "\"Report on yesterday.\"";
    processor: NAME, "`default_processor`", "The task's processor. Without it, default_processor.", "\"summarise\"";
    priority: PRIORITY, "`0`", "Higher runs first.", "0";
    max_attempts: ATTEMPTS, "the processor's", "Number of attempts. Without it, the processor's.", "3";
    timeout: PERIOD, "the processor's", "Seconds after which an attempt fails. Without it, the processor's.", "300";
    tags: TAGS, "none", "The task's tags.", "[\"report\"]";
    session_id: SESSION, "none", "The task's session.", "\"reports\"";
    concurrency_key: KEY, "none", "The task's concurrency key.", "\"reports\"";
    enabled: SWITCH, "`true`", "false keeps the schedule and submits nothing.", "true";
};

pub(super) const TABLES: &[KeyTable] = &[
    KeyTable {
        title: "`[processors.NAME]`",
        intro: "A processor is a way to run a task. These keys go with every kind.",
        keys: ANY_KIND,
        least: "[processors.a]\nkind = 'echo'\n",
    },
    KeyTable {
        title: "`kind = \"command\"`",
        intro: "Starts a program with the task's content on its standard input; its output is the result.",
        keys: COMMAND,
        least: "[processors.a]\nkind = 'command'\nprogram = 'a'\n",
    },
    KeyTable {
        title: "`kind = \"webhook\"`",
        intro: "Posts the task to an address; the response is the result.",
        keys: WEBHOOK,
        least: "[processors.a]\nkind = 'webhook'\nurl = 'http://a'\n",
    },
    KeyTable {
        title: "`kind = \"llm\"`",
        intro: "Sends the task's content to a language model with an OpenAI-compatible API.",
        keys: LLM,
        least: "[processors.a]\nkind = 'llm'\nbase_url = 'http://a'\nmodel = 'a'\n",
    },
    KeyTable {
        title: "`kind = \"worker\"`",
        intro: "Leaves the task to a program outside, which fetches it over HTTP.",
        keys: WORKER,
        least: "[processors.a]\nkind = 'worker'\n",
    },
    KeyTable {
        title: "`kind = \"hive\"`",
        intro: "Queues a job for ARQ workers behind Redis; see `enable_hive`. Its tasks take no slot of \
                `max_concurrent_tasks`.",
        keys: HIVE,
        least: "[processors.a]\nkind = 'hive'\nfunction = 'a'\n",
    },
    KeyTable {
        title: "`backoff`",
        intro: "The table `backoff` of a processor.",
        keys: BACKOFF,
        least: "[processors.a]\nkind = 'echo'\n[processors.a.backoff]\n",
    },
    KeyTable {
        title: "`[concurrency_keys.NAME]`",
        intro: "Tasks that name the same concurrency key share its limits, whichever processors run them. `\"*\"` \
                stands for every key without a table; if there is no `\"*\"` either, one task of a key runs at a time.",
        keys: KEY,
        least: "[concurrency_keys.a]\n",
    },
    KeyTable {
        title: "`[schedules.NAME]`",
        intro: "A task that is submitted on a schedule.",
        keys: SCHEDULE,
        least: "[schedules.a]\nevery = 60\ncontent = ''\n",
    },
];

pub(super) const EXAMPLES: &[Example] = &[
    Example {
        intro: "A command gets the task's content on its standard input. Each line that it writes becomes a line of \
                the task's log at once, the line \"::progress 0.4\" sets the progress, and all of it is the result. \
                The program and its arguments are started as they are, without a shell. timeout, concurrency, rate, \
                max_attempts and backoff go with every kind of processor.",
        heading: "[processors.summarise]",
        first: &["kind = \"command\""],
        keys: &[COMMAND, ANY_KIND],
        last: &[
            " Added to the environment of the service. VENOM_TASK_ID and VENOM_ATTEMPT are always set, VENOM_UPSTREAM",
            " for a task with dependencies.",
            "[processors.summarise.env]",
            "LANG = \"C.UTF-8\"",
        ],
    },
    Example {
        intro: "",
        heading: "[processors.shout]",
        first: &[
            "kind = \"command\"",
            "program = \"tr\"",
            "args = [\"a-z\", \"A-Z\"]",
        ],
        keys: &[],
        last: &[],
    },
    Example {
        intro: "The processor that is always there answers \"Processed: …\". It can be limited, not replaced.",
        heading: "[processors.echo]",
        first: &["kind = \"echo\""],
        keys: &[],
        last: &[],
    },
    Example {
        intro: "A webhook posts the task to an address; the response is the result.",
        heading: "[processors.notify]",
        first: &["kind = \"webhook\""],
        keys: &[WEBHOOK],
        last: &[
            " Sent with every request, besides the headers of the service itself, such as Content-Length and webhook-….",
            "[processors.notify.headers]",
            "X-Source = \"venom\"",
        ],
    },
    Example {
        intro: "An LLM answers the task's content, through any API like that of OpenAI (Ollama, vLLM, …).",
        heading: "[processors.answer]",
        first: &["kind = \"llm\""],
        keys: &[LLM],
        last: &[],
    },
    Example {
        intro: "A worker is a program outside that fetches its tasks over HTTP.",
        heading: "[processors.outside]",
        first: &["kind = \"worker\""],
        keys: &[WORKER],
        last: &[],
    },
    Example {
        intro: "A hive processor has its tasks run by ARQ workers behind Redis; see enable_hive. Without concurrency \
                of its own, 10000 at a time; its tasks take no slot of max_concurrent_tasks.",
        heading: "[processors.translate]",
        first: &["kind = \"hive\""],
        keys: &[HIVE],
        last: &[],
    },
    Example {
        intro: "Concurrency keys: tasks that name the same one ({\"content\": \"…\", \"concurrency_key\": \"gpu\"}) share \
                its limits, whichever processors run them. In a table, what is left out is not limited. \"*\" stands \
                for every key that has no table.",
        heading: "[concurrency_keys.\"*\"]",
        first: &["concurrency = 1"],
        keys: &[],
        last: &[],
    },
    Example {
        intro: "",
        heading: "[concurrency_keys.gpu]",
        first: &[],
        keys: &[KEY],
        last: &[],
    },
    Example {
        intro: "Schedules: tasks that are submitted on a schedule. Only cron or every, and the content, are required.",
        heading: "[schedules.morning_report]",
        first: &[],
        keys: &[SCHEDULE],
        last: &[],
    },
    Example {
        intro: "",
        heading: "[schedules.tidy]",
        first: &["every = \"1h\"", "content = \"tidy\""],
        keys: &[],
        last: &[],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::config::{Error, Settings, Sources};

    /// Returns the keys that the reader knows where these lines end.
    fn known(lines: &str) -> BTreeSet<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("venom.toml"), format!("{lines}'' = 1\n")).unwrap();
        let sources = Sources {
            directory: folder.path().to_owned(),
            ..Sources::default()
        };
        let Err(Error::Unknown { hint, .. }) = Settings::load(&sources) else {
            panic!("the empty key is unknown");
        };
        let (_, keys) = hint.split_once(": ").unwrap();
        keys.split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn the_lists_have_exactly_the_keys_that_the_reader_knows() {
        let of = |keys: &[TableKey]| {
            keys.iter()
                .map(|key| key.key.to_owned())
                .collect::<BTreeSet<_>>()
        };
        for table in TABLES {
            let mut keys = of(table.keys);
            if table.title.starts_with("`kind") {
                keys.append(&mut of(ANY_KIND));
            }
            assert_eq!(known(table.least), keys, "{}", table.title);
        }
    }
}
