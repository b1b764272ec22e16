//! completions and man: the command line described for shells and for `man`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::Folder;

#[test]
fn each_shell_gets_completions_that_name_the_commands() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.succeed(&["completions", shell]);
        assert!(script.contains("emergency-stop"), "{shell}");
    }
    assert_eq!(folder.run(&["completions", "tcsh"]).code, 2);
}

/// The script is given to a bash, which then completes with it.
#[test]
fn bash_completes_with_its_script() {
    let folder = Folder::new();
    let script = folder.succeed(&["completions", "bash"]);
    let mut bash = Command::new("bash")
        .args(["--norc", "--noprofile"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let ask = "\nCOMP_WORDS=(venom emer); COMP_CWORD=1; _venom venom emer venom; echo \"${COMPREPLY[@]}\"\n";
    let mut input = bash.stdin.take().unwrap();
    input.write_all((script + ask).as_bytes()).unwrap();
    drop(input);
    let out = bash.wait_with_output().unwrap().stdout;
    assert_eq!(String::from_utf8(out).unwrap().trim(), "emergency-stop");
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let folder = Folder::new();
    let page = folder.succeed(&["man"]);
    assert!(page.contains(".TH venom 1"), "{page}");
    assert!(page.contains("emergency\\-stop"), "{page}");
    folder.succeed(&["man", "--dir", "man/man1"]);
    let page = folder.read("man/man1/venom-submit.1");
    assert!(page.contains("\\-\\-wait"), "{page}");
    folder.write("file", "");
    let done = folder.run(&["man", "--dir", "file/man1"]);
    assert_eq!(done.code, 1, "{done:?}");
}
