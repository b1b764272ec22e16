//! backup and restore: beside a running service, without one, and what they refuse.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use crate::harness::{Folder, Running};

/// A folder in which a service has run a task, and runs.
fn serving() -> (Folder, Running) {
    let folder = Folder::new();
    let service = folder.serve();
    folder.succeed(&["submit", "--wait", "one"]);
    (folder, service)
}

fn contents(folder: &Folder, database: &str) -> String {
    let dump = folder.json(&["export", "--database", database]);
    let tasks = dump["tasks"].as_array().unwrap().iter();
    let contents = tasks.map(|task| task["content"].as_str().unwrap());
    contents.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_backup_beside_a_running_service_is_whole_and_comes_back() {
    let (folder, service) = serving();
    let done = folder.run(&["backup", "backup.db"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.err
            .starts_with("backup.db written and checked: 1 tasks, "),
        "{done:?}"
    );
    let mode = folder.path("backup.db").metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    // One file, and nothing else is left behind.
    let names = std::fs::read_dir(folder.path(".")).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["backup.db", "data"]);

    folder.succeed(&["submit", "--wait", "after the backup"]);
    let done = folder.run(&["restore", "--yes", "backup.db"]);
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains("is in use by a venom process"),
        "{done:?}"
    );
    assert_eq!(service.stop(), 0);
    let done = folder.run(&["restore", "--yes", "backup.db"]);
    assert_eq!(done.code, 0, "{done:?}");
    let aside = done.err.lines().last().unwrap();
    let aside = aside.strip_prefix("the old database is in ").unwrap();
    assert_eq!(contents(&folder, "data/venom.db"), "one");
    assert_eq!(contents(&folder, aside), "one after the backup");

    // The restored database is a database as any other: it runs, in WAL mode.
    let _service = folder.serve();
    folder.succeed(&["submit", "--wait", "two"]);
    assert!(folder.path("data/venom.db-wal").exists());
    assert_eq!(contents(&folder, "data/venom.db"), "one two");
}

