//! Resolves names on Hugging Face's Hub (`hf://…`) to folders of its local cache. Files that the cache lacks are
//! downloaded into it once. A partial copy must never be used as a complete one, and a cached revision is
//! not updated. Only [`HubSettings::from_env`] may read the environment.

mod name;
mod needed;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};

use crate::error::DataError;
use name::HubName;
pub use needed::HubUse;

/// Scheme of names on the Hub.
const SCHEME: &str = "hf://";
/// Default address of the Hub.
const ENDPOINT: &str = "https://huggingface.co";

/// Whether a recipe's path is a name on the Hub rather than a local path.
pub fn is_hub_name(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.starts_with(SCHEME))
}

/// The Hub's address and cache, configured as for Hugging Face's own tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// The cache folder, which contains folders such as `models--org--name`.
    pub cache: PathBuf,
    /// Address of the Hub, without a trailing slash.
    pub endpoint: String,
    /// Access token for private and gated repositories.
    pub token: Option<String>,
    /// Whether network access is disabled.
    pub offline: bool,
}

impl HubSettings {
    /// Reads this process's environment like `huggingface_hub`: `HF_HUB_CACHE`, or else `HF_HOME/hub`, or else
    /// `~/.cache/huggingface/hub`; `HF_ENDPOINT`; `HF_TOKEN`, or else `HF_HOME/token`; `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        Self::from_variables(&|name| std::env::var(name).ok())
    }

    fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let home = path("HF_HOME").unwrap_or_else(|| {
            let cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
            cache.unwrap_or_default().join("huggingface")
        });
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let token = set("HF_TOKEN").or_else(|| {
            let file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
            std::fs::read_to_string(file).ok()
        });
        let offline = set("HF_HUB_OFFLINE").unwrap_or_default().to_uppercase();
        Self {
            cache: cache.unwrap_or_else(|| home.join("hub")),
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.into()).trim_end_matches('/').into(),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            offline: ["1", "ON", "YES", "TRUE"].contains(&offline.as_str()),
        }
    }
}

/// Access to the Hub and its cache.
#[derive(Debug)]
pub struct Hub {
    settings: HubSettings,
    /// Why the Hub is unreachable; once set, it is not tried again.
    unreachable: Mutex<Option<String>>,
}

/// A requested repository: its name, the files needed, and its folder in the cache.
struct Wanted<'a> {
    name: HubName,
    what: HubUse,
    folder: PathBuf,
    text: &'a str,
}

impl Hub {
    /// Access with these settings. Makes no request yet.
    pub fn new(settings: HubSettings) -> Self {
        Self { settings, unreachable: Mutex::new(None) }
    }

    /// The local folder of a name (for [`HubUse::Tokenizer`]: the folder of `tokenizer.json`).
    ///
    /// If the cache has a complete copy of a revision, that copy is used. A name without a revision stands for `main`
    /// as of the download. A copy that Cadre downloaded is checked against its list of files, which is stored beside
    /// it. For a copy from another program the list is requested, and missing files are downloaded. Without a network,
    /// such a copy is used if nothing is visibly missing: shards that an index lists, configuration, tokenizer.
    ///
    /// # Errors
    /// A malformed name, or a name that is neither in the cache nor available for download; the error gives the
    /// reason for each.
    pub fn resolve(&self, name: &Path, what: HubUse) -> Result<PathBuf, DataError> {
        let text = name.to_str().unwrap_or_default();
        let parsed = HubName::parse(text, what)
            .map_err(|problem| DataError::HubName { name: name.display().to_string(), problem })?;
        let cache = std::path::absolute(&self.settings.cache)
            .map_err(|source| DataError::Read { file: self.settings.cache.clone(), source })?;
        let folder = cache.join(repository(&parsed, "main").folder_name());
        let wanted = Wanted { name: parsed, what, folder, text };
        let commit = wanted.cached_commit();
        if let Some(commit) = &commit
            && let Some(files) = wanted.listed(commit)
            && files.iter().all(|file| wanted.snapshot(commit).join(file).is_file())
        {
            return Ok(wanted.place(commit));
        }
        let fetched = match self.closed() {
            Some(reason) => Err(reason),
            None => self.fetch(&wanted, commit.as_deref(), &cache),
        };
        let network = match fetched {
            Ok(commit) => return Ok(wanted.place(&commit)),
            Err(reason) => reason,
        };
        let missing = match &commit {
            None => format!("it has no revision `{}`", wanted.name.revision),
            // The list of files shows that a file is missing, whether or not `missing` can detect it.
            Some(commit) if wanted.listed(commit).is_some() => "one of its files is missing".to_owned(),
            Some(commit) => match wanted.what.missing(&wanted.place(commit)) {
                None => return Ok(wanted.place(commit)),
                Some(missing) => missing,
            },
        };
        let problem = format!(
            "not whole in the cache ({}: {missing}), and cannot be downloaded from {}: {network}. On a machine with network access, `{}` downloads it; then copy the cache here, or use a local folder in place of the name",
            wanted.folder.display(),
            self.settings.endpoint,
            wanted.command()
        );
        Err(DataError::Hub { name: wanted.text.to_owned(), problem })
    }

