//! Reads the commands of a page.
//!
//! - A block of the language `sh` is one script: its commands succeed, its output is not compared.
//! - In a block of the language `console` a line that begins with `$ ` is a command, lines that begin with
//!   `> ` continue it, and the lines that follow are its output. A command that shows no output may print
//!   anything. `…` stands for any text of a line, and as a line of its own for any lines. Task ids and times
//!   match any other ids and times.
//! - A line that starts the service (`venom` or `venom serve …`) runs in the background until the page ends.
//! - The comment `<!-- test: background -->` before a block has its commands run in the background.
//! - The comment `<!-- test: setup`, with the lines of a script up to `-->`, runs that script. Its lines say
//!   what the reader of the page has anyway, such as a model that answers.
//!
//! Blocks of other languages are not run.

/// A piece of a page that the shell runs.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    /// The line of the page on which the command stands, from 1.
    pub(crate) line: usize,
    pub(crate) script: String,
    /// The output that the page shows, if it shows any.
    pub(crate) shown: Vec<String>,
    pub(crate) background: bool,
}

/// Returns the steps of a page in their order.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let mut steps = Vec::new();
    let mut background = false;
    while let Some((line, text)) = lines.next() {
        let text = text.trim_start();
        match text {
            "<!-- test: background -->" => background = true,
            "<!-- test: setup" => {
                let script = block(&mut lines, "-->");
                steps.push(step(line, join(&script), false));
            }
            "```sh" => {
                let script = block(&mut lines, "```");
                whole(&mut steps, &script, background);
                background = false;
            }
            "```console" => {
                console(&mut steps, &block(&mut lines, "```"), background);
                background = false;
            }
            _ if text.starts_with("```") => drop(block(&mut lines, "```")),
            _ => {}
        }
    }
    steps
}

/// Returns true if the command runs until somebody stops it.
fn serves(command: &str) -> bool {
    command == "venom" || command.starts_with("venom serve")
}

fn step(line: usize, script: String, background: bool) -> Step {
    let shown = Vec::new();
    Step {
        line,
        script,
        shown,
        background,
    }
}

fn join(lines: &[(usize, &str)]) -> String {
    let lines: Vec<_> = lines.iter().map(|(_, line)| *line).collect();
    lines.join("\n")
}

/// Takes the lines up to the one that ends the block.
fn block<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    end: &str,
) -> Vec<(usize, &'a str)> {
    lines.take_while(|(_, line)| line.trim() != end).collect()
}

/// Adds a script. A last line that starts the service becomes a step of its own.
fn whole(steps: &mut Vec<Step>, script: &[(usize, &str)], background: bool) {
    let Some((last, rest)) = script.split_last() else {
        return;
    };
    if serves(last.1) {
        whole(steps, rest, background);
        steps.push(step(last.0, last.1.to_owned(), true));
    } else {
        steps.push(step(script[0].0, join(script), background));
    }
}

/// Adds the commands of a console block with the output that follows each of them.
fn console(steps: &mut Vec<Step>, lines: &[(usize, &str)], background: bool) {
    let first = steps.len();
    for (line, text) in lines {
        if let Some(command) = text.strip_prefix("$ ") {
            let background = background || serves(command);
            steps.push(step(*line, command.to_owned(), background));
            continue;
        }
        assert!(steps.len() > first, "line {line}: output without a command");
        let step = steps.last_mut().expect("a command stands before");
        match text.strip_prefix("> ") {
            Some(more) if step.shown.is_empty() => {
                step.script.push('\n');
                step.script.push_str(more);
            }
            _ => step.shown.push((*text).to_owned()),
        }
    }
    for step in &mut steps[first..] {
        while step.shown.last().is_some_and(String::is_empty) {
            step.shown.pop();
        }
    }
}

#[test]
fn a_page_is_read_as_its_blocks_say() {
    let page = "text\n```console\n$ one \\\n> two\nout\n\n$ venom\n```\n```toml\n$ no\n```\n\
                <!-- test: background -->\n```sh\na\nvenom serve --port 1\n```\n<!-- test: setup\nb\n-->\n";
    let steps = steps(page);
    let seen: Vec<_> = steps
        .iter()
        .map(|step| (step.line, step.script.as_str(), step.background))
        .collect();
    let expected = [
        (3, "one \\\ntwo", false),
        (7, "venom", true),
        (14, "a", true),
        (15, "venom serve --port 1", true),
        (17, "b", false),
    ];
    assert_eq!(seen, expected);
    assert_eq!(steps[0].shown, ["out"]);
}
