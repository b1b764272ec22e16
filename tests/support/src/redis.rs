//! A real `redis-server` on a port and in a folder of its own, which keeps every write (AOF, synced each
//! time), and a client that is small enough to owe nothing to the code it tests.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::wait::{eventually, in_time};

/// Below those that the system hands out, so that nobody is given the port of one that was killed.
const PORTS: Range<u16> = 20_000..32_000;
/// How often another port is tried if one is taken.
const TRIES: usize = 10;

/// A Redis that runs, or was killed; it is killed when it is dropped.
pub struct Redis {
    folder: TempDir,
    port: u16,
    login: Login,
    arguments: Vec<String>,
    child: Child,
}

/// Who may use it.
enum Login {
    Everybody,
    Password(String),
    User(String, String),
}

/// What Redis answers to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Null,
    Number(i64),
    Bytes(Vec<u8>),
    List(Vec<Reply>),
}

impl Redis {
    /// Starts one that asks for no password, and waits until it answers.
    pub async fn start() -> Self {
        Self::start_for(Login::Everybody).await
    }

    /// Starts one with this password.
    pub async fn with_password(password: &str) -> Self {
        Self::start_for(Login::Password(password.to_owned())).await
    }

    /// Starts one that only this user may use.
    pub async fn with_user(name: &str, password: &str) -> Self {
        Self::start_for(Login::User(name.to_owned(), password.to_owned())).await
    }

    /// Starts one that asks for no password, with more arguments of `redis-server`.
    pub async fn with_arguments(arguments: &[&str]) -> Self {
        Self::started(Login::Everybody, arguments).await
    }

    async fn start_for(login: Login) -> Self {
        Self::started(login, &[]).await
    }

    async fn started(login: Login, arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for Redis");
        let arguments: Vec<_> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let (port, child) = started(&folder, &login, &arguments).await;
        Self {
            folder,
            port,
            login,
            arguments,
            child,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://user:password@127.0.0.1:port/0`
    pub fn url(&self) -> String {
        let login = match &self.login {
            Login::Everybody => String::new(),
            Login::Password(password) => format!(":{password}@"),
            Login::User(name, password) => format!("{name}:{password}@"),
        };
        format!("redis://{login}127.0.0.1:{}/0", self.port)
    }

    /// `kill -9`
    pub async fn kill9(&mut self) {
        self.child.kill().await.expect("a running Redis");
    }

    /// SIGSTOP: it keeps its connections, takes others, and answers nobody.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("a running Redis").cast_signed();
        let pid = Pid::from_raw(pid).expect("a process id");
        kill_process(pid, signal).expect("a running Redis");
    }

    /// Starts a killed one on its port and on what it kept.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.folder, self.port, &self.login, &self.arguments);
        let up = answers(&mut self.child, self.port, &self.login).await;
        assert!(up, "Redis did not start again:\n{}", log(&self.folder));
    }

    /// Refuses writes from now on, as a Redis does whose memory is full.
    pub async fn refuse_writes(&self) {
        self.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    }

    /// Takes writes again.
    pub async fn take_writes(&self) {
        self.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    }

    /// The answer to one command; fails if it is an error.
    pub async fn command(&self, words: &[&str]) -> Reply {
        let asked = in_time("Redis answers", ask(self.port, &self.login, words)).await;
        asked.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// These commands in one step; fails if it is refused.
    pub async fn transaction(&self, commands: &[&[&str]]) {
        let done = async {
            let mut stream = connect(self.port, &self.login).await?;
            tell(&mut stream, &["MULTI"]).await?;
            for words in commands {
                tell(&mut stream, words).await?;
            }
            tell(&mut stream, &["EXEC"]).await
        };
        let done = in_time("Redis answers", done).await;
        done.unwrap_or_else(|error| panic!("{commands:?}: {error}"));
    }

    /// Hears what is published on a channel from this moment on.
    pub async fn listen(&self, channel: &str) -> Channel {
        let listening = async {
            let mut stream = connect(self.port, &self.login).await?;
            tell(&mut stream, &["SUBSCRIBE", channel]).await?;
            Ok::<_, String>(Channel(stream))
        };
        let listening = in_time("Redis answers", listening).await;
        listening.unwrap_or_else(|error| panic!("{channel}: {error}"))
    }

    /// What somebody hears who does not log in: an answer, or the text of an error.
    pub async fn ask_without_login(&self, words: &[&str]) -> Result<Reply, String> {
        in_time("Redis answers", ask(self.port, &Login::Everybody, words)).await
    }
}

/// What is published on a channel.
pub struct Channel(BufReader<TcpStream>);

impl Channel {
    /// Waits until this is published.
    pub async fn until_said(&mut self, words: &str) {
        let said = async {
            loop {
                let message = read(&mut self.0).await.expect("a message");
                if message.texts().last() == Some(&words) {
                    return;
                }
            }
        };
        in_time("the channel says so", said).await;
    }
}

impl Reply {
    /// The text of a string.
    pub fn text(&self) -> &str {
        let Self::Bytes(bytes) = self else {
            panic!("not a string: {self:?}");
        };
        std::str::from_utf8(bytes).expect("UTF-8")
    }

