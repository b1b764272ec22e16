//! The dashboard's files as a browser asks for them.

use reqwest::Method;

use crate::support::{Answer, Service};

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
        let other = service
            .request(Method::GET, path)
            .header("If-None-Match", "\"another\"");
        assert_eq!(Answer::of(other).await.body, answer.body, "{path}");
    }
    service.ends_well().await;
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
