//! The dashboard's files as a browser asks for them.

use std::collections::BTreeSet;

use reqwest::Method;

use support::{Answer, Service};

#[tokio::test]
async fn files_have_types_a_policy_and_tags() {
    let service = Service::start().await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/web/app.js", "text/javascript; charset=utf-8"),
        ("/web/app.css", "text/css; charset=utf-8"),
        ("/web/icon.svg", "image/svg+xml"),
        ("/web/vendor/LICENSES.txt", "text/plain; charset=utf-8"),
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], kind, "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-cache");
        let policy = answer.headers["content-security-policy"]
            .to_str()
            .expect("ASCII");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
        assert!(!policy.contains("unsafe"), "{policy}");
        let request = service
            .request(Method::GET, path)
            .header("If-None-Match", &answer.headers["etag"]);
        let again = Answer::of(request).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        let tag = answer.headers["etag"].to_str().expect("ASCII");
        let known = [
            "*".to_owned(),
            format!("W/{tag}"),
            format!("\"another\", W/{tag}"),
        ];
        for known in known {
            let request = service.request(Method::GET, path);
            let again = Answer::of(request.header("If-None-Match", &known)).await;
            assert_eq!(again.status, 304, "{path} {known}");
        }
        for other in [
            "\"another\"",
            "W/\"another\", \"one\"",
            "",
            tag.trim_matches('"'),
        ] {
            let request = service.request(Method::GET, path);
            let again = Answer::of(request.header("If-None-Match", other)).await;
            assert_eq!(again.body, answer.body, "{path} {other}");
        }
    }
    service.ends_well().await;
}

/// Without the list a browser would ask for modules in as many rounds as they import each other.
#[tokio::test]
async fn the_page_names_every_module_at_once() {
    let service = Service::start().await;
    let page = service.get("/").await;
    let named = texts_between(page.text(), "<link rel=\"modulepreload\" href=\"", "\"");
    let mut modules = vec!["web/app.js".to_owned()];
    let mut next = 0;
    while let Some(module) = modules.get(next).cloned() {
        let (folder, _) = module.rsplit_once('/').expect("a folder");
        let code = service.get(&format!("/{module}")).await;
        for import in texts_between(code.text(), " from \"", "\";") {
            let path = match import.strip_prefix("../") {
                Some(path) => format!("web/{path}"),
                None => format!("{folder}/{}", import.trim_start_matches("./")),
            };
            if !modules.contains(&path) {
                modules.push(path);
            }
        }
        next += 1;
    }
    let imported: BTreeSet<_> = modules[1..].iter().collect();
    let ours = named.iter().filter(|path| !path.contains("/vendor/"));
    let expected = imported.iter().filter(|path| !path.contains("/vendor/"));
    assert!(expected.copied().eq(BTreeSet::from_iter(ours)), "{named:?}");
    assert!(
        imported.iter().all(|path| named.contains(path)),
        "{named:?}"
    );
    service.ends_well().await;
}

fn texts_between(text: &str, before: &str, after: &str) -> Vec<String> {
    let parts = text.split(before).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(after)?.0.to_owned()))
        .collect()
}

#[tokio::test]
async fn the_page_names_no_other_place() {
    let service = Service::start().await;
    for path in ["/", "/web/app.css", "/web/app.js", "/docs", "/web/docs.js"] {
        let answer = service.get(path).await;
        let text = answer.text();
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{path}"
        );
    }
    for path in [
        "/web/../Cargo.toml",
        "/web/%2e%2e/Cargo.toml",
        "/web//etc/passwd",
        "/web/",
    ] {
        assert_eq!(service.get(path).await.status, 404, "{path}");
    }
    service.ends_well().await;
}
