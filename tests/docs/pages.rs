//! The pages whose commands are run, one test each.

use std::path::Path;

use crate::links::documents;
use crate::page::steps;
use crate::shell::run;

macro_rules! pages {
    ($($name:ident $page:literal)*) => {
        const RUN: &[&str] = &[$($page),*];

        $(
            #[test]
            #[ignore = "runs programs from outside; scripts/test installs them"]
            fn $name() {
                run($page);
            }
        )*
    };
}

pages! {
    page_readme "README.md"
    page_start "docs/start.md"
    page_scripts "docs/guides/scripts.md"
    page_webhooks "docs/guides/webhooks.md"
    page_models "docs/guides/models.md"
    page_workers "docs/guides/workers.md"
    page_hive "docs/guides/hive.md"
    page_submit "docs/guides/submit.md"
    page_retries "docs/guides/retries.md"
    page_schedules "docs/guides/schedules.md"
    page_limits "docs/guides/limits.md"
    page_dependencies "docs/guides/dependencies.md"
    page_once "docs/guides/once.md"
    page_batches "docs/guides/batches.md"
    page_explain "docs/guides/explain.md"
    page_search "docs/guides/search.md"
    page_steer "docs/guides/steer.md"
    page_events "docs/guides/events.md"
    page_dashboard "docs/guides/dashboard.md"
    page_sql "docs/guides/sql.md"
    page_clients "docs/guides/clients.md"
    page_tokens "docs/operate/tokens.md"
    page_network "docs/operate/network.md"
    page_backup "docs/operate/backup.md"
    page_retention "docs/operate/retention.md"
    page_doctor "docs/operate/doctor.md"
    page_reload "docs/operate/reload.md"
    page_configure "docs/operate/configure.md"
    page_migrate "docs/operate/migrate.md"
}

#[test]
fn every_page_with_commands_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = documents();
    let with_commands = pages.iter().filter(|page| {
        let text = std::fs::read_to_string(root.join(page)).expect("the page");
        !steps(&text).is_empty()
    });
    let missing: Vec<_> = with_commands
        .filter(|page| !RUN.contains(&page.as_str()))
        .collect();
    assert!(missing.is_empty(), "no test runs {missing:?}");
}
