//! Opens files of a loop for reading. A pipe instead of a file would block forever; a device would be read forever.

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a file for reading.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a pipe, a device or a socket; otherwise any I/O error.
pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
    // Do not block on a pipe without a writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    only_plain(OpenOptions::new().read(true).custom_flags(flags).open(path)?)
}

/// All bytes of a file.
///
/// # Errors
/// As [`open`].
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The whole text of a file.
///
/// # Errors
/// As [`open`], and [`io::ErrorKind::InvalidData`] if it is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Refuses anything but files and directories; reading a directory fails anyway.
pub(super) fn only_plain(file: File) -> io::Result<File> {
    let kind = file.metadata()?.file_type();
    match kind.is_file() || kind.is_dir() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "is a pipe, a device or a socket, not a file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_and_devices_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            assert_eq!(open(path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{}", path.display());
            assert!(super::super::lock(path).is_err_and(|err| err.kind() == io::ErrorKind::InvalidInput));
        }
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("link")).unwrap();
        assert!(read(dir.path().join("link")).is_err());
        assert!(read_to_string(dir.path().join("none")).is_err_and(|err| err.kind() == io::ErrorKind::NotFound));
    }
}
