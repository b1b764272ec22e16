//! The clock: due times, schedules and rates go by it.

use chrono::{DateTime, Datelike, Utc};

use super::finding::Finding;
use crate::config::TimeZoneRules;

/// This program was not there before.
const EARLIEST_YEAR: i32 = 2025;
/// The advice where something was written by a clock that was ahead.
pub(crate) const SET_IT_RIGHT: &str =
    "set the clock right; a service that runs puts right what waits for it";
/// A clock that is set back by less is one that is kept in time.
const TOLERANCE_SECONDS: i64 = 5;

/// Whether the clock is right, as far as this machine can tell.
pub(crate) fn synchronised() -> Finding {
    let now = Utc::now();
    let shown = now.format("%Y-%m-%dT%H:%M:%SZ");
    if now.year() < EARLIEST_YEAR {
        return Finding::fail("clock", format!("it says {shown}"))
            .advise("set it: due times and schedules go by it");
    }
    match is_kept_in_time() {
        Some(false) => Finding::warn("clock", format!("{shown}; nothing keeps it in time"))
            .advise("run chrony or systemd-timesyncd: due times and schedules go by it"),
        Some(true) => Finding::ok("clock", format!("{shown}, kept in time")),
        None => Finding::ok("clock", shown),
    }
}

/// Where the rules of time zones come from, and of which release they are.
pub(crate) fn time_zones(rules: &TimeZoneRules) -> Finding {
    const NAME: &str = "time zones";
    let built_in = rules.built_in_release;
    let Some(folder) = rules.folder.as_ref().map(|folder| folder.display()) else {
        let message = format!("release {built_in}, built in; this machine has none of its own");
        return Finding::ok(NAME, message);
    };
    let release = rules.folder_release.as_deref();
    if !rules.machine_first {
        let older = release.unwrap_or("older");
        let message = format!("release {built_in}, built in; {folder} has {older}, which is older");
        return Finding::ok(NAME, message);
    }
    match release {
        Some(release) if release < built_in => Finding::warn(
            NAME,
            format!("release {release} of {folder}; built in is {built_in}, which is newer"),
        )
        .advise("update the folder that TZDIR names, or unset TZDIR"),
        Some(release) => Finding::ok(NAME, format!("release {release} of {folder}")),
        None => Finding::ok(
            NAME,
            format!("those of {folder}, which do not say their release; built in is {built_in}"),
        ),
    }
}

/// Whether the newest thing that has happened is in the future.
pub(crate) fn against_journal(newest: &str, now: DateTime<Utc>) -> Option<Finding> {
    let newest: DateTime<Utc> = newest.parse().ok()?;
    let ahead = (newest - now).num_seconds();
    (ahead > TOLERANCE_SECONDS).then(|| {
        let message = format!("the newest event is {ahead} s in the future: it was set back");
        Finding::warn("clock", message).advise(SET_IT_RIGHT)
    })
}

/// What the kernel knows of it; `None` if it does not say.
#[cfg(target_os = "linux")]
fn is_kept_in_time() -> Option<bool> {
    // SAFETY: `timex` is plain numbers, for which zero is a value; with `modes` 0 the call only fills it in.
    #[expect(unsafe_code, reason = "only the C library tells the clock's state")]
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex)
    };
    match state {
        -1 => None,
        _ => Some(timex.status & libc::STA_UNSYNC == 0),
    }
}

#[cfg(not(target_os = "linux"))]
fn is_kept_in_time() -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_time_zones_are_named_with_their_release() {
        let rules = |folder: Option<&str>, release: Option<&str>, machine_first| {
            let found = time_zones(&TimeZoneRules {
                folder: folder.map(Into::into),
                folder_release: release.map(str::to_owned),
                built_in_release: "2026f",
                machine_first,
            });
            found.message
        };
        let place = Some("/zones");
        for (message, expected) in [
            (
                rules(None, None, false),
                "release 2026f, built in; this machine has none of its own",
            ),
            (rules(place, Some("2027a"), true), "release 2027a of /zones"),
            (
                rules(place, Some("2025b"), false),
                "release 2026f, built in; /zones has 2025b, which is older",
            ),
            (
                rules(place, Some("2025b"), true),
                "release 2025b of /zones; built in is 2026f, which is newer",
            ),
            (
                rules(place, None, true),
                "those of /zones, which do not say their release; built in is 2026f",
            ),
        ] {
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn a_journal_from_the_future_is_noticed() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        assert!(against_journal("2026-01-01T00:00:04.000000Z", now).is_none());
        let found = against_journal("2026-01-01T00:01:00.000000Z", now).unwrap();
        assert!(found.message.contains("60 s in the future"), "{found:?}");
    }
}
