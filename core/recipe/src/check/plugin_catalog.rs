//! The available policies, found by the exports of their files. Components are inspected, not run.

use std::fs;
use std::path::{Path, PathBuf};

use cadre_contract::{
    ComponentFacts, Declarations, KindEntry, NotAComponent, PluginKind, PolicyDeclaration, Slot,
};
use cadre_store::Digest;

use crate::read::env_source::EnvSource;
use crate::read::path_value::checkout;

/// A policy's file and its metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginEntry {
    /// The name of the file without `.wasm`, by which recipes refer to it.
    pub name: String,
    /// Router, selector or collection of methods.
    pub kind: PluginKind,
    /// The file.
    pub file: PathBuf,
    /// BLAKE3 of the file: its identity in stage keys.
    pub digest: Digest,
    /// The contract version of its export, such as `0.2.0`.
    pub contract: String,
    /// Its own version, if the component has a `version` section.
    pub version: Option<String>,
    /// The policies of a collection.
    pub declarations: Option<Declarations>,
}

impl PluginEntry {
    /// Whether this build supports its contract version: the major and minor numbers are equal.
    pub fn keeps_contract(&self) -> bool {
        self.contract_entry().serves(&self.contract)
    }

    /// The contract that it was built for.
    pub fn contract_entry(&self) -> &'static KindEntry {
        self.kind.entry()
    }
}

/// A `.wasm` file that is not a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenPlugin {
    /// The file's name without `.wasm`.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Why it is not a policy.
    pub problem: String,
}

/// The policies on a search path; of two with the same name, the one in the earlier folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginCatalog {
    entries: Vec<PluginEntry>,
    broken: Vec<BrokenPlugin>,
}

/// A folder within a folder of policies, for collections of methods.
const COLLECTIONS: &str = "methods";

/// Maximum size of a policy file, in bytes.
const LARGEST: u64 = 32 << 20;

impl PluginCatalog {
    /// The search path of a recipe's plugins, nearest first: the folder `plugins` beside the recipe, the folders in
    /// `$CADRE_PLUGINS`, the folder `plugins` beside the recipe's folder `recipes`, and `plugins` in the working
    /// folder.
    pub fn search_path(recipe: &Path, env: &EnvSource) -> Vec<PathBuf> {
        let file = env.folder().join(recipe);
        let file = file.canonicalize().unwrap_or(file);
        let beside = file.parent().unwrap_or(Path::new(""));
        let mut folders = vec![beside.join("plugins")];
        folders.extend(env.get("CADRE_PLUGINS").iter().flat_map(|list| std::env::split_paths(*list)));
        folders.extend(checkout(beside).map(|root| root.join("plugins")));
        folders.push(env.folder().join("plugins"));
        let mut seen = Vec::new();
        folders.retain(|folder| {
            let new = !seen.contains(folder);
            seen.push(folder.clone());
            new
        });
        folders
    }

    /// The folders in `$CADRE_PLUGINS` that do not exist.
    pub fn missing_folders(env: &EnvSource) -> Vec<PathBuf> {
        let listed = env.get("CADRE_PLUGINS").into_iter().flat_map(std::env::split_paths);
        let named = listed.filter(|folder| !folder.as_os_str().is_empty());
        named.filter(|folder| !env.folder().join(folder).is_dir()).collect()
    }

    /// Reads what is in these folders: `name.wasm`, and `name/name.wasm` or `name/name_with_underscores.wasm`. Folders
    /// that do not exist are skipped. The folder `methods` in each is searched too.
    pub fn scan(folders: &[PathBuf]) -> Self {
        let mut catalog = Self::default();
        for folder in folders {
            for folder in [folder.clone(), folder.join(COLLECTIONS)] {
                let mut files: Vec<PathBuf> = fs::read_dir(folder)
                    .map(|entries| {
                        entries.filter_map(Result::ok).filter_map(|entry| candidate(&entry.path())).collect()
                    })
                    .unwrap_or_default();
                files.sort();
                for file in files {
                    catalog.add(&file);
                }
            }
        }
        catalog.entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        catalog
    }

    fn add(&mut self, file: &Path) {
        let name = name_of(file);
        if self.find(&name).is_some() || self.broken.iter().any(|broken| broken.name == name) {
            return;
        }
        match read(file) {
            Ok(entry) => self.entries.push(entry),
            Err(problem) => self.broken.push(BrokenPlugin { name, file: file.to_owned(), problem }),
        }
    }

    /// Reads a file; the error states why it is not a policy.
    pub fn read(file: &Path) -> Result<PluginEntry, BrokenPlugin> {
        read(file).map_err(|problem| BrokenPlugin { name: name_of(file), file: file.to_owned(), problem })
    }

    /// The policy of this name.
    pub fn find(&self, name: &str) -> Option<&PluginEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// All policies, routers first, by name.
    pub fn entries(&self) -> &[PluginEntry] {
        &self.entries
    }

    /// Files that are not policies.
    pub fn broken(&self) -> &[BrokenPlugin] {
        &self.broken
    }

    /// The policy of this name in a slot, and the collection that holds it.
    pub fn policy(&self, slot: Slot, name: &str) -> Option<(&PluginEntry, &PolicyDeclaration)> {
        self.of_slot(slot).find(|(_, policy)| policy.name == name)
    }

    /// The policies of a slot.
    pub fn of_slot(&self, slot: Slot) -> impl Iterator<Item = (&PluginEntry, &PolicyDeclaration)> {
        self.policies().filter(move |(_, policy)| policy.slot == slot)
    }

    /// All policies of collections; of two with the same name, the one in the earlier folder comes first.
    pub fn policies(&self) -> impl Iterator<Item = (&PluginEntry, &PolicyDeclaration)> {
        self.entries.iter().flat_map(|entry| {
            entry.declarations.iter().flat_map(move |all| all.policies.iter().map(move |one| (entry, one)))
        })
    }

    /// The policies of a kind.
    pub fn of_kind(&self, kind: PluginKind) -> impl Iterator<Item = &PluginEntry> {
        self.entries.iter().filter(move |entry| entry.kind == kind)
    }
}

/// A `.wasm` file, or the one in a folder that has its name.
fn candidate(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        let name = path.file_name()?.to_str()?;
        let file = path.join(format!("{name}.wasm"));
        return file.is_file().then_some(file);
    }
    path.extension().is_some_and(|ending| ending == "wasm").then(|| path.to_owned())
}

fn name_of(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(file: &Path) -> Result<PluginEntry, String> {
    let size = fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > LARGEST {
        return Err(format!("it has {size} bytes, more than {LARGEST}"));
    }
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    let facts = ComponentFacts::read(&bytes).map_err(|error| match error {
        NotAComponent::Other(found) => format!("it is {found}, not a component"),
        NotAComponent::Damaged(problem) => problem,
    })?;
    let kinds = facts.kinds();
    let Some(found) = kinds.first() else {
        let interfaces: Vec<String> = cadre_contract::KINDS
            .iter()
            .map(|entry| format!("`{}/{}`", entry.package, entry.interface))
            .collect();
        return Err(format!("it exports none of {}", interfaces.join(", ")));
    };
    let declarations = match found.entry.kind {
        PluginKind::Methods => Some(facts.declarations()?),
        _ => None,
    };
    Ok(PluginEntry {
        name: name_of(file),
        kind: found.entry.kind,
        file: file.to_owned(),
        digest: Digest::of_bytes(&bytes),
        contract: found.version.to_owned(),
        version: facts.version.clone(),
        declarations,
    })
}

#[cfg(test)]
pub(crate) mod tests;
