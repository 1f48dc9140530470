//! Whether a file can be replaced: checked before an irreversible step that needs it.

use super::{mode, parent};
use std::fs;
use std::io;
use std::path::Path;

/// Checks that [`replace`](super::replace) of `path` can succeed: it is not a directory, not immutable, and files can
/// be created in its directory, or where that would be created. Does not check for a full disk.
///
/// # Errors
/// The reason why not.
pub fn replaceable(path: &Path) -> io::Result<()> {
    let end = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
    match fs::metadata(&end) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => {}
        Err(err) => return Err(err),
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        // A device or pipe is written to, not replaced.
        Ok(found) if !found.is_file() => return Ok(()),
        Ok(_) => not_fixed(&end)?,
    }
    let mut dir = parent(&end);
    while !dir.exists() && dir != Path::new(".") {
        dir = parent(dir);
    }
    not_fixed(dir)?;
    mode::new_files(0o600).tempfile_in(dir).map(drop)
}

/// Checks that `path` has no attribute that prevents writing (`chattr +i`, `+a`).
///
/// # Errors
/// If it has one.
pub fn not_fixed(path: &Path) -> io::Result<()> {
    match is_fixed(path) {
        true => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "cannot be replaced: it is immutable or append-only (check with lsattr, remove with chattr -i or chattr \
             -a)",
        )),
        false => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn is_fixed(path: &Path) -> bool {
    use rustix::fs::{IFlags, Mode, OFlags};
    // Do not block on a pipe; a file that cannot be queried has no attributes.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let asked = rustix::fs::open(path, flags, Mode::empty()).and_then(rustix::fs::ioctl_getflags);
    asked.is_ok_and(|flags| flags.intersects(IFlags::IMMUTABLE | IFlags::APPEND))
}

#[cfg(not(target_os = "linux"))]
fn is_fixed(_path: &Path) -> bool {
    false
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_replaced_is_known_before() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "x").unwrap();
        fs::create_dir(at("dir")).unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        for name in ["file", "new", "link", "none/yet/new"] {
            replaceable(&at(name)).unwrap_or_else(|err| panic!("{name}: {err}"));
        }
        for (name, kind) in [
            ("dir", io::ErrorKind::IsADirectory),
            ("dangling", io::ErrorKind::NotFound),
            ("file/below", io::ErrorKind::NotADirectory),
        ] {
            assert_eq!(replaceable(&at(name)).unwrap_err().kind(), kind, "{name}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4, "nothing is left");
        let said = super::super::replace(&at("dangling"), |out| out.write_all(b"x"));
        assert_eq!(said.unwrap_err().kind(), io::ErrorKind::NotFound, "as replacing says");
    }
}
