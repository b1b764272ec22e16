//! Commands that work on the database file itself, whether a service runs or not: backup, restore, export,
//! import, doctor.

pub(super) mod backup;
pub(super) mod doctor;
pub(super) mod drop_privileges;
pub(super) mod export;
pub(super) mod import;
pub(super) mod restore;
mod service_or_file;
mod verify_dump;
