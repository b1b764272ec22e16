//! Full-text search: what is found, when, and that nothing typed is an error.

use serde_json::json;

use support::ids;
use support::{Service, Setup, Stopped, eventually};

/// The ids that a search finds.
async fn search(service: &Service, words: &str) -> Vec<String> {
    let query = serde_urlencoded::to_string([("q", words)]).expect("a query string");
    let answer = service.get(&format!("/api/v1/tasks?{query}")).await;
    ids(&answer.expect(200))
}

#[tokio::test]
async fn words_of_content_result_and_error_are_found_at_once() {
    let service = Service::with_gates().await;
    let echoed = service.submit("a quick brown fox").await;
    service.finished(&echoed).await;
    let failed = service.submit_to_gate("the lazy dog").await;
    assert_eq!(search(&service, "lazy").await, [failed.as_str()]);
    service.say(&failed, "fail out of marmalade").await;
    service.finished(&failed).await;
    for (words, expected) in [
        ("quick", vec![&echoed]),
        ("QUICK", vec![&echoed]),
        ("Processed", vec![&echoed]),
        ("fox quick", vec![&echoed]),
        ("fox dog", vec![]),
        ("qui*", vec![&echoed]),
        ("qui", vec![]),
        ("\"brown fox\"", vec![&echoed]),
        ("\"fox brown\"", vec![]),
        ("marmalade", vec![&failed]),
        ("lazy marm*", vec![&failed]),
        ("nowhere", vec![]),
    ] {
        let found = search(&service, words).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{words}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn accents_and_other_scripts_are_words_too() {
    let service = Service::start().await;
    let german = service.submit("Größe prüfen").await;
    let greek = service.submit("καλημέρα κόσμε").await;
    assert_eq!(search(&service, "prufen").await, [german.as_str()]);
    assert_eq!(search(&service, "GRÖßE").await, [german]);
    assert_eq!(search(&service, "κόσμε").await, [greek]);
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn letters_are_found_however_they_are_typed() {
    let service = Service::start().await;
    for (content, found_by) in [
        ("Wycieczka do Łodzi", vec!["lodzi", "ŁODZI", "łod*", "lod*"]),
        (
            "Lange Straße 5",
            vec!["strasse", "STRASSE", "straße", "\"lange strasse\""],
        ),
        ("Вот ещё один", vec!["еще", "ЕЩЁ", "ещё"]),
        ("Η Αθήνα", vec!["αθηνα", "ΑΘΗΝΑ"]),
        ("Smørrebrød på Ærø", vec!["smorrebrod", "aero", "pa"]),
        ("Đà Nẵng", vec!["\"da nang\""]),
        ("ＦＵＬＬｗｉｄｔｈ", vec!["fullwidth"]),
        ("مُحَمَّد", vec!["محمد"]),
        ("हिन्दी में", vec!["हिन्दी"]),
    ] {
        let id = service.submit(content).await;
        for words in found_by {
            assert_eq!(search(&service, words).await, [id.as_str()], "{words}");
        }
    }
    // Not every word that shares its consonants.
    assert!(search(&service, "हन्दी").await.is_empty());
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn scripts_without_blanks_are_found_by_any_two_characters_and_by_one() {
    let service = Service::start().await;
    let japanese = service.submit("富士山の東京都庁 tower と").await;
    let chinese = service.submit("我们在北京大学学习").await;
    let korean = service.submit("서울에서 만나요").await;
    let thai = service.submit("ฉันรักประเทศไทย").await;
    let khmer = service.submit("ខ្ញុំស្រឡាញ់ភាសាខ្មែរ").await;
    for (words, expected) in [
        ("東京", vec![&japanese]),
        ("京都", vec![&japanese]),
        ("富士山の東京都庁", vec![&japanese]),
        ("山", vec![&japanese]),
        ("庁", vec![&japanese]),
        ("東京 富士", vec![&japanese]),
        ("\"都庁 tower\"", vec![&japanese]),
        ("京", vec![&chinese, &japanese]),
        ("東山", vec![]),
        ("北京", vec![&chinese]),
        ("大学", vec![&chinese]),
        ("京大学学", vec![&chinese]),
        ("学大", vec![]),
        ("서울", vec![&korean]),
        ("ประเทศ", vec![&thai]),
        ("ไทย", vec![&thai]),
        ("ខ្មែរ", vec![&khmer]),
    ] {
        let found = search(&service, words).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{words}");
    }
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_database_with_the_index_of_before_is_indexed_anew() {
    let service = Service::start().await;
    let id = service.submit("Łódź 東京都").await;
    service.finished(&id).await;
    let stopped = service.stop().await;
    let before = "DROP TABLE tasks_fts;
         CREATE VIRTUAL TABLE tasks_fts USING fts5 (
             content, result, error,
             content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');
         INSERT INTO tasks_fts (rowid, content, result) SELECT seq, content, result FROM tasks;
         INSERT OR REPLACE INTO meta VALUES ('indexed_event', (SELECT max(id) FROM logs));
         DELETE FROM _sqlx_migrations WHERE version = 7";
    stopped
        .database()
        .await
        .run(before)
        .await
        .expect("the old index");
    let service = stopped.start().await;
    for words in ["lodz", "京都"] {
        assert_eq!(search(&service, words).await, [id.as_str()], "{words}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn rows_of_other_programs_are_found() {
    let service = Service::start().await;
    let mut database = service.database().await;
    let insert = "INSERT INTO tasks (content) VALUES ('smuggled in')";
    database.run(insert).await.expect("a row");
    assert_eq!(search(&service, "smuggled").await.len(), 1);
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_deleted_task_is_not_found_and_leaves_no_words() {
    let service = Service::start().await;
    let id = service.submit("ephemeral").await;
    service.finished(&id).await;
    assert_eq!(search(&service, "ephemeral").await, [id.as_str()]);
    let request = service.request(reqwest::Method::DELETE, &format!("/api/v1/tasks/{id}"));
    assert_eq!(support::Answer::of(request).await.status, 204);
    assert!(search(&service, "ephemeral").await.is_empty());
    let words = "SELECT count(*) FROM tasks_fts WHERE tasks_fts MATCH 'ephemeral'";
    assert_eq!(service.database().await.number(words).await, 0);
    service.ends_well().await;
}

#[tokio::test]
async fn a_retried_task_is_not_found_by_its_old_error() {
    let setup = Setup::new().gates();
    let service = setup.start().await;
    let id = service.submit_to_gate("try").await;
    service.say(&id, "fail once").await;
    service.finished(&id).await;
    service
        .post(&format!("/api/v1/tasks/{id}/retry"))
        .await
        .expect(200);
    service.say_again(&id, 2, "open").await;
    service.finished(&id).await;
    assert_eq!(search(&service, "let through").await, [id.as_str()]);
    service.ends_well().await;
}

#[tokio::test]
async fn the_index_outlives_restarts_and_is_built_where_it_is_missing() {
    let service = Service::start().await;
    let first = service.submit("first words").await;
    service.finished(&first).await;
    assert_eq!(search(&service, "first").await, [first.as_str()]);
    let service = service.stop().await.start().await;
    assert_eq!(search(&service, "first").await, [first.as_str()]);

    let stopped = service.stop().await;
    forget_index(&stopped).await;
    let service = stopped.start().await;
    // Built without being asked.
    eventually("the index is built", || async {
        let words = "SELECT count(*) FROM tasks_fts WHERE tasks_fts MATCH 'first'";
        let found = service.database().await.number(words).await;
        (found == 1).then_some(())
    })
    .await;
    assert_eq!(search(&service, "first").await, [first]);
    service.ends_well().await;
}

async fn forget_index(stopped: &Stopped) {
    let forget = "INSERT INTO tasks_fts (tasks_fts) VALUES ('delete-all');
                  DELETE FROM meta WHERE key = 'indexed_event'";
    stopped
        .database()
        .await
        .run(forget)
        .await
        .expect("an empty index");
}

#[tokio::test]
async fn a_replaced_task_is_found_by_its_new_words_alone() {
    let service = Service::start().await;
    let id = service.submit("before").await;
    let mut task = service.finished(&id).await;
    task["content"] = json!("afterwards");
    task["result"] = json!("done");
    let dump = json!({"tasks": [task]});
    service
        .post_json("/api/v1/import?replace=true", &dump)
        .await
        .expect(200);
    assert!(search(&service, "before").await.is_empty());
    assert_eq!(search(&service, "afterwards").await, [id]);
    service.ends_well().await;
}

#[tokio::test]
async fn nothing_typed_is_an_error() {
    let service = Service::start().await;
    let id = service.submit("red AND green (blue) content:x").await;
    for words in [
        "\"",
        "*",
        "AND",
        "(",
        ")",
        "NOT",
        "OR",
        "NEAR(",
        "🦀",
        "red AND",
        "a\0b",
        "^red",
        "-red",
        "{content}: red",
        "\"\"",
        "'",
        ";--",
        "%",
        "red*green",
        "* *",
        "\"*\"",
        "+",
        "\\",
        "\u{e000}",
        "a \" b \" c \"",
        "content:",
        "NEAR/5",
        "ꙮ",
        "\u{301}",
    ] {
        search(&service, words).await;
    }
    search(&service, &"a ".repeat(32)).await;
    search(&service, &"(".repeat(1000)).await;
    for words in [
        "red AND",
        "( red )",
        "red 🦀",
        "^green",
        "content:x",
        "\"red and\"",
        "blue)",
    ] {
        assert_eq!(search(&service, words).await, [id.as_str()], "{words}");
    }
    let long = service
        .get(&format!("/api/v1/tasks?q={}", "a".repeat(1001)))
        .await;
    assert_eq!(long.problem()["loc"], json!(["query", "q"]));
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn many_tasks_are_all_found_behind_a_burst() {
    let service = Service::start().await;
    service.pause().await;
    let tasks: Vec<_> = (0..3000)
        .map(|n| json!({"content": format!("burst number{n}")}))
        .collect();
    service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": tasks}))
        .await
        .expect(201);
    eventually("all are indexed", || async {
        let first = search(&service, "number0").await.len();
        let last = search(&service, "number2999").await.len();
        ((first, last) == (1, 1)).then_some(())
    })
    .await;
    service.purge().await;
    service.ends_well().await;
}
