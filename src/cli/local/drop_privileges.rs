//! Root's `backup`, `restore` and `token` on a database in somebody else's folder: they act with that user's
//! rights.
//!
//! Whoever owns a folder decides what the names in it lead to, also between two looks at them. With the
//! rights of the owner a command can be led nowhere where the owner could not go alone, and what it makes
//! is the owner's.

use std::path::Path;

use crate::cli::error::Error;

/// The rights of a folder's owner, for the whole process, until it is dropped.
pub(crate) struct AsOwner {
    #[cfg(target_os = "linux")]
    _rights: Option<linux::Rights>,
}

impl AsOwner {
    /// Takes the rights of who decides what `path` leads to. Nothing changes if that is root, or if
    /// this process is not root's.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let rights = linux::Rights::of(path);
        let rights = rights.map_err(|error| {
            let path = path.display();
            Error::Failed(format!(
                "cannot act as the owner of the folder of {path}: {error}; run this as that user"
            ))
        })?;
        Ok(Self { _rights: rights })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(_: &Path) -> Result<Self, Error> {
        Ok(Self {})
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::fs;
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Component, Path, PathBuf};

    /// As many as the kernel follows.
    const MOST_LINKS: usize = 40;
    /// The group of nobody, for folders that root's group has.
    const NO_GROUP: libc::gid_t = 65534;

    /// Rights that are another user's until it is dropped; then they are root's again.
    pub(crate) struct Rights {
        groups: Vec<libc::gid_t>,
        group: libc::gid_t,
    }

    impl Rights {
        pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
            if !rustix::process::geteuid().is_root() {
                return Ok(None);
            }
            let Some((user, group)) = stranger(path)? else {
                return Ok(None);
            };
            let groups = rustix::process::getgroups()?;
            let rights = Self {
                groups: groups.into_iter().map(|group| group.as_raw()).collect(),
                group: rustix::process::getegid().as_raw(),
            };
            let group = if group == 0 { NO_GROUP } else { group };
            set_groups(&[])?;
            set_group(group)?;
            set_user(user)?;
            Ok(Some(rights))
        }
    }

    impl Drop for Rights {
        fn drop(&mut self) {
            let back = set_user(0)
                .and_then(|()| set_group(self.group))
                .and_then(|()| set_groups(&self.groups));
            back.expect("the real user is root");
        }
    }

    /// The user besides root who decides what `path` leads to, and the group: the owner of its folder, of a
    /// link on the way there, or of a folder above one of root's.
    fn stranger(path: &Path) -> io::Result<Option<(u32, u32)>> {
        let mut ahead = parts(&std::path::absolute(path)?);
        let mut at = PathBuf::from("/");
        let mut folder = at.metadata()?;
        // Whoever owns a folder further up can put another one in the place of those below.
        let mut above = None;
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            at.push(part);
            let found = match at.symlink_metadata() {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            };
            if found.is_symlink() {
                if let Some(owner) = [&folder, &found].into_iter().find(|found| found.uid() != 0) {
                    return Ok(Some((owner.uid(), owner.gid())));
                }
                links += 1;
                if links > MOST_LINKS {
                    return Err(io::Error::other("too many links"));
                }
                let target = fs::read_link(&at)?;
                at.pop();
                if target.is_absolute() {
                    at = PathBuf::from("/");
                    folder = at.metadata()?;
                }
                ahead.extend(parts(&target));
            } else if found.is_dir() {
                folder = found;
                if folder.uid() != 0 {
                    above.get_or_insert((folder.uid(), folder.gid()));
                }
            }
        }
        Ok(match folder.uid() {
            0 => above,
            user => Some((user, folder.gid())),
        })
    }

    /// The names of a path, the last one first.
    fn parts(path: &Path) -> Vec<OsString> {
        let parts = path.components().rev();
        let parts =
            parts.filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
        parts.map(|part| part.as_os_str().to_owned()).collect()
    }

    // The C library sets them for all threads; the system calls would do so for one.
    #[expect(unsafe_code, reason = "the C library alone can do it for all threads")]
    fn set_user(user: libc::uid_t) -> io::Result<()> {
        // SAFETY: it takes a number.
        done(unsafe { libc::seteuid(user) })
    }

    #[expect(unsafe_code, reason = "the C library alone can do it for all threads")]
    fn set_group(group: libc::gid_t) -> io::Result<()> {
        // SAFETY: it takes a number.
        done(unsafe { libc::setegid(group) })
    }

    #[expect(unsafe_code, reason = "the C library alone can do it for all threads")]
    fn set_groups(groups: &[libc::gid_t]) -> io::Result<()> {
        // SAFETY: it reads as many numbers as it is told.
        done(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })
    }

    fn done(code: libc::c_int) -> io::Result<()> {
        match code {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
