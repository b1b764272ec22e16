//! What bytes mean: no process here.

use super::super::output::{LINE_LIMIT_BYTES, Lines, RESULT_LIMIT_BYTES, ResultText, ScreenLine};

/// What a stream that arrives in these chunks puts in the log, and its result.
fn read(chunks: &[&[u8]]) -> (Vec<String>, String) {
    let mut lines = Lines::default();
    let mut screen = ScreenLine::default();
    let mut result = ResultText::default();
    let mut log = Vec::new();
    for chunk in chunks {
        let mut chunk: &[u8] = chunk;
        while let Some(piece) = lines.next(&mut chunk) {
            log.extend(screen.print(&piece));
            result.push(piece.raw);
        }
    }
    if let Some(piece) = lines.last() {
        log.extend(screen.print(&piece));
        result.push(piece.raw);
    }
    log.extend(screen.end());
    let log = log.into_iter().map(|line| line.text).collect();
    (log, result.finish())
}

fn progress(line: &str) -> Option<f64> {
    let mut lines = Lines::default();
    let mut chunk = line.as_bytes();
    match lines.next(&mut chunk) {
        Some(piece) => piece.progress(),
        None => lines.last()?.progress(),
    }
}

#[test]
fn a_line_is_the_same_however_its_bytes_arrive() {
    let whole = read(&[b"one\ntwo\r\n\nlast"]);
    assert_eq!(whole.0, ["one", "two", "", "last"]);
    assert_eq!(whole.1, "one\ntwo\r\n\nlast");
    let bytes: Vec<&[u8]> = b"one\ntwo\r\n\nlast".chunks(1).collect();
    assert_eq!(read(&bytes), whole);
    assert_eq!(read(&[]), (vec![], String::new()));
}

#[test]
fn of_a_progress_bar_the_last_state_is_logged() {
    for (printed, expected) in [
        (&b"10%\r20%\r\r\n"[..], &["20%"][..]),
        (b"10%\r20%", &["20%"]),
        (b"10%\r20%\r", &["20%"]),
        (b"10%\r   \rdone\n", &["done"]),
        (b"10%\r\x1b[K\nnext\n", &["next"]),
        (b"one\r\ntwo\r\n\r\n", &["one", "two", ""]),
        (b"\r", &[""]),
        (b"10%\r::progress 0.2\r20%\n", &["20%"]),
    ] {
        assert_eq!(read(&[printed]).0, expected, "{printed:?}");
        let bytes: Vec<&[u8]> = printed.chunks(1).collect();
        assert_eq!(read(&bytes).0, expected, "{printed:?} byte by byte");
    }
    // Far more than one line may hold, and the last state is there.
    let states: String = (0..=100_000)
        .map(|state| format!("\rstate {state}"))
        .collect();
    assert_eq!(read(&[states.as_bytes()]).0, ["state 100000"]);
    let (log, result) = read(&[b"10%\r20%\x1b[0m\n"]);
    assert_eq!((log[0].as_str(), result.as_str()), ("20%", "10%\r20%"));
}

#[test]
fn how_a_line_stands_is_shown_until_it_ends() {
    let (mut lines, mut screen) = (Lines::default(), ScreenLine::default());
    let feed = |lines: &mut Lines, screen: &mut ScreenLine, mut chunk: &[u8]| {
        let mut logged = Vec::new();
        while let Some(piece) = lines.next(&mut chunk) {
            logged.extend(screen.print(&piece));
        }
        logged
    };
    assert_eq!(screen.live(&lines), None);
    feed(&mut lines, &mut screen, b"10%\r\x1b[31m20");
    let shown = screen.live(&lines).unwrap();
    assert_eq!(shown.text, "20");
    assert_eq!(shown.ansi.as_deref(), Some("\x1b[0;31m20\x1b[0m"));
    let logged = feed(&mut lines, &mut screen, b"%\x1b[m\nnext\n");
    assert!(logged[0].replaces && !logged[1].replaces, "{logged:?}");
    assert_eq!(screen.live(&lines), None);
    // Erased text disappears; messages to the service are not shown.
    feed(&mut lines, &mut screen, b"bar");
    assert_eq!(screen.live(&lines).unwrap().text, "bar");
    assert!(feed(&mut lines, &mut screen, b"\r\x1b[K\n").is_empty());
    assert_eq!(screen.live(&lines).unwrap().text, "");
    feed(&mut lines, &mut screen, b"::progress 0.");
    assert_eq!(screen.live(&lines), None);
}

