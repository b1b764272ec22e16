//! Checks the clock and the time zone rules, on which start times, schedules and rates depend.

use chrono::{DateTime, Datelike, Utc};

use super::finding::Finding;
use crate::config::TimeZoneRules;

/// No release of this program is older.
const EARLIEST_YEAR: i32 = 2025;
/// The advice for rows that were written while the clock was ahead.
pub(crate) const CORRECT_CLOCK: &str =
    "correct the clock; a running service adjusts pending start times";
/// Smaller steps back are normal for a synchronised clock.
const TOLERANCE_SECONDS: i64 = 5;

/// Checks that the clock is plausible, and synchronised as far as the kernel knows.
pub(crate) fn clock() -> Finding {
    let now = Utc::now();
    let shown = now.format("%Y-%m-%dT%H:%M:%SZ");
    if now.year() < EARLIEST_YEAR {
        return Finding::fail("clock", format!("it says {shown}"))
            .advise("set the clock: start times and schedules depend on it");
    }
    match is_synchronised() {
        Some(false) => Finding::warn("clock", format!("{shown}; not synchronised"))
            .advise("run chrony or systemd-timesyncd: start times and schedules depend on it"),
        Some(true) => Finding::ok("clock", format!("{shown}, synchronised")),
        None => Finding::ok("clock", shown),
    }
}

/// Reports the source and the release of the time zone rules.
pub(crate) fn time_zones(rules: &TimeZoneRules) -> Finding {
    const NAME: &str = "time zones";
    let built_in = rules.built_in_release;
    let Some(folder) = rules.folder.as_ref().map(|folder| folder.display()) else {
        let message = format!("release {built_in}, built in; this machine has no zone files");
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
            format!("release {release} of {folder}; the built-in release {built_in} is newer"),
        )
        .advise("update the folder that TZDIR names, or unset TZDIR"),
        Some(release) => Finding::ok(NAME, format!("release {release} of {folder}")),
        None => Finding::ok(
            NAME,
            format!("rules of {folder}, release unknown; the built-in release is {built_in}"),
        ),
    }
}

/// Warns if the newest event lies in the future, which means that the clock was set back.
pub(crate) fn against_journal(newest: &str, now: DateTime<Utc>) -> Option<Finding> {
    let newest: DateTime<Utc> = newest.parse().ok()?;
    let ahead = (newest - now).num_seconds();
    (ahead > TOLERANCE_SECONDS).then(|| {
        let message =
            format!("the newest event is {ahead} s in the future: the clock was set back");
        Finding::warn("clock", message).advise(CORRECT_CLOCK)
    })
}

/// Returns whether the kernel's clock is synchronised; `None` if unknown.
#[cfg(target_os = "linux")]
fn is_synchronised() -> Option<bool> {
    // SAFETY: `timex` is plain numbers, for which zero is a value; with `modes` 0 the call only fills it in.
    #[expect(unsafe_code, reason = "only the C library reports the clock's state")]
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
fn is_synchronised() -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zone_rules_are_reported_with_their_release() {
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
                "release 2026f, built in; this machine has no zone files",
            ),
            (rules(place, Some("2027a"), true), "release 2027a of /zones"),
            (
                rules(place, Some("2025b"), false),
                "release 2026f, built in; /zones has 2025b, which is older",
            ),
            (
                rules(place, Some("2025b"), true),
                "release 2025b of /zones; the built-in release 2026f is newer",
            ),
            (
                rules(place, None, true),
                "rules of /zones, release unknown; the built-in release is 2026f",
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
