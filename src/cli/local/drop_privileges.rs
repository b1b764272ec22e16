//! Drops root's privileges for `backup`, `restore` and `token` on a database in another user's folder.
//!
//! The owner of a folder can replace the files in it by links at any moment. With the owner's privileges a command
//! cannot be led to files that the owner could not open, and the files that it creates belong to the owner.

use std::path::Path;

use crate::cli::error::Error;

/// Gives the whole process the privileges of a folder's owner until it is dropped.
pub(crate) struct OwnerPrivileges {
    #[cfg(target_os = "linux")]
    _saved: Option<linux::SavedIds>,
}

impl OwnerPrivileges {
    /// Takes the privileges of the user who controls what `path` leads to. Changes nothing if that is root, or if
    /// this process does not run as root.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let saved = linux::SavedIds::switch(path);
        let saved = saved.map_err(|error| {
            let path = path.display();
            Error::Failed(format!(
                "cannot switch to the owner of the folder of {path}: {error}; run the command as that user"
            ))
        })?;
        Ok(Self { _saved: saved })
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

    /// As many links as the kernel follows.
    const MOST_LINKS: usize = 40;
    /// The group `nogroup`, in place of root's group.
    const NO_GROUP: libc::gid_t = 65534;

    /// Root's group ids, restored with its user id on drop.
    pub(crate) struct SavedIds {
        groups: Vec<libc::gid_t>,
        group: libc::gid_t,
    }

    impl SavedIds {
        /// Switches the process to the user who controls `path`; `None` if nothing had to change.
        pub(crate) fn switch(path: &Path) -> io::Result<Option<Self>> {
            if !rustix::process::geteuid().is_root() {
                return Ok(None);
            }
            let Some((user, group)) = controlling_user(path)? else {
                return Ok(None);
            };
            let groups = rustix::process::getgroups()?;
            let saved = Self {
                groups: groups.into_iter().map(|group| group.as_raw()).collect(),
                group: rustix::process::getegid().as_raw(),
            };
            let group = if group == 0 { NO_GROUP } else { group };
            set_groups(&[])?;
            set_group(group)?;
            set_user(user)?;
            Ok(Some(saved))
        }
    }

    impl Drop for SavedIds {
        fn drop(&mut self) {
            let restored = set_user(0)
                .and_then(|()| set_group(self.group))
                .and_then(|()| set_groups(&self.groups));
            restored.expect("the real user is root");
        }
    }

    /// Returns user and group, other than root, that control what `path` leads to: the owner of its folder, of a
    /// link on the way, or of a folder above one of root's.
    fn controlling_user(path: &Path) -> io::Result<Option<(u32, u32)>> {
        let mut ahead = parts(&std::path::absolute(path)?);
        let mut at = PathBuf::from("/");
        let mut folder = at.metadata()?;
        // The owner of a folder further up can replace the folders below it.
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

    /// Returns the components of a path, the last one first.
    fn parts(path: &Path) -> Vec<OsString> {
        let parts = path.components().rev();
        let parts =
            parts.filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
        parts.map(|part| part.as_os_str().to_owned()).collect()
    }

    // The C library sets ids for all threads; the system calls do so for one thread.
    #[expect(unsafe_code, reason = "the C library alone can do it for all threads")]
    fn set_user(user: libc::uid_t) -> io::Result<()> {
        // SAFETY: it takes a number.
        check(unsafe { libc::seteuid(user) })
    }

    #[expect(unsafe_code, reason = "the C library alone can do it for all threads")]
    fn set_group(group: libc::gid_t) -> io::Result<()> {
        // SAFETY: it takes a number.
        check(unsafe { libc::setegid(group) })
    }

    #[expect(unsafe_code, reason = "the C library alone can do it for all threads")]
    fn set_groups(groups: &[libc::gid_t]) -> io::Result<()> {
        // SAFETY: it reads `len` numbers from the slice.
        check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })
    }

    fn check(code: libc::c_int) -> io::Result<()> {
        match code {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