#[test]
fn a_result_has_no_escape_sequences() {
    let printed = b"\x1b[1mbold\x1b[0m\tand\x07 plain\r\n\x1b]0;title\x07end\n";
    assert_eq!(read(&[printed]).1, "bold\tand plain\r\nend");
}

#[test]
fn the_result_loses_one_line_end() {
    for (printed, result) in [
        ("hi", "hi"),
        ("hi\n", "hi"),
        ("hi\r\n", "hi"),
        ("hi\n\n", "hi\n"),
        ("\n", ""),
    ] {
        assert_eq!(read(&[printed.as_bytes()]).1, result, "{printed:?}");
    }
}

#[test]
fn what_is_no_text_becomes_u_fffd() {
    let (log, result) = read(&[b"a\xffb\0c\xc3\n"]);
    assert_eq!(log, ["a\u{FFFD}b\u{FFFD}c\u{FFFD}"]);
    assert_eq!(result, log[0]);
    // A character that arrives in two halves is whole.
    assert_eq!(read(&[b"\xc5", b"\xbc\n"]).0, ["ż"]);
}

#[test]
fn a_long_line_is_cut_in_the_log_and_whole_in_the_result() {
    let long = "x".repeat(3 * LINE_LIMIT_BYTES);
    let printed = format!("{long}\nnext\n");
    let chunks: Vec<&[u8]> = printed.as_bytes().chunks(1000).collect();
    let (log, result) = read(&chunks);
    let head = &long[..LINE_LIMIT_BYTES];
    assert_eq!(log, [&format!("{head} [line cut at 65536 bytes]"), "next"]);
    assert_eq!(result, format!("{long}\nnext"));
}

#[test]
fn a_line_of_just_the_limit_is_not_cut() {
    for line_end in ["\n", "\r\n", ""] {
        let line = "x".repeat(LINE_LIMIT_BYTES);
        let (log, _) = read(&[format!("{line}{line_end}").as_bytes()]);
        assert!(log == [line], "{line_end:?}");
    }
}

#[test]
fn a_cut_spares_characters() {
    let line = format!("{}żż", "x".repeat(LINE_LIMIT_BYTES - 1));
    let (log, _) = read(&[line.as_bytes()]);
    let head = &line[..LINE_LIMIT_BYTES - 1];
    assert!(log == [format!("{head} [line cut at 65536 bytes]")]);

    let printed = format!("{}🦀🦀", "x\n".repeat(RESULT_LIMIT_BYTES / 2 - 1));
    let (_, result) = read(&[printed.as_bytes()]);
    let whole = &printed[..RESULT_LIMIT_BYTES - 2];
    assert!(result == format!("{whole}\n[result cut at 1048576 bytes]"));
}

#[test]
fn the_result_is_cut_after_its_limit_and_not_at_it() {
    let line = format!("{}\n", "x".repeat(1023));
    let full = line.repeat(1024);
    assert!(read(&[full.as_bytes()]).1 == full[..RESULT_LIMIT_BYTES - 1]);
    assert!(read(&[full.as_bytes(), b"\n"]).1 == full);
    let cut = format!("{full}\n[result cut at 1048576 bytes]");
    assert!(read(&[full.as_bytes(), b"y"]).1 == cut);
    assert!(read(&[full.as_bytes(), b"\r\ny"]).1 == cut);
    assert!(read(&[full.as_bytes(), full.as_bytes()]).1 == cut);
}

#[test]
fn only_a_well_formed_progress_line_is_one() {
    for (line, value) in [
        ("::progress 0.4\n", 0.4),
        ("::progress 0\r\n", 0.0),
        ("::progress 1", 1.0),
        ("::progress  .5 \n", 0.5),
    ] {
        assert_eq!(progress(line), Some(value), "{line:?}");
    }
    for line in [
        "::progress\n",
        "::progress half\n",
        "::progress 1.1\n",
        "::progress -0.1\n",
        "::progress NaN\n",
        "::progress inf\n",
        "::progress 0.4 of it\n",
        " ::progress 0.4\n",
        "::progression 0.4\n",
    ] {
        assert_eq!(progress(line), None, "{line:?}");
    }
}
