//! File permissions: a replaced file keeps owner and mode, a new one gets the mode that the umask leaves.

use super::PREFIX;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

/// All permission bits of a file.
pub(super) const ALL: u32 = 0o7777;

/// The permissions of a file.
pub(super) fn of(file: &Metadata) -> u32 {
    file.permissions().mode() & ALL
}

/// Builder of temporary files; the system applies the umask.
pub(super) fn new_files(limit: u32) -> tempfile::Builder<'static, 'static> {
    named(0o666 & limit)
}

/// As [`new_files`], for directories.
pub(super) fn new_dirs() -> tempfile::Builder<'static, 'static> {
    named(0o777)
}

fn named(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).permissions(Permissions::from_mode(mode));
    builder
}

/// Gives `file` the owner and the mode of the one that it replaces, with the mode restricted to `limit`. Only a
/// superuser may change the owner; other users stay the owner.
pub(super) fn keep(file: &File, old: Option<&Metadata>, limit: u32) -> io::Result<()> {
    let Some(old) = old.filter(|old| old.is_file()) else { return Ok(()) };
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        let _ = fchown(file, Some(old.uid()), Some(old.gid())).or_else(|_| fchown(file, None, Some(old.gid())));
    }
    file.set_permissions(Permissions::from_mode(of(old) & limit))
}
