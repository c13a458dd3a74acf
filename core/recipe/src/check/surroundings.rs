//! Checks of a recipe against the backends of this build and the available plugins, both supplied by the caller.

use std::str::FromStr as _;

use cadre_contract::{PluginKind, SettingProblem, Slot};
use serde_json::Value;

use crate::check::plugin_catalog::PluginCatalog;
use crate::check::validate::Finding;
use crate::diagnostics::expectation::{did_you_mean, listed, nearest};
use crate::diagnostics::mistake::Mistake;
use crate::read::key_path::KeyPath;
use crate::section::device::Backend;

/// The backends and plugins of this build and machine. `None` skips the check.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The backends of this build.
    pub capabilities: Option<Capabilities>,
    /// The available policies.
    pub plugins: Option<PluginCatalog>,
}

/// The backends of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The backends that were compiled in.
    pub backends: Vec<BackendSupport>,
    /// The command that builds another backend, up to the feature's name: `cargo build --features cadre-engine/`.
    pub build_with: String,
}

/// A backend of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendSupport {
    /// As in `device.backend`, without an index: `cpu`, `ndarray`, `cuda`.
    pub name: String,
    /// Whether it supports `bf16`.
    pub bf16: bool,
}

impl Surroundings {
    pub(crate) fn check(&self, recipe: &Value) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(capabilities) = &self.capabilities {
            findings.extend(capabilities.check(recipe));
        }
        if let Some(catalog) = &self.plugins {
            let uses = [("routing.router", PluginKind::Router), ("rehearsal.selector", PluginKind::Selector)];
            for (table, kind) in uses {
                let path = KeyPath::of(table).key("plugin");
                if let Some(name) = path.find(recipe).and_then(Value::as_str) {
                    findings.extend(plugin(catalog, name, kind, path));
                }
            }
            findings.extend(method(catalog, Slot::Merge, KeyPath::of("routing.merge"), recipe));
        }
        findings
    }
}

/// Problems of a method and of its settings.
fn method(catalog: &PluginCatalog, slot: Slot, table: KeyPath, recipe: &Value) -> Vec<Finding> {
    let path = table.key("plugin");
    let Some(name) = path.find(recipe).and_then(Value::as_str) else { return Vec::new() };
    let Some((entry, policy)) = catalog.policy(slot, name) else {
        let names = || catalog.of_slot(slot).map(|(_, policy)| policy.name.as_str());
        let other = catalog.policies().find(|(_, policy)| policy.name == name).map(|(_, policy)| policy.slot);
        if let Some(broken) = catalog.broken().iter().find(|_| names().next().is_none()) {
            let mistake =
                Mistake::BrokenPlugin { file: broken.file.clone(), problem: broken.problem.clone() };
            return vec![Finding::value(path, mistake)];
        }
        let mistake = match other {
            Some(found) => {
                Mistake::OtherKind { name: name.to_owned(), kind: slot.name(), found: found.name() }
            }
            None => Mistake::NoPlugin { kind: slot.name(), name: name.to_owned() },
        };
        let near = nearest(name, names()).map(did_you_mean);
        let there = match listed(names(), "or") {
            none if none.is_empty() => {
                "a method, but none was found in `plugins/methods` or in $CADRE_PLUGINS".to_owned()
            }
            some => some,
        };
        return vec![Finding::value(path, mistake).expect(there).suggest(near)];
    };
    let holders: Vec<_> = catalog
        .of_slot(slot)
        .filter(|(_, other)| other.name == name)
        .map(|(holder, _)| holder.file.display().to_string())
        .collect();
    if holders.len() > 1 {
        let mistake = Mistake::SeveralMethods { name: name.to_owned(), holders: holders.join(" and ") };
        let hint = "rename one of them in its `policies.toml`, or take its folder out of $CADRE_PLUGINS";
        return vec![Finding::value(path, mistake).suggest(Some(hint.to_owned()))];
    }
    if !entry.keeps_contract() {
        let mistake = Mistake::OtherContract {
            kind: slot.name(),
            name: name.to_owned(),
            found: entry.contract.clone(),
            spoken: entry.contract_entry().version,
        };
        let rebuild =
            format!("build `{}` against contract {}", entry.file.display(), entry.contract_entry().version);
        return vec![Finding::value(path, mistake).suggest(Some(rebuild))];
    }
    let mut settings = table.find(recipe).and_then(Value::as_object).cloned().unwrap_or_default();
    settings.shift_remove("plugin");
    let Err(problems) = policy.complete(&settings) else { return Vec::new() };
    let known: Vec<&str> = policy.settings.iter().map(|setting| setting.name.as_str()).collect();
    problems
        .into_iter()
        .map(|problem| match problem {
            SettingProblem::Unknown { name: key, .. } => {
                let near = nearest(&key, known.iter().copied()).map(did_you_mean);
                let mistake = Mistake::NoSetting { method: name.to_owned(), key: key.clone() };
                let finding = Finding::key(table.key(&key), mistake).suggest(near);
                match known.is_empty() {
                    true => finding,
                    false => finding.expect(listed(known.iter().copied(), "or")),
                }
            }
            SettingProblem::Missing { name: key, doc } => {
                let mistake = Mistake::MissingSetting { method: name.to_owned(), key: key.clone(), doc };
                let setting = policy.settings.iter().find(|setting| setting.name == key);
                let finding = Finding::key(table.clone(), mistake);
                match setting {
                    Some(setting) => finding.expect(format!("`{key}`, {}", setting.expectation())),
                    None => finding,
                }
            }
            SettingProblem::Value { name: key, found, expected } => {
                let mistake = Mistake::SettingValue { method: name.to_owned(), key: key.clone(), found };
                Finding::value(table.key(&key), mistake).expect(expected)
            }
        })
        .collect()
}

