//! `venom hive`: what it asks of the service, and how it says the answer.

use crate::harness::Folder;
use crate::stub_service::Canned;

const TOLD: (&str, &str) = (
    "200 OK",
    r#"{"success": true, "receivers": 2, "message": "Sent to the Hive; 2 nodes received it."}"#,
);

#[test]
fn orders_are_broadcast() {
    let folder = Folder::new();
    let service = Canned::new([TOLD, TOLD, TOLD, TOLD]);
    let hive = |words: &[&str]| {
        let words = [&["hive"], words, &["--url", &service.url]].concat();
        let done = folder.run(&words);
        assert_eq!(done.code, 0, "{done:?}");
        done
    };
    let pause = [
        "pause",
        "--reason",
        "moving",
        "--until",
        "2126-01-01T00:00:00Z",
    ];
    assert_eq!(hive(&pause).err, "Sent to the Hive; 2 nodes received it.\n");
    hive(&["resume"]);
    hive(&["resume", "--processor", "echo"]);
    let stop = hive(&["emergency-stop", "--yes", "--json"]);
    assert!(stop.out.contains(r#""receivers":2"#), "{stop:?}");
    let expected = [
        r#"{"command":"pause","data":{"until":"2126-01-01T00:00:00.000000Z","reason":"moving"}}"#,
        r#"{"command":"resume","data":{}}"#,
        r#"{"command":"resume","data":{"processor":"echo"}}"#,
        r#"{"command":"emergency_stop","data":{}}"#,
    ];
    let expected = expected.map(|body| format!("POST /api/v1/hive/broadcast {body}"));
    assert_eq!(service.requests(), expected);
}

#[test]
fn a_service_without_the_hive_says_so() {
    let folder = Folder::new();
    let _service = folder.serve();
    for words in [["hive", "status"], ["hive", "nodes"], ["hive", "pause"]] {
        let done = folder.run(&words);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
        assert_eq!(done.err, "error: The Hive is off: set enable_hive.\n");
    }
}
