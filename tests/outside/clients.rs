//! Clients that public generators make from `/openapi.json` work: programs of `tests/clients` use them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use support::{Service, Setup, in_time};

fn target(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("target").join(path)
}

/// A program of `tests/clients`.
fn source(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/clients").join(name)
}

/// A service that asks for tokens, one of them, and its document in a file.
async fn documented() -> (Service, String, PathBuf) {
    let setup = Setup::new().setting("auth", "\"required\"");
    let token = setup.create_token(&["client", "--role", "admin"]);
    let service = setup.start().await;
    let document = service.setup().folder().join("openapi.json");
    let text = service.get("/openapi.json").await.body;
    std::fs::write(&document, text).expect("a folder to write in");
    (service, token, document)
}

/// The first block of this language on the page about clients that holds `word`, for a service at `url`.
fn example(language: &str, word: &str, url: &str) -> String {
    let page = include_str!("../../docs/guides/clients.md");
    let fence = format!("\n```{language}\n");
    let blocks = page.split(&fence).skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    let block = blocks.find(|block| block.contains(word));
    let block = block.unwrap_or_else(|| panic!("an example with {word}"));
    assert!(block.contains("http://127.0.0.1:8000"), "{block}");
    block.replace("http://127.0.0.1:8000", url)
}

/// Runs a program that has to succeed; what it said.
async fn run(what: &str, command: &mut Command) -> String {
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let done = in_time(what, command.output()).await;
    let done = done.unwrap_or_else(|error| panic!("{what}: {error}; scripts/test installs it"));
    let said = [&done.stdout[..], &done.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(done.status.success(), "{what}: {said}");
    said.into_owned()
}

#[tokio::test]
#[ignore = "needs openapi-python-client: scripts/test installs it"]
async fn client_in_python_is_made_from_the_document_and_works() {
    let (service, token, document) = documented().await;
    let folder = service.setup().folder();
    let generator = target("python-client-venv/bin/openapi-python-client");
    let mut generate = Command::new(generator);
    let generate = generate.args(["generate", "--meta", "none", "--path"]);
    let generate = generate.arg(&document).arg("--output-path");
    let said = run(
        "the generator",
        generate.arg(folder.join("made/venom_client")),
    );
    let said = said.await;
    // Nothing is left out.
    for word in ["WARNING", "Unable to", "removal"] {
        assert!(!said.contains(word), "{said}");
    }
    let mut program = Command::new(target("python-client-venv/bin/python"));
    let program = program
        .arg(source("client.py"))
        .env("PYTHONPATH", folder.join("made"));
    let program = program.env("VENOM", service.url("")).env("TOKEN", &token);
    run("the program", program).await;

    // The README's own, for a service that asks for no token.
    let open = Service::start().await;
    let mut program = Command::new(target("python-client-venv/bin/python"));
    let program = program.env("PYTHONPATH", folder.join("made")).arg("-c");
    let program = program.arg(example("python", "venom_client", &open.url("")));
    let said = run("the README's program", program).await;
    assert_eq!(said, "Processed: hello\n");
    open.stop().await;
    service.stop().await;
}

#[tokio::test]
#[ignore = "needs openapi-typescript: scripts/test installs it"]
async fn client_in_typescript_is_made_from_the_document_and_works() {
    let (service, token, document) = documented().await;
    let bin = target("typescript-client/node_modules/.bin");
    // Below the packages, so that they are found.
    let folder = target("typescript-client/made");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(source("client.mts"), folder.join("client.mts")).expect("a copy");
    let mut generate = Command::new(bin.join("openapi-typescript"));
    let generate = generate.arg(&document).arg("--default-non-nullable=false");
    let types = folder.join("venom.d.ts");
    run("the generator", generate.arg("--output").arg(&types)).await;
    let mut compile = Command::new(bin.join("tsc"));
    let compile = compile.args(["--strict", "--module", "nodenext", "--target", "es2022"]);
    let compile = compile.args(["--types", "node", "client.mts"]);
    run("the compiler", compile.current_dir(&folder)).await;
    let mut program = Command::new("node");
    let program = program.arg("client.mjs").current_dir(&folder);
    let program = program.env("VENOM", service.url("")).env("TOKEN", &token);
    run("the program", program).await;
    service.stop().await;
}