impl Capabilities {
    fn check(&self, recipe: &Value) -> Option<Finding> {
        let text = |key: &str| KeyPath::of(key).find(recipe).and_then(Value::as_str);
        let backend = Backend::from_str(text("device.backend").unwrap_or("cpu")).ok()?;
        let Some(support) = self.backends.iter().find(|support| support.name == backend.name()) else {
            let mistake = Mistake::NoBackend { name: backend.to_string() };
            let there = listed(self.backends.iter().map(|support| support.name.as_str()), "or");
            let command = format!("build it with `{}{}`", self.build_with, backend.name());
            return Some(
                Finding::value(KeyPath::of("device.backend"), mistake).expect(there).suggest(Some(command)),
            );
        };
        if text("device.precision") == Some("bf16") && !support.bf16 {
            let mistake = Mistake::NoPrecision { backend: backend.to_string(), precision: "bf16".to_owned() };
            let able =
                self.backends.iter().filter(|support| support.bf16).map(|support| support.name.as_str());
            let able = listed(able, "and");
            let note = if able.is_empty() { None } else { Some(format!("{able} supports it")) };
            return Some(
                Finding::value(KeyPath::of("device.precision"), mistake).expect("`f32`").suggest(note),
            );
        }
        None
    }
}

fn plugin(catalog: &PluginCatalog, name: &str, kind: PluginKind, path: KeyPath) -> Option<Finding> {
    if let Some(entry) = catalog.find(name) {
        let mistake = if entry.kind != kind {
            Mistake::OtherKind { name: name.to_owned(), kind: kind.name(), found: entry.kind.name() }
        } else if !entry.keeps_contract() {
            Mistake::OtherContract {
                kind: kind.name(),
                name: name.to_owned(),
                found: entry.contract.clone(),
                spoken: entry.contract_entry().version,
            }
        } else {
            return None;
        };
        let other = matches!(mistake, Mistake::OtherContract { .. });
        let rebuild = other.then(|| {
            format!("build `{}` against contract {}", entry.file.display(), entry.contract_entry().version)
        });
        let finding = Finding::value(path, mistake).suggest(rebuild);
        return Some(if other { finding } else { finding.expect(there(catalog, kind)) });
    }
    if let Some(broken) = catalog.broken().iter().find(|broken| broken.name == name) {
        let mistake = Mistake::BrokenPlugin { file: broken.file.clone(), problem: broken.problem.clone() };
        return Some(Finding::value(path, mistake));
    }
    let mistake = Mistake::NoPlugin { kind: kind.name(), name: name.to_owned() };
    let near = nearest(name, catalog.of_kind(kind).map(|entry| entry.name.as_str())).map(did_you_mean);
    Some(Finding::value(path, mistake).expect(there(catalog, kind)).suggest(near))
}

/// The available plugins of a kind.
fn there(catalog: &PluginCatalog, kind: PluginKind) -> String {
    let names = listed(catalog.of_kind(kind).map(|entry| entry.name.as_str()), "or");
    if names.is_empty() {
        format!("a {}, but none was found in `plugins` beside the recipe or in $CADRE_PLUGINS", kind.name())
    } else {
        names
    }
}
