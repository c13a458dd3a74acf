//! Resources of a sweep's jobs: the table `[launcher.slurm]` of a file.

use std::path::Path;

use serde::Deserialize;

use super::script::option;
use crate::error::EngineError;

/// `[launcher.slurm]`. Omitted keys take the cluster's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Resources {
    /// The partition.
    pub(crate) partition: Option<String>,
    /// Generic resources, such as `gpu:1`.
    pub(crate) gres: Option<String>,
    /// Time limit of a job, such as `04:00:00`. A job that comes near it saves a checkpoint and requeues itself.
    pub(crate) time: Option<String>,
    /// The account to charge.
    pub(crate) account: Option<String>,
    /// The quality of service.
    pub(crate) qos: Option<String>,
    /// Cores per job.
    pub(crate) cpus: Option<u32>,
    /// Memory per job, such as `32G`.
    pub(crate) memory: Option<String>,
    /// Seconds before the end of `time` at which a job is asked to stop; default 120.
    pub(crate) grace: Option<u32>,
    /// Maximum number of array jobs that run at the same time.
    pub(crate) at_once: Option<u32>,
    /// Additional options of `sbatch`, such as `--constraint=a100`.
    pub(crate) extra: Vec<String>,
    /// Shell lines to run before the work, such as `module load cuda`.
    pub(crate) setup: Vec<String>,
}

/// The whole file. A recipe can be used: other tables are ignored.
#[derive(Debug, Default, Deserialize)]
struct LauncherFile {
    #[serde(default)]
    launcher: Launchers,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Launchers {
    #[serde(default)]
    slurm: Resources,
}

impl Resources {
    /// Reads the file. If the file with the default name does not exist, the cluster's defaults apply.
    ///
    /// # Errors
    /// If an explicitly named file does not exist; if the file cannot be read or has an unknown key (reported with its
    /// line).
    pub(crate) fn read(file: &Path, usual: bool) -> Result<Self, EngineError> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(source) if usual && source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => return Err(EngineError::Read { path: file.to_owned(), source }),
        };
        let read: LauncherFile = toml::from_str(&text)
            .map_err(|source| EngineError::Launcher { path: file.to_owned(), problem: source.to_string() })?;
        let resources = read.launcher.slurm;
        let named = resources.named();
        if let Some((name, value)) = named.iter().find(|(_, value)| value.contains(char::is_control)) {
            let problem = format!("`{name}` = {value:?} contains a line break or another control character");
            return Err(EngineError::Launcher { path: file.to_owned(), problem });
        }
        let strange = |line: &&String| !line.starts_with('-') || line.contains(char::is_control);
        if let Some(line) = resources.extra.iter().find(strange) {
            let problem = format!("`extra` contains {line:?}, which is not an option of sbatch");
            return Err(EngineError::Launcher { path: file.to_owned(), problem });
        }
        Ok(resources)
    }

    /// The string options by name.
    fn named(&self) -> Vec<(&'static str, &String)> {
        let named = [
            ("partition", &self.partition),
            ("gres", &self.gres),
            ("time", &self.time),
            ("account", &self.account),
            ("qos", &self.qos),
            ("mem", &self.memory),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect()
    }

    /// The options for `sbatch`.
    pub(super) fn options(&self) -> Vec<String> {
        let mut options: Vec<String> =
            self.named().into_iter().map(|(name, value)| option(name, value)).collect();
        options.extend(self.cpus.map(|cpus| format!("--cpus-per-task={cpus}")));
        if self.time.is_some() {
            options.push(format!("--signal=B:USR1@{}", self.grace.unwrap_or(120)));
        }
        options.extend(self.extra.iter().map(|line| further(line)));
        options
    }
}

/// An additional option as a line of a script: a value with a space is quoted, unless it already contains quotes or the
/// line contains another option.
fn further(line: &str) -> String {
    let (name, value) = match line.strip_prefix("--").and_then(|line| line.split_once('=')) {
        Some(pair) => pair,
        None => return line.to_owned(),
    };
    if value.contains(['"', '\'']) || value.contains(" -") { line.to_owned() } else { option(name, value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Resources, EngineError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("launcher.toml");
        std::fs::write(&file, text).unwrap();
        Resources::read(&file, false)
    }

    #[test]
    fn settings_become_options() {
        let text = "name = \"a recipe\"\n[launcher.slurm]\npartition = \"gpu\"\ngres = \"gpu:1\"\ntime = \"1:00:00\"\ncpus = 8\n\
                    memory = \"32G\"\ngrace = 60\nextra = [\"--constraint=a100\"]\n";
        let expected = [
            "--partition=gpu",
            "--gres=gpu:1",
            "--time=1:00:00",
            "--mem=32G",
            "--cpus-per-task=8",
            "--signal=B:USR1@60",
            "--constraint=a100",
        ];
        assert_eq!(read(text).unwrap().options(), expected);
        assert!(read("").unwrap().options().is_empty());
        let blank = "[launcher.slurm]\naccount = \"my lab\"\nextra = [\"--comment=two words\", \"-C a100\", \
                     \"--comment='as it is'\", \"--a=1 --b=2\"]\n";
        let expected = [
            "--account=\"my lab\"",
            "--comment=\"two words\"",
            "-C a100",
            "--comment='as it is'",
            "--a=1 --b=2",
        ];
        assert_eq!(read(blank).unwrap().options(), expected);
    }

    #[test]
    fn errors_have_a_line() {
        let unknown =
            read("[launcher.slurm]\npartition = \"gpu\"\nmemroy = \"1G\"\n").unwrap_err().to_string();
        assert!(unknown.contains("memroy") && unknown.contains("line 3"), "{unknown}");
        assert!(
            read("[launcher.slurm]\nextra = [\"rm -rf\"]\n")
                .unwrap_err()
                .to_string()
                .contains("not an option")
        );
        let broken = read("[launcher.slurm]\nqos = \"a\\nb\"\n").unwrap_err().to_string();
        assert!(broken.contains("qos") && broken.contains("line break"), "{broken}");
        let gone = Path::new("/nowhere/launcher.toml");
        assert!(Resources::read(gone, false).is_err());
        assert_eq!(Resources::read(gone, true).unwrap(), Resources::default());
    }
}