    pub fn number(&self) -> i64 {
        let Self::Number(number) = self else {
            panic!("not a number: {self:?}");
        };
        *number
    }

    /// The texts of a list of strings.
    pub fn texts(&self) -> Vec<&str> {
        let Self::List(items) = self else {
            panic!("not a list: {self:?}");
        };
        items.iter().map(Self::text).collect()
    }
}

/// A Redis that answers, and its port.
async fn started(folder: &TempDir, login: &Login, arguments: &[String]) -> (u16, Child) {
    for _ in 0..TRIES {
        let port = fastrand::u16(PORTS);
        let mut child = spawn(folder, port, login, arguments);
        if answers(&mut child, port, login).await {
            return (port, child);
        }
    }
    panic!("Redis did not start:\n{}", log(folder));
}

fn spawn(folder: &TempDir, port: u16, login: &Login, arguments: &[String]) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("redis.log"));
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(folder.path())
        .args(["--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .args(arguments);
    match login {
        Login::Everybody => {}
        Login::Password(password) => {
            command.args(["--requirepass", password]);
        }
        Login::User(name, password) => {
            let secret = format!(">{password}");
            command.args(["--user", name, "on", &secret, "~*", "&*", "+@all"]);
            command.args(["--user", "default", "off"]);
        }
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(log.expect("a folder to write in"))
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    match child {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("there is no redis-server: scripts/test installs it")
        }
        child => child.expect("redis-server can be started"),
    }
}

/// Waits until this very process answers and has read what it kept; false if it ends before.
async fn answers(child: &mut Child, port: u16, login: &Login) -> bool {
    let pid = format!("process_id:{}\r\n", child.id().expect("a running Redis"));
    eventually("Redis answers", || {
        let ended = child.try_wait().expect("a child that can be waited for");
        let pid = &pid;
        async move {
            if ended.is_some() {
                return Some(false);
            }
            let info = ask(port, login, &["INFO"]).await.ok()?;
            // While it reads what it kept, it answers this and refuses everything else.
            let whole = info.text().contains("\nloading:0\r\n");
            (whole && info.text().contains(pid)).then_some(true)
        }
    })
    .await
}

fn log(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("redis.log")).unwrap_or_default()
}

/// One command over a connection of its own.
async fn ask(port: u16, login: &Login, words: &[&str]) -> Result<Reply, String> {
    tell(&mut connect(port, login).await?, words).await
}

/// A connection, after a login if there is one.
async fn connect(port: u16, login: &Login) -> Result<BufReader<TcpStream>, String> {
    let connected = TcpStream::connect(("127.0.0.1", port)).await;
    let mut stream = BufReader::new(connected.map_err(|error| error.to_string())?);
    match login {
        Login::Everybody => {}
        Login::Password(password) => drop(tell(&mut stream, &["AUTH", password]).await?),
        Login::User(name, password) => drop(tell(&mut stream, &["AUTH", name, password]).await?),
    }
    Ok(stream)
}

async fn tell(stream: &mut BufReader<TcpStream>, words: &[&str]) -> Result<Reply, String> {
    let start = format!("*{}\r\n", words.len());
    let text = words.iter().fold(start, |text, word| {
        text + &format!("${}\r\n{word}\r\n", word.len())
    });
    let sent = stream.write_all(text.as_bytes()).await;
    sent.map_err(|error| error.to_string())?;
    read(stream).await
}

/// One reply as Redis writes it: a letter for its kind, its size or value, and what it holds.
async fn read(stream: &mut BufReader<TcpStream>) -> Result<Reply, String> {
    let mut line = String::new();
    let got = stream.read_line(&mut line).await;
    got.map_err(|error| error.to_string())?;
    let line = line.strip_suffix("\r\n").ok_or("the connection closed")?;
    let (kind, rest) = line.split_at(1);
    if kind == "-" {
        return Err(rest.to_owned());
    }
    if kind == "+" {
        return Ok(Reply::Bytes(rest.as_bytes().to_vec()));
    }
    let number: i64 = rest.parse().map_err(|_| format!("no number: {line}"))?;
    let Ok(size) = usize::try_from(number) else {
        return Ok(if kind == ":" {
            Reply::Number(number)
        } else {
            Reply::Null
        });
    };
    match kind {
        ":" => Ok(Reply::Number(number)),
        "$" => {
            let mut bytes = vec![0; size + 2];
            let got = stream.read_exact(&mut bytes).await;
            got.map_err(|error| error.to_string())?;
            bytes.truncate(size);
            Ok(Reply::Bytes(bytes))
        }
        "*" => {
            let mut items = Vec::new();
            for _ in 0..size {
                items.push(Box::pin(read(stream)).await?);
            }
            Ok(Reply::List(items))
        }
        _ => Err(format!("not a reply: {line}")),
    }
}
