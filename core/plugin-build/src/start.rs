//! Creates a policy from the template: a folder that builds and passes its tests unchanged. Must never overwrite a
//! file.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::PluginBuildError;

/// Kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Decides which expert answers a query.
    Router,
    /// Decides which examples are remembered and rehearsed.
    Selector,
    /// Decides how experts share a token: a collection of methods with one gate.
    Gate,
}

impl FromStr for PolicyKind {
    type Err = PluginBuildError;

    fn from_str(text: &str) -> Result<Self, PluginBuildError> {
        match text {
            "router" => Ok(Self::Router),
            "selector" => Ok(Self::Selector),
            "gate" => Ok(Self::Gate),
            other => Err(PluginBuildError::Kind { given: other.to_owned() }),
        }
    }
}

/// A policy that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPolicy {
    /// The policy's folder.
    pub folder: PathBuf,
    /// The source file to edit first.
    pub source: PathBuf,
}

macro_rules! plugin_file {
    ($path:literal) => {
        include_str!(concat!("../../../plugins/", $path))
    };
}

/// Files that a policy outside the repository contains: the SDK, and the lock file with the dependency versions it was
/// tested with.
const SDK: &[(&str, &str)] = &[
    ("sdk/Cargo.toml", plugin_file!("sdk/Cargo.toml")),
    ("sdk/src/bindings.rs", plugin_file!("sdk/src/bindings.rs")),
    ("sdk/src/chance.rs", plugin_file!("sdk/src/chance.rs")),
    ("sdk/src/evidence.rs", plugin_file!("sdk/src/evidence.rs")),
    ("sdk/src/lib.rs", plugin_file!("sdk/src/lib.rs")),
    ("sdk/src/panics.rs", plugin_file!("sdk/src/panics.rs")),
    ("sdk/src/router.rs", plugin_file!("sdk/src/router.rs")),
    ("sdk/src/sample.rs", plugin_file!("sdk/src/sample.rs")),
    ("sdk/src/selector.rs", plugin_file!("sdk/src/selector.rs")),
    ("sdk/src/settings.rs", plugin_file!("sdk/src/settings.rs")),
    ("sdk/wit/policy.wit", CONTRACT),
    ("Cargo.lock", plugin_file!("Cargo.lock")),
];

const ROUTER: &[(&str, &str)] = &[
    ("Cargo.toml", plugin_file!("template/router/Cargo.toml")),
    ("src/lib.rs", plugin_file!("template/router/src/lib.rs")),
    ("src/tests.rs", plugin_file!("template/router/src/tests.rs")),
];

const SELECTOR: &[(&str, &str)] = &[
    ("Cargo.toml", plugin_file!("template/selector/Cargo.toml")),
    ("src/lib.rs", plugin_file!("template/selector/src/lib.rs")),
    ("src/tests.rs", plugin_file!("template/selector/src/tests.rs")),
];

const GATE: &[(&str, &str)] = &[
    ("Cargo.toml", plugin_file!("methods/template/gate/Cargo.toml")),
    ("policies.toml", plugin_file!("methods/template/gate/policies.toml")),
    ("src/lib.rs", plugin_file!("methods/template/gate/src/lib.rs")),
];

/// The SDK of methods, and the lock file with the dependency versions it was tested with.
const METHOD_SDK: &[(&str, &str)] = &[
    ("sdk/Cargo.toml", plugin_file!("methods/sdk/Cargo.toml")),
    ("sdk/src/bindings.rs", plugin_file!("methods/sdk/src/bindings.rs")),
    ("sdk/src/case.rs", plugin_file!("methods/sdk/src/case.rs")),
    ("sdk/src/chance.rs", plugin_file!("methods/sdk/src/chance.rs")),
    ("sdk/src/expert.rs", plugin_file!("methods/sdk/src/expert.rs")),
    ("sdk/src/export.rs", plugin_file!("methods/sdk/src/export.rs")),
    ("sdk/src/host.rs", plugin_file!("methods/sdk/src/host.rs")),
    ("sdk/src/lib.rs", plugin_file!("methods/sdk/src/lib.rs")),
    ("sdk/src/named.rs", plugin_file!("methods/sdk/src/named.rs")),
    ("sdk/src/panics.rs", plugin_file!("methods/sdk/src/panics.rs")),
    ("sdk/src/policy.rs", plugin_file!("methods/sdk/src/policy.rs")),
    ("sdk/src/settings.rs", plugin_file!("methods/sdk/src/settings.rs")),
    ("sdk/src/tensor.rs", plugin_file!("methods/sdk/src/tensor.rs")),
    ("sdk/wit/method.wit", plugin_file!("methods/sdk/wit/method.wit")),
    ("Cargo.lock", plugin_file!("methods/Cargo.lock")),
];

