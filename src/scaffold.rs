//! Files that run a loop: a Makefile, scripts for cron and systemd, a GitHub workflow, an Airflow DAG.

use crate::atomic::{self, At};
use crate::workspace::{Workspace, WorkspaceError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A scheduler of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// `make`.
    Make,
    /// cron, or systemd timers.
    Cron,
    /// GitHub Actions.
    Github,
    /// Apache Airflow.
    Airflow,
}

impl Driver {
    /// The names, for help and errors.
    pub const NAMES: [&'static str; 4] = ["make", "cron", "github", "airflow"];
}

impl FromStr for Driver {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "make" => Ok(Self::Make),
            "cron" => Ok(Self::Cron),
            "github" => Ok(Self::Github),
            "airflow" => Ok(Self::Airflow),
            _ => Err(format!("choose {}", Self::NAMES.join(", "))),
        }
    }
}

/// The placeholder of the loop's directory in the files: absolute, or for GitHub relative to the top of the repository.
const HERE: &str = "/path/to/loop";

/// The placeholder of the binary in the files for this machine.
const BINARY: &str = "/path/to/mlloop";

const MAKE: [(&str, &str); 1] = [("Makefile", include_str!("../templates/Makefile"))];
const CRON: [(&str, &str); 4] = [
    ("scripts/retrain.sh", include_str!("../scripts/retrain.sh")),
    ("scripts/crontab.example", include_str!("../scripts/crontab.example")),
    ("scripts/systemd/mlloop-retrain@.service", include_str!("../scripts/systemd/mlloop-retrain@.service")),
    ("scripts/systemd/mlloop-retrain@.timer", include_str!("../scripts/systemd/mlloop-retrain@.timer")),
];
const GITHUB: [(&str, &str); 7] = [
    (".github/actions/mlloop/action.yml", include_str!("../.github/actions/mlloop/action.yml")),
    (".github/actions/mlloop/install.sh", include_str!("../.github/actions/mlloop/install.sh")),
    (".github/actions/mlloop/release", include_str!("../.github/actions/mlloop/release")),
    (".github/actions/mlloop/loop.sh", include_str!("../.github/actions/mlloop/loop.sh")),
    (".github/actions/mlloop/comment.sh", include_str!("../.github/actions/mlloop/comment.sh")),
    (".github/workflows/loop.yml", include_str!("../.github/workflows/loop.yml")),
    (".github/workflows/mlloop.yml", include_str!("../templates/mlloop.yml")),
];
const AIRFLOW: [(&str, &str); 1] = [("scripts/airflow_dag.py", include_str!("../scripts/airflow_dag.py"))];

impl Driver {
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Make => &MAKE,
            Self::Cron => &CRON,
            Self::Github => &GITHUB,
            Self::Airflow => &AIRFLOW,
        }
    }
}

/// Writes the files of `drivers`, which call the binary `mlloop`; returns their paths. Those of GitHub go to the top of
/// the repository.
///
/// # Errors
/// [`WorkspaceError::Exists`] for an existing file that differs, unless `force`; nothing is written then.
pub fn write(
    workspace: &Workspace,
    drivers: &[Driver],
    mlloop: &Path,
    force: bool,
) -> Result<Vec<PathBuf>, WorkspaceError> {
    let dir = workspace.dir();
    let dir = dir.canonicalize().at(dir)?;
    let top = dir.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(&dir);
    let below = dir.strip_prefix(top).unwrap_or(Path::new(""));
    let below = if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() };
    let mut files = Vec::new();
    for driver in drivers {
        let (place, here) = match driver {
            Driver::Github => (top, below.clone()),
            _ => (dir.as_path(), dir.display().to_string()),
        };
        let binary = mlloop.display().to_string();
        files.extend(driver.files().iter().map(|(name, text)| {
            let text = match driver {
                Driver::Github => text.replace(HERE, &here),
                Driver::Airflow => python(text, &dir, &binary),
                Driver::Make | Driver::Cron => text.replace(HERE, &here).replace(BINARY, &binary),
            };
            (place.join(name), text)
        }));
    }
    for (path, text) in &files {
        let other = std::fs::read(path).is_ok_and(|there| there != text.as_bytes());
        if other && !force {
            return Err(WorkspaceError::Exists(path.clone()));
        }
    }
    for (path, text) in &files {
        let write = || {
            path.parent().map_or(Ok(()), atomic::make_dirs)?;
            atomic::replace(path, |out| out.write_all(text.as_bytes()))?;
            match path.extension().is_some_and(|ending| ending == "sh") {
                // Whoever may read the file may also execute it.
                true => std::fs::metadata(path).and_then(|meta| {
                    let mode = meta.permissions().mode();
                    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))
                }),
                false => Ok(()),
            }
        };
        write().at(path)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// The DAG for a loop: its texts are written as JSON strings, which are also Python literals, and its name is valid in
/// Airflow.
fn python(text: &str, dir: &Path, binary: &str) -> String {
    let literal = |text: &str| serde_json::Value::from(text).to_string();
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' }).take(200).collect();
    text.replace(&literal(HERE), &literal(&dir.display().to_string()))
        .replace(&literal(BINARY), &literal(binary))
        .replace("NAME = \"mlloop\"", &format!("NAME = {}", literal(&name)))
}
