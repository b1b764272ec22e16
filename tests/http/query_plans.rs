//! Query plans: finished tasks, which are the many, cost nothing where tasks start, end or are listed by pages.
//!
//! The statements are those of `sqlx-data.json`, which lists every one of the program and is held in step by the gate.

use std::collections::HashMap;

use serde_json::Value;

use support::{Database, Service, repository};

/// Every statement of the program; those that run together are taken apart.
fn statements() -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("sqlx-data.json")).unwrap();
    let all: HashMap<String, Value> = serde_json::from_str(&text).unwrap();
    let all = all.values().filter_map(|entry| entry["query"].as_str());
    let parts = all.flat_map(|sql| sql.split(";\n"));
    parts.map(|sql| sql.trim().to_owned()).collect()
}

async fn plan(database: &mut Database, statement: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {statement}");
    let rows = database.rows(&explain).await;
    rows.iter()
        .map(|row| sqlx::Row::get(row, "detail"))
        .collect()
}

/// A walk over all rows; one over the open rows alone is none.
fn is_walk_over_tasks(step: &str) -> bool {
    step.starts_with("SCAN tasks") && !step.contains("tasks_open") && !step.contains("tasks_fts")
}

#[tokio::test]
async fn what_changes_tasks_or_looks_at_open_ones_walks_over_no_finished_task() {
    let service = Service::start().await;
    let mut database = service.database().await;
    let (mut checked, mut walks) = (0, Vec::new());
    for statement in statements() {
        let changes =
            statement.starts_with("UPDATE tasks") || statement.starts_with("DELETE FROM tasks");
        let reads = statement.starts_with("SELECT") || statement.starts_with("WITH");
        // The counts of all tasks are read for people, along an index of nothing but ids.
        let counts = statement.contains("(SELECT count(*) FROM tasks)");
        if changes || (reads && !counts && statement.contains("finished_at IS NULL")) {
            let steps = plan(&mut database, &statement).await;
            if steps.iter().any(|step| is_walk_over_tasks(step)) {
                walks.push(format!("{statement}\n{steps:#?}"));
            }
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked} statements were found");
    assert!(walks.is_empty(), "{}", walks.join("\n\n"));
    service.ends_well().await;
}

/// Only few open tasks are sorted; every other page is read along an index.
#[tokio::test]
async fn a_page_sorts_nothing_but_few_open_tasks() {
    let service = Service::start().await;
    let mut database = service.database().await;
    let pages: Vec<_> = statements()
        .into_iter()
        .filter(|sql| sql.contains("LIMIT ?11"))
        .collect();
    assert_eq!(pages.len(), 10, "{pages:#?}");
    for page in pages {
        let steps = plan(&mut database, &page).await;
        let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
        assert_eq!(sorts, page.contains("tasks_open"), "{page}: {steps:#?}");
        let walks = steps.iter().any(|step| is_walk_over_tasks(step));
        assert!(!walks, "{page}: {steps:#?}");
    }
    service.ends_well().await;
}
