//! Validation rules for settings that depend on each other.

use std::path::Path;

use super::error::{Error, SettingPlace};
use super::layers::Origins;
use super::processors;
use super::settings::Settings;

/// Refuses settings that contradict each other.
pub(crate) fn check(settings: &Settings, origins: &Origins) -> Result<(), Error> {
    let refuse = |key: &'static str, found: String, expected: String| {
        let place = origins.get(key).cloned().unwrap_or(SettingPlace::Default);
        Err(Error::invalid(key, place, found, expected))
    };
    let Settings {
        default_processor,
        processors,
        database_path,
        state_file_path,
        body_limit_bytes,
        inbox_limit_bytes,
        tls_cert_file,
        tls_key_file,
        redis_password,
        redis_password_file,
        redis_tls,
        redis_ca_file,
        ..
    } = settings;
    if !processors.contains_key(default_processor) {
        return refuse(
            "default_processor",
            format!("{default_processor:?}"),
            processors::one_of(processors),
        );
    }
    if inbox_limit_bytes < body_limit_bytes {
        let expected = format!(
            "at least `body_limit_bytes` ({body_limit_bytes}), so that the largest request fits"
        );
        return refuse("inbox_limit_bytes", inbox_limit_bytes.to_string(), expected);
    }
    let pair = [
        ("tls_cert_file", tls_cert_file),
        ("tls_key_file", tls_key_file),
    ];
    for [(key, file), (other, missing)] in [pair, [pair[1], pair[0]]] {
        if file.is_some() && missing.is_none() {
            let expected = format!("`{other}` beside it");
            return refuse(key, "half of a pair".to_owned(), expected);
        }
    }
    if redis_password.is_some() && redis_password_file.is_some() {
        let found = "a second place for one secret, beside `redis_password`";
        return refuse(
            "redis_password_file",
            found.to_owned(),
            "one of the two".to_owned(),
        );
    }
    if redis_ca_file.is_some() && !redis_tls {
        let found = "a file, though `redis_tls` is off";
        let expected = "`redis_tls = true` beside it";
        return refuse("redis_ca_file", found.to_owned(), expected.to_owned());
    }
    if same_file(database_path, state_file_path) {
        let expected = "another file than `database_path`, which the dump would overwrite";
        return refuse(
            "state_file_path",
            format!("{state_file_path:?}"),
            expected.to_owned(),
        );
    }
    Ok(())
}

fn same_file(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| path.strip_prefix(".").unwrap_or(path).to_owned();
    plain(one) == plain(other)
}