const README: &str = plugin_file!("template/README.md");
const GATE_README: &str = plugin_file!("methods/template/README.md");

/// The contract, as included in the SDK.
pub(crate) const CONTRACT: &str = plugin_file!("sdk/wit/policy.wit");

/// The template's dependency on the SDK.
const SDK_IN_TEMPLATE: &str = "cadre-policy-sdk = { path = \"../../sdk\" }";
/// The member list in the manifest of the plugins' workspace.
const MEMBERS: &str = "members = [\n";

/// Creates a policy in the new folder `parent/name`. It needs only cargo: the SDK is included.
///
/// # Errors
/// If the name is invalid, the folder exists, or a file cannot be written.
pub fn start(kind: PolicyKind, name: &str, parent: &Path) -> Result<NewPolicy, PluginBuildError> {
    let folder = new_folder(name, parent)?;
    for (path, text) in template(kind) {
        let text = named(text, kind, name);
        let text = text.replace("{ path = \"../../sdk\" }", "{ path = \"sdk\" }");
        let text = match *path {
            "Cargo.toml" => text + OWN_WORKSPACE,
            _ => text,
        };
        write(&folder.join(path), &text)?;
    }
    let (sdk, readme) = match kind {
        PolicyKind::Router | PolicyKind::Selector => (SDK, README),
        PolicyKind::Gate => (METHOD_SDK, GATE_README),
    };
    for (path, text) in sdk {
        write(&folder.join(path), text)?;
    }
    write(&folder.join("README.md"), &named(readme, kind, name))?;
    // `cadre plugin check` caches compiled code in `store`.
    write(&folder.join(".gitignore"), "/target\n/store\n")?;
    Ok(NewPolicy { source: folder.join("src/lib.rs"), folder })
}

const OWN_WORKSPACE: &str = "
[workspace]

[profile.release]
opt-level = 3
lto = true
codegen-units = 1
panic = \"abort\"
strip = true
";

/// Creates a policy in this repository, in `plugins/name`, and adds it to the plugins' workspace.
///
/// # Errors
/// If the name is invalid, the folder exists, or a file cannot be read or written.
pub fn start_in_tree(kind: PolicyKind, name: &str, plugins: &Path) -> Result<NewPolicy, PluginBuildError> {
    if kind == PolicyKind::Gate {
        return Err(PluginBuildError::Collection);
    }
    let manifest = plugins.join("Cargo.toml");
    let members = fs::read_to_string(&manifest)
        .map_err(|source| PluginBuildError::Read { path: manifest.clone(), source })?;
    if !members.contains(MEMBERS) {
        return Err(PluginBuildError::Manifest { path: manifest, expected: MEMBERS.trim_ascii_end() });
    }
    let folder = new_folder(name, plugins)?;
    for (path, text) in template(kind) {
        let text = named(text, kind, name);
        let text = text.replace(SDK_IN_TEMPLATE, "cadre-policy-sdk.workspace = true");
        write(&folder.join(path), &text)?;
    }
    let members = members.replacen(MEMBERS, &format!("{MEMBERS}    \"{name}\",\n"), 1);
    write(&manifest, &members)?;
    Ok(NewPolicy { source: folder.join("src/lib.rs"), folder })
}

fn template(kind: PolicyKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        PolicyKind::Router => ROUTER,
        PolicyKind::Selector => SELECTOR,
        PolicyKind::Gate => GATE,
    }
}

/// Replaces the package and type names in the template's text.
fn named(text: &str, kind: PolicyKind, name: &str) -> String {
    let (package, class) = match kind {
        PolicyKind::Router => ("my-router", "MyRouter"),
        PolicyKind::Selector => ("my-selector", "MySelector"),
        PolicyKind::Gate => ("my-gate", "MyGate"),
    };
    let type_name: String = name
        .split('-')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_ascii_uppercase(), rest.to_owned()]
        })
        .collect();
    // A policy type must not have the name of a type that the template imports from the SDK.
    let suffix = match (kind, type_name.as_str()) {
        (PolicyKind::Router | PolicyKind::Selector, "Router" | "Selector") => "Policy",
        (PolicyKind::Gate, "Gate" | "Gated" | "Parameter" | "Policy" | "Site") => "Method",
        _ => "",
    };
    let type_name = type_name + suffix;
    text.replace("my-policy", name).replace(package, name).replace(class, &type_name)
}