#[test]
fn a_service_can_run_on_the_backup_itself() {
    let (folder, _service) = serving();
    folder.succeed(&["backup", "backup.db"]);
    let other = folder.start(&["serve", "--port", "0", "--database", "backup.db"]);
    other.err.until("listens on");
    assert!(folder.path("backup.db-wal").exists());
    let done = folder.run(&["backup", "--force", "backup.db"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("a database in use"), "{done:?}");
    assert_eq!(other.stop(), 0);
    assert_eq!(contents(&folder, "backup.db"), "one");
}

#[test]
fn nothing_is_overwritten_unless_it_is_asked_for() {
    let (folder, _service) = serving();
    folder.write("backup.db", "precious");
    let done = folder.run(&["backup", "backup.db"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("--force"), "{done:?}");
    assert_eq!(folder.read("backup.db"), "precious");
    assert_eq!(folder.run(&["backup", "--force", "backup.db"]).code, 0);
    assert_eq!(contents(&folder, "backup.db"), "one");
    for own in ["data/venom.db", "data/venom.db-wal", "data/venom.db.lock"] {
        let done = folder.run(&["backup", "--force", own]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains("a file of the database"), "{done:?}");
    }
    assert_eq!(folder.run(&["backup", "data"]).code, 2);
    folder.succeed(&["submit", "--wait", "still alive"]);
}

#[test]
fn a_damaged_database_gives_no_backup_and_a_damaged_backup_restores_nothing() {
    let (folder, service) = serving();
    folder.succeed(&["backup", "backup.db"]);
    assert_eq!(service.stop(), 0);
    let good = std::fs::read(folder.path("backup.db")).unwrap();
    let mut bad = good.clone();
    let half = bad.len() / 2;
    bad[half..].fill(7);
    std::fs::write(folder.path("bad.db"), &bad).unwrap();
    let before = std::fs::read(folder.path("data/venom.db")).unwrap();
    for file in ["bad.db", "nothing.db"] {
        let done = folder.run(&["restore", "--yes", file]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.err.contains(file), "{done:?}");
    }
    assert_eq!(std::fs::read(folder.path("data/venom.db")).unwrap(), before);

    std::fs::write(folder.path("data/venom.db"), &bad).unwrap();
    let done = folder.run(&["backup", "second.db"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(!folder.path("second.db").exists());
    // A damaged database does not stand in the way of its restore, and is kept too.
    let done = folder.run(&["restore", "--yes", "backup.db"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.err.contains("before-restore"), "{done:?}");
    assert_eq!(contents(&folder, "data/venom.db"), "one");
}

#[test]
fn what_is_no_database_of_ours_is_refused() {
    let folder = Folder::new();
    folder.write("empty.db", "");
    folder.write("text.db", &"no database ".repeat(1000));
    for file in ["empty.db", "text.db"] {
        let done = folder.run(&["restore", "--yes", file]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.err.contains(file), "{done:?}");
    }
    assert!(!folder.path("data/venom.db").exists());
    let done = folder.run(&["backup", "backup.db"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("does not exist"), "{done:?}");
}

/// Only root can give files away; what anybody else restores is theirs in any case.
#[test]
fn a_restored_database_belongs_to_the_owner_of_its_folder() {
    let (folder, service) = serving();
    folder.succeed(&["backup", "backup.db"]);
    assert_eq!(service.stop(), 0);
    std::fs::create_dir(folder.path("home")).unwrap();
    let _ = chown(folder.path("home"), Some(1234), Some(1234));
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path("."), mode).unwrap();
    let owner = folder.path("home").metadata().unwrap().uid();
    folder.succeed(&[
        "restore",
        "--yes",
        "backup.db",
        "--database",
        "home/venom.db",
    ]);
    for name in ["home/venom.db", "home/venom.db.lock"] {
        assert_eq!(folder.path(name).metadata().unwrap().uid(), owner, "{name}");
    }
}

#[test]
fn a_log_that_was_left_alone_is_not_applied_to_what_is_restored() {
    let (folder, service) = serving();
    folder.succeed(&["backup", "backup.db"]);
    folder.succeed(&["submit", "--wait", "two"]);
    let log = folder.path("data/venom.db-wal");
    let stale = std::fs::read(&log).unwrap();
    assert!(!stale.is_empty());
    assert_eq!(service.stop(), 0);
    std::fs::remove_file(folder.path("data/venom.db")).unwrap();
    std::fs::write(&log, &stale).unwrap();
    folder.succeed(&["restore", "--yes", "backup.db"]);
    assert_eq!(contents(&folder, "data/venom.db"), "one");
    let kept = std::fs::read_dir(folder.path("data")).unwrap();
    let kept: Vec<_> = kept.map(|file| file.unwrap().file_name()).collect();
    let is_kept = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.starts_with("venom.db-wal.before-restore-")
    };
    assert!(kept.iter().any(is_kept), "{kept:?}");
}

#[test]
fn what_a_link_leads_to_is_restored() {
    let (folder, service) = serving();
    folder.succeed(&["backup", "backup.db"]);
    assert_eq!(service.stop(), 0);
    std::fs::create_dir(folder.path("disk")).unwrap();
    std::fs::rename(folder.path("data/venom.db"), folder.path("disk/real.db")).unwrap();
    std::os::unix::fs::symlink("../disk/real.db", folder.path("data/venom.db")).unwrap();
    folder.succeed(&["restore", "--yes", "backup.db"]);
    assert!(folder.path("data/venom.db").is_symlink());
    assert_eq!(contents(&folder, "disk/real.db"), "one");
}

#[test]
fn a_restore_brings_back_no_token_that_was_revoked_since() {
    let folder = Folder::new();
    folder.write("venom.toml", "auth = \"required\"\n");
    let create = |name: &str| folder.succeed(&["token", "create", name, "--role", "admin"]);
    let (kept, revoked) = (create("kept"), create("revoked"));
    let service = folder.serve();
    folder.succeed(&["backup", "backup.db"]);
    folder.succeed(&["token", "revoke", "revoked"]);
    let late = create("late");
    assert_eq!(service.stop(), 0);

    let opens = |token: &str| folder.run(&["status", "--token", token]).code == 0;
    let done = folder.run(&["restore", "--yes", "backup.db"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.err.contains("those of the old database are kept"),
        "{done:?}"
    );
    let service = folder.serve();
    assert!(opens(&kept) && opens(&late));
    assert!(!opens(&revoked));
    assert_eq!(service.stop(), 0);

    // Unless it is asked for.
    let done = folder.run(&["restore", "--yes", "--with-tokens", "backup.db"]);
    assert!(done.err.contains("those of the backup"), "{done:?}");
    let service = folder.serve();
    assert!(opens(&kept) && opens(&revoked) && !opens(&late));
    assert_eq!(service.stop(), 0);

    // Where there is none yet, the backup's are all there is.
    folder.succeed(&[
        "restore",
        "--yes",
        "backup.db",
        "--database",
        "elsewhere/venom.db",
    ]);
    let listed = folder.json(&[
        "token",
        "list",
        "--json",
        "--database",
        "elsewhere/venom.db",
    ]);
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|token| &token["name"])
        .collect();
    assert_eq!(names, ["kept", "revoked"]);
}

/// A folder that user 1234 owns, a service of whom may be anybody's, and a backup of root's; `None` if we are not root.
fn home_of_another() -> Option<Folder> {
    let (folder, service) = serving();
    folder.succeed(&["backup", "backup.db"]);
    assert_eq!(service.stop(), 0);
    for name in ["home", "roots"] {
        std::fs::create_dir(folder.path(name)).unwrap();
    }
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path("."), mode).unwrap();
    folder.write("roots/precious", "precious");
    match chown(folder.path("home"), Some(1234), Some(1234)) {
        Ok(()) => Some(folder),
        Err(_) => {
            eprintln!("skipped: only root can give a folder away");
            None
        }
    }
}

/// Whoever owns the folder would else have root's command write where only root can.
#[test]
fn root_is_not_led_astray_by_links_in_the_folder_of_another() {
    let Some(folder) = home_of_another() else {
        return;
    };
    let restore = &[
        "restore",
        "--yes",
        "backup.db",
        "--database",
        "home/venom.db",
    ][..];
    let create = &[
        "token",
        "create",
        "a",
        "--role",
        "read",
        "--database",
        "home/venom.db",
    ][..];
    for (link, target) in [
        ("home/venom.db.lock", "../roots/new"),
        ("home/venom.db.lock", "../roots/precious"),
        ("home/venom.db", "../roots/new"),
        ("home/venom.db", "../roots/precious"),
    ] {
        std::os::unix::fs::symlink(target, folder.path(link)).unwrap();
        for command in [restore, create] {
            let done = folder.run(command);
            assert_eq!(done.code, 1, "{link} to {target}: {done:?}");
            assert!(!folder.path("roots/new").exists(), "{link}: {done:?}");
            assert_eq!(folder.read("roots/precious"), "precious", "{done:?}");
            let owner = folder.path("roots/precious").metadata().unwrap().uid();
            assert_eq!(owner, 0, "{done:?}");
        }
        let roots = std::fs::read_dir(folder.path("roots")).unwrap();
        assert_eq!(roots.count(), 1, "{link} to {target}");
        std::fs::remove_file(folder.path(link)).unwrap();
    }
    folder.succeed(restore);
    folder.succeed(create);
    // A folder that is a link is the same trick.
    std::os::unix::fs::symlink("../roots", folder.path("home/data")).unwrap();
    let done = folder.run(&[
        "restore",
        "--yes",
        "backup.db",
        "--database",
        "home/data/venom.db",
    ]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(!folder.path("roots/venom.db").exists());
    // So is the name of a backup.
    let backup = [
        "backup",
        "--force",
        "--database",
        "home/venom.db",
        "home/copy.db",
    ];
    std::os::unix::fs::symlink("../roots/precious", folder.path("home/copy.db")).unwrap();
    assert_eq!(folder.run(&backup).code, 1);
    assert_eq!(folder.read("roots/precious"), "precious");
    // What root names elsewhere stays root's.
    folder.succeed(&["backup", "--database", "home/venom.db", "roots/copy.db"]);
    let mode = folder.path("roots/copy.db").metadata().unwrap();
    assert_eq!((mode.uid(), mode.mode() & 0o777), (0, 0o600));
    // A folder of root's in his own may be another one at the next look.
    std::fs::create_dir(folder.path("home/deep")).unwrap();
    let restore = [
        "restore",
        "--yes",
        "backup.db",
        "--database",
        "home/deep/venom.db",
    ];
    assert_eq!(folder.run(&restore).code, 1);
    let deep = std::fs::read_dir(folder.path("home/deep")).unwrap();
    assert_eq!(deep.count(), 0);
}

#[test]
fn what_killed_ones_left_is_removed() {
    let (folder, service) = serving();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    for name in [".venom-backup.tmp-a", ".venom-backup.tmp-a-journal"] {
        let file = std::fs::File::create(folder.path(name)).unwrap();
        file.set_modified(old).unwrap();
    }
    // One that is perhaps being written.
    folder.write(".venom-backup.tmp-b", "");
    folder.succeed(&["backup", "backup.db"]);
    assert!(!folder.path(".venom-backup.tmp-a").exists());
    assert!(!folder.path(".venom-backup.tmp-a-journal").exists());
    assert!(folder.path(".venom-backup.tmp-b").exists());
    assert_eq!(service.stop(), 0);
    for name in ["data/.venom.db.tmp-a", "data/.venom.db.tmp-a-journal"] {
        folder.write(name, "");
    }
    folder.succeed(&["restore", "--yes", "backup.db"]);
    assert!(!folder.path("data/.venom.db.tmp-a").exists());
    assert!(!folder.path("data/.venom.db.tmp-a-journal").exists());
}

#[test]
fn a_backup_makes_no_folder_and_goes_not_to_stdout() {
    let (folder, _service) = serving();
    let done = folder.run(&["backup", "mnt/backup.db"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("folder mnt does not exist"), "{done:?}");
    assert!(!folder.path("mnt").exists());
    let done = folder.run(&["backup", "-"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.err.contains("cannot be written to stdout"), "{done:?}");
    assert!(!folder.path("-").exists());
}

/// A limit on the size of files stands for the full disk: SQLite's write fails either way.
#[test]
fn a_disk_that_takes_no_backup_is_named_and_nothing_is_left_there() {
    let (folder, _service) = serving();
    let text = "x".repeat(300_000);
    folder.feed(&["submit", "--wait", "-"], &text);
    std::fs::create_dir(folder.path("full")).unwrap();
    let mut shell = std::process::Command::new("sh");
    // In blocks of 512 or 1024 bytes: less than the copy, more than nothing.
    shell.args([
        "-c",
        "trap '' XFSZ; ulimit -f 64; exec \"$0\" backup full/b.db",
    ]);
    shell.arg(env!("CARGO_BIN_EXE_venom"));
    shell.current_dir(folder.path(".")).env_clear();
    let done = shell.output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("error: cannot write full/b.db: "),
        "{said}"
    );
    let left = std::fs::read_dir(folder.path("full")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn two_names_of_a_database_are_one() {
    let (folder, _service) = serving();
    std::fs::create_dir(folder.path("link")).unwrap();
    std::os::unix::fs::symlink("../data/venom.db", folder.path("link/venom.db")).unwrap();
    let done = folder.run(&["serve", "--port", "0", "--database", "link/venom.db"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("is in use by another venom"), "{done:?}");
    // By that name the service is found, too.
    let status = folder.succeed(&["status", "--database", "link/venom.db"]);
    assert!(status.contains(&folder.url()), "{status}");
}

/// It may be a link before there is a database.
#[test]
fn a_database_can_be_made_behind_a_link() {
    let folder = Folder::new();
    for name in ["data", "disk"] {
        std::fs::create_dir(folder.path(name)).unwrap();
    }
    std::os::unix::fs::symlink("../disk/real.db", folder.path("data/venom.db")).unwrap();
    let service = folder.start(&["serve", "--port", "0"]);
    service.err.until("listens on");
    for name in ["disk/real.db", "disk/real.db.lock", "disk/real.db-wal"] {
        assert!(folder.path(name).exists(), "{name}");
    }
    assert!(!folder.path("data/venom.db.lock").exists());
    folder.succeed(&["submit", "--wait", "one"]);
    let status = folder.json(&["status", "--json"]);
    let wal = status["storage"]["wal_bytes"].as_u64();
    assert!(wal.is_some_and(|bytes| bytes > 0), "{status}");
    folder.succeed(&["backup", "backup.db"]);
    assert_eq!(service.stop(), 0);
    // A new disk: what is restored comes to where the link leads.
    std::fs::remove_dir_all(folder.path("disk")).unwrap();
    folder.succeed(&["restore", "--yes", "backup.db"]);
    assert_eq!(contents(&folder, "disk/real.db"), "one");
    assert!(folder.path("data/venom.db").is_symlink());
}
