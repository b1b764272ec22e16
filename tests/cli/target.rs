//! How a command finds its service.

use crate::harness::Folder;

#[test]
fn a_service_is_found_by_its_database() {
    let home = Folder::new();
    let _service = home.serve();
    let elsewhere = Folder::new();
    let database = home.path("data/venom.db");
    let database = database.to_str().unwrap();
    elsewhere.succeed(&["status", "--database", database]);
    elsewhere.write("venom.toml", &format!("database_path = {database:?}\n"));
    elsewhere.succeed(&["status"]);
}

#[test]
fn a_named_address_is_stronger_and_needs_no_settings() {
    let home = Folder::new();
    let _service = home.serve();
    let elsewhere = Folder::new();
    elsewhere.write("venom.toml", "this is no TOML");
    let url = home.url();
    assert_eq!(elsewhere.run(&["status"]).code, 1);
    elsewhere.succeed(&["status", "--url", &url]);
    assert_eq!(elsewhere.run_with("VENOM_URL", &url, &["status"]).code, 0);
    elsewhere.write(".env", &format!("VENOM_URL={url}\n"));
    elsewhere.succeed(&["status"]);

    let there = ["status", "--url", "http://127.0.0.1:1"];
    assert_eq!(elsewhere.run_with("VENOM_URL", &url, &there).code, 1);
}

#[test]
fn without_a_service_every_command_says_so() {
    let folder = Folder::new();
    folder.write("venom.toml", "port = 1\n");
    let id = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";
    for command in [
        &["submit", "hello"][..],
        &["status"],
        &["pause"],
        &["resume"],
        &["purge", "--yes"],
        &["emergency-stop", "--yes"],
        &["abort", id],
        &["watch"],
    ] {
        let done = folder.run(command);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{command:?}");
        assert_eq!(
            done.err,
            "error: no venom service answers at http://127.0.0.1:1; start one with `venom serve`\n",
            "{command:?}"
        );
    }
}

#[test]
fn a_proxy_is_not_asked_for_the_way() {
    let folder = Folder::new();
    let _service = folder.serve();
    let done = folder.run_with("http_proxy", "http://127.0.0.1:1", &["status"]);
    assert_eq!(done.code, 0, "{done:?}");
}
