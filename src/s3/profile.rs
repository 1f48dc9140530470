//! The files of Amazon's own tools, `~/.aws/credentials` and `~/.aws/config`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Maximum number of bytes read from a file.
const LIMIT: u64 = 1 << 20;

/// A section of a file, by key.
#[derive(Default)]
pub(super) struct Section(Vec<(String, String)>);

impl Section {
    /// The section whose heading is one of `names`; empty without such a file or section.
    ///
    /// # Errors
    /// If it cannot be read, or holds secrets and is readable for other users.
    pub(super) fn of(path: Option<&Path>, names: &[String], secret: bool) -> Result<Self, String> {
        let Some(path) = path.filter(|path| path.is_file()) else { return Ok(Self::default()) };
        let failed = |err: std::io::Error| format!("{}: {err}", path.display());
        let file = File::open(path).map_err(failed)?;
        if secret && file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(format!("{} can be read by others: chmod 600 it", path.display()));
        }
        let mut text = String::new();
        file.take(LIMIT).read_to_string(&mut text).map_err(failed)?;
        Ok(Self::parse(&text, names))
    }

    fn parse(text: &str, names: &[String]) -> Self {
        let mut pairs = Vec::new();
        let mut ours = false;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                let heading: Vec<&str> = heading.split_whitespace().collect();
                ours = names.contains(&heading.join(" "));
            } else if let Some((key, value)) = line.split_once('=').filter(|_| ours) {
                pairs.push((key.trim().to_lowercase(), value.trim().to_owned()));
            }
        }
        Self(pairs)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.0.iter().find(|(known, value)| known == key && !value.is_empty()).map(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_by_their_heading() {
        let text = "[default]\naws_access_key_id = A\n; x = 1\n[profile  team]\nRegion=eu-west-1\n# region = no\n\n\
                    [other]\nregion = us-east-2\nendpoint_url = \n";
        let of = |name: &str, key: &str| Section::parse(text, &[name.to_owned()]).get(key);
        assert_eq!(of("default", "aws_access_key_id").as_deref(), Some("A"));
        assert_eq!(of("profile team", "region").as_deref(), Some("eu-west-1"));
        assert_eq!(of("default", "region"), None);
        assert_eq!(of("other", "endpoint_url"), None);
        assert_eq!(of("team", "region"), None);
    }

    #[test]
    fn a_file_of_secrets_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"[default]\naws_secret_access_key = x\n").unwrap();
        let read = |secret| Section::of(Some(file.path()), &["default".to_owned()], secret);
        assert_eq!(read(true).unwrap().get("aws_secret_access_key").as_deref(), Some("x"));
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o644)).unwrap();
        let told = read(true).err().unwrap();
        assert!(told.ends_with("chmod 600 it") && !told.contains("x\n"), "{told}");
        assert!(read(false).is_ok());
    }
}
