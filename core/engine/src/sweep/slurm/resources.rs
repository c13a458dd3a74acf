//! What the jobs of a sweep get: the table `[launcher.slurm]` of a file. It asks the cluster nothing.

use std::path::Path;

use serde::Deserialize;

use super::script::option;
use crate::error::EngineError;

/// `[launcher.slurm]`. What is left out is the cluster's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Resources {
    /// The partition.
    pub(crate) partition: Option<String>,
    /// Generic resources, as `gpu:1`.
    pub(crate) gres: Option<String>,
    /// The longest time of a job, as `04:00:00`. A job that comes near it keeps a checkpoint and queues itself again.
    pub(crate) time: Option<String>,
    /// Who pays.
    pub(crate) account: Option<String>,
    /// The quality of service.
    pub(crate) qos: Option<String>,
    /// Cores of a job.
    pub(crate) cpus: Option<u32>,
    /// Memory of a job, as `32G`.
    pub(crate) memory: Option<String>,
    /// Seconds before the end of `time` at which a job is asked to stop; 120 where it is left out.
    pub(crate) grace: Option<u32>,
    /// Most jobs of an array at a time.
    pub(crate) at_once: Option<u32>,
    /// Further options of `sbatch`, each as `--constraint=a100`.
    pub(crate) extra: Vec<String>,
    /// Lines of shell before the work: `module load cuda`.
    pub(crate) setup: Vec<String>,
}

/// The whole file. A recipe may be one: other tables are not read.
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
    /// Reads the file; where there is none of the usual name, everything is the cluster's default.
    ///
    /// # Errors
    /// A named file that is not there; one that cannot be read or has an unknown key, with its line.
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
            let problem = format!("`{name}` = {value:?} has a line break or another control character in it");
            return Err(EngineError::Launcher { path: file.to_owned(), problem });
        }
        let strange = |line: &&String| !line.starts_with('-') || line.contains(char::is_control);
        if let Some(line) = resources.extra.iter().find(strange) {
            let problem = format!("`extra` holds {line:?}, which is no option of sbatch");
            return Err(EngineError::Launcher { path: file.to_owned(), problem });
        }
        Ok(resources)
    }

    /// What has a name of its own among the options, by that name.
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

    /// Options of `sbatch`.
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

/// A further option as a line of a script has it: a value with a blank is put in quotes, unless it has some or the line
/// holds another option.
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
    fn what_is_said_becomes_options() {
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
    fn mistakes_have_their_line() {
        let unknown =
            read("[launcher.slurm]\npartition = \"gpu\"\nmemroy = \"1G\"\n").unwrap_err().to_string();
        assert!(unknown.contains("memroy") && unknown.contains("line 3"), "{unknown}");
        assert!(
            read("[launcher.slurm]\nextra = [\"rm -rf\"]\n").unwrap_err().to_string().contains("no option")
        );
        let broken = read("[launcher.slurm]\nqos = \"a\\nb\"\n").unwrap_err().to_string();
        assert!(broken.contains("qos") && broken.contains("line break"), "{broken}");
        let gone = Path::new("/nowhere/launcher.toml");
        assert!(Resources::read(gone, false).is_err());
        assert_eq!(Resources::read(gone, true).unwrap(), Resources::default());
    }
}