fn new_folder(name: &str, parent: &Path) -> Result<PathBuf, PluginBuildError> {
    let fits = (2..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    // Names reserved by cargo, and names of other folders in `plugins/`.
    let taken = ["core", "std", "alloc", "test", "sdk", "template", "examples", "target"];
    if !fits || taken.contains(&name) {
        return Err(PluginBuildError::Name { given: name.to_owned() });
    }
    let folder = parent.join(name);
    if folder.exists() {
        return Err(PluginBuildError::Exists { path: folder });
    }
    Ok(folder)
}

fn write(path: &Path, text: &str) -> Result<(), PluginBuildError> {
    let failed = |source| PluginBuildError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    //! The content of a new policy's folder. The template's own tests check that it builds.

    use super::*;

    #[test]
    fn a_policy_outside_the_repository_includes_its_sdk() {
        let parent = tempfile::tempdir().unwrap();
        let new = start(PolicyKind::Router, "by-length", parent.path()).unwrap();
        let manifest = fs::read_to_string(new.folder.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("name = \"by-length\""));
        assert!(manifest.contains("cadre-policy-sdk = { path = \"sdk\" }"));
        assert!(manifest.contains("[workspace]"));
        let source = fs::read_to_string(&new.source).unwrap();
        assert!(source.contains("pub struct ByLength"));
        assert!(!source.contains("my-router") && !source.contains("MyRouter"));
        let readme = fs::read_to_string(new.folder.join("README.md")).unwrap();
        assert!(readme.contains("by-length") && !readme.contains("my-policy"));
    }

    #[test]
    fn a_gate_outside_the_repository_includes_its_sdk_and_declarations() {
        let parent = tempfile::tempdir().unwrap();
        let new = start(PolicyKind::Gate, "by-norm", parent.path()).unwrap();
        let read = |file: &str| fs::read_to_string(new.folder.join(file)).unwrap();
        assert!(read("Cargo.toml").contains("cadre-method-sdk = { path = \"sdk\" }"));
        assert!(read("policies.toml").contains("name = \"by-norm\""));
        let source = read("src/lib.rs");
        assert!(source.contains("\"by-norm\" => ByNorm") && !source.contains("MyGate"), "{source}");
        assert!(read("README.md").contains("by-norm"));
        let core = include_str!("../../contract/wit-method/method.wit");
        assert!(
            core == read("sdk/wit/method.wit"),
            "copy core/contract/wit-method/method.wit to plugins/methods/sdk/wit"
        );
    }

    #[test]
    fn the_included_sdks_are_complete() {
        complete("../../plugins", SDK);
        complete("../../plugins/methods", METHOD_SDK);
    }

    fn complete(workspace: &str, included: &[(&str, &str)]) {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join(workspace);
        let mut there: Vec<String> = ["sdk", "sdk/src", "sdk/wit"]
            .iter()
            .flat_map(|folder| {
                let entries = fs::read_dir(plugins.join(folder)).unwrap();
                entries
                    .flatten()
                    .filter(|entry| entry.path().is_file())
                    .map(move |entry| format!("{folder}/{}", entry.file_name().to_string_lossy()))
            })
            .collect();
        there.push("Cargo.lock".to_owned());
        there.sort();
        let mut brought: Vec<&str> = included.iter().map(|file| file.0).collect();
        brought.sort_unstable();
        assert_eq!(there, brought);
    }

    #[test]
    fn the_sdk_has_the_contract_of_the_core() {
        let core = include_str!("../../contract/wit/policy.wit");
        let sdk = SDK.iter().find(|file| file.0 == "sdk/wit/policy.wit").unwrap().1;
        assert!(core == sdk, "copy core/contract/wit/policy.wit to plugins/sdk/wit/policy.wit");
    }

    #[test]
    fn a_policy_in_the_repository_joins_the_workspace() {
        let plugins = tempfile::tempdir().unwrap();
        let manifest = plugins.path().join("Cargo.toml");
        fs::write(&manifest, plugin_file!("Cargo.toml")).unwrap();
        let new = start_in_tree(PolicyKind::Selector, "hardest", plugins.path()).unwrap();
        let members = fs::read_to_string(&manifest).unwrap();
        assert!(members.contains("members = [\n    \"hardest\",\n"));
        let own = fs::read_to_string(new.folder.join("Cargo.toml")).unwrap();
        assert!(own.contains("cadre-policy-sdk.workspace = true"));
        let again = start_in_tree(PolicyKind::Selector, "hardest", plugins.path());
        assert!(matches!(again, Err(PluginBuildError::Exists { .. })));
    }

    #[test]
    fn invalid_names_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["", "a", "Mine", "my_router", "1st", "sdk", "../out", "core", "a-"] {
            let error = start(PolicyKind::Router, name, parent.path()).unwrap_err();
            assert!(matches!(error, PluginBuildError::Name { .. }), "{name}: {error}");
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        assert!("merge".parse::<PolicyKind>().is_err());
    }
}