    /// Why nothing can be downloaded, if that is known.
    fn closed(&self) -> Option<String> {
        if self.settings.offline {
            return Some("HF_HUB_OFFLINE is set".to_owned());
        }
        self.unreachable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Downloads missing files; returns the commit that is then complete in the cache.
    fn fetch(&self, wanted: &Wanted, commit: Option<&str>, cache: &Path) -> Result<String, String> {
        let revision = commit.unwrap_or(&wanted.name.revision);
        let api = self.api(cache).map_err(|error| self.reason(&error))?;
        let info = api.repo(repository(&wanted.name, revision)).info();
        let info = info.map_err(|error| self.reason(&error))?;
        if !is_commit(&info.sha) {
            return Err(format!("the Hub returned `{}` as a commit", info.sha.escape_default()));
        }
        let all: Vec<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
        if let Some(file) = all.iter().find(|file| !is_inside(file)) {
            return Err(format!("the Hub returned `{}` as a file name", file.escape_default()));
        }
        let files = wanted.needed(&all);
        if files.is_empty() {
            let folder = wanted.name.folder.as_deref().unwrap_or("it");
            return Err(format!("there are no {} in {folder}", wanted.what.files()));
        }
        // By commit, so that all files are of one revision; the revision's name is set only when the copy is complete.
        let repo = api.repo(repository(&wanted.name, &info.sha));
        for file in files {
            if !wanted.snapshot(&info.sha).join(file).is_file() {
                repo.download(file).map_err(|error| format!("{file}: {}", self.reason(&error)))?;
            }
        }
        wanted.keep_list(&info.sha, &all).map_err(|error| format!("store the list of its files: {error}"))?;
        if wanted.name.revision != info.sha {
            let named = Cache::new(cache.to_owned()).repo(repository(&wanted.name, &wanted.name.revision));
            named.create_ref(&info.sha).map_err(|error| format!("store the revision: {error}"))?;
        }
        Ok(info.sha)
    }

    fn api(&self, cache: &Path) -> Result<Api, ApiError> {
        ApiBuilder::from_cache(Cache::new(cache.to_owned()))
            .with_endpoint(self.settings.endpoint.clone())
            .with_token(self.settings.token.clone())
            // Standard output is reserved for the program's own output.
            .with_progress(false)
            .with_retries(2)
            .build()
    }

    /// A readable reason for an error. After a network error the Hub is not tried again.
    fn reason(&self, error: &ApiError) -> String {
        let text = error.to_string();
        let reason = match text.rsplit_once("http status: ").map(|(_, status)| status) {
            Some(status) if status.starts_with("401") || status.starts_with("403") => {
                format!("status {status}: no such repository, or it requires HF_TOKEN")
            }
            Some(status) if status.starts_with("404") => {
                format!("status {status}: no such repository, revision or file")
            }
            Some(status) => format!("status {status}"),
            None => {
                let mut unreachable = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
                *unreachable = Some(text.clone());
                text
            }
        };
        reason.lines().next().unwrap_or_default().to_owned()
    }
}

impl Wanted<'_> {
    /// The commit that the cache has for the revision.
    fn cached_commit(&self) -> Option<String> {
        let revision = &self.name.revision;
        let noted = std::fs::read_to_string(self.folder.join("refs").join(revision)).ok();
        let commit = noted.map(|text| text.trim().to_owned()).unwrap_or_else(|| revision.clone());
        (is_commit(&commit) && self.snapshot(&commit).is_dir()).then_some(commit)
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The folder or file that the name stands for.
    fn place(&self, commit: &str) -> PathBuf {
        let snapshot = self.snapshot(commit);
        match &self.name.folder {
            None => snapshot,
            Some(folder) => snapshot.join(folder),
        }
    }

    /// The files of a repository that are needed.
    fn needed<'a>(&self, all: &'a [String]) -> BTreeSet<&'a str> {
        let folder = self.name.folder.as_deref();
        all.iter().map(String::as_str).filter(|file| self.what.needs(folder, file)).collect()
    }

    /// The needed files of a commit, from its stored list; `None` if there is no list, or it contains none of them.
    fn listed(&self, commit: &str) -> Option<Vec<String>> {
        let text = std::fs::read(self.list_file(commit)).ok()?;
        let all: Vec<String> = serde_json::from_slice(&text).ok()?;
        let files: Vec<String> = self.needed(&all).into_iter().map(str::to_owned).collect();
        (!files.is_empty() && files.iter().all(|file| is_inside(file))).then_some(files)
    }

    fn keep_list(&self, commit: &str, all: &[String]) -> std::io::Result<()> {
        let file = self.list_file(commit);
        let part = file.with_extension(format!("{}.part", std::process::id()));
        std::fs::write(&part, serde_json::to_vec(all)?)?;
        std::fs::rename(part, file)
    }

    fn list_file(&self, commit: &str) -> PathBuf {
        self.folder.join(format!("cadre-files-{commit}.json"))
    }

    /// The command that downloads the repository with Hugging Face's own tool.
    fn command(&self) -> String {
        let HubName { id, revision, dataset, .. } = &self.name;
        let kind = if *dataset { " --repo-type dataset" } else { "" };
        let revision = if revision == "main" { String::new() } else { format!(" --revision {revision}") };
        format!("hf download {id}{kind}{revision}")
    }
}

fn repository(name: &HubName, revision: &str) -> Repo {
    let kind = if name.dataset { RepoType::Dataset } else { RepoType::Model };
    Repo::with_revision(name.id.clone(), kind, revision.to_owned())
}

fn is_commit(text: &str) -> bool {
    text.len() >= 7 && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a relative path stays inside its base folder.
fn is_inside(file: &str) -> bool {
    !file.is_empty() && file.split('/').all(|part| !matches!(part, "" | "." | "..")) && !file.contains('\\')
}

#[cfg(test)]
mod tests;
