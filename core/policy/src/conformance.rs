//! Checks a plugin against the contract: `cadre plugin check`. Simulates the core with findings generated from a seed,
//! twice, and compares the results. Uses no model.

use std::path::Path;
use std::time::Instant;

use cadre_contract::{Description, ExpertCard};
use cadre_store::chain;
use serde::{Deserialize, Serialize};

use crate::{PluginKind, PolicyError, Sandbox};

mod method_play;
mod play;
mod router_play;
mod selector_play;

use play::Played;

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConformanceOutcome {
    /// As required.
    Pass,
    /// Allowed, but suspicious.
    Warning,
    /// Violates the contract.
    Fail,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConformanceCheck {
    /// Name of the check: `contract`, `name`, `answers`, `determinism`, `batch`, `limits`, `speed`.
    pub name: String,
    /// The result.
    pub outcome: ConformanceOutcome,
    /// Details, as text.
    pub detail: String,
}

/// Results of all checks of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Conformance {
    /// The plugin's file.
    pub file: String,
    /// BLAKE3 of the file; absent if it cannot be loaded.
    pub digest: Option<String>,
    /// Kind of policy.
    pub kind: Option<PluginKind>,
    /// The plugin's description of itself.
    pub description: Option<Description>,
    /// The checks in order, up to the first failure that makes the rest meaningless.
    pub checks: Vec<ConformanceCheck>,
    /// Microseconds per query (router) or candidate (selector), best of several calls.
    pub microseconds_each: Option<f64>,
    /// Maximum fuel used by a call.
    pub fuel: Option<u64>,
    /// Maximum memory used by an instance, bytes.
    pub memory_bytes: Option<u64>,
}

impl Conformance {
    /// Whether no check failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != ConformanceOutcome::Fail)
    }

    fn add(&mut self, name: &str, outcome: ConformanceOutcome, detail: impl Into<String>) {
        self.checks.push(ConformanceCheck { name: name.to_owned(), outcome, detail: detail.into() });
    }
}

impl Sandbox {
    /// Checks a plugin: contract, name, answers, determinism, limits, speed. `settings_json` contains the settings to
    /// open it with, `{}` for the defaults. Problems are part of the result; this function does not fail.
    #[must_use]
    pub fn conformance(&self, file: &Path, settings_json: &str) -> Conformance {
        let mut report = Conformance {
            file: file.display().to_string(),
            digest: None,
            kind: None,
            description: None,
            checks: Vec::new(),
            microseconds_each: None,
            fuel: None,
            memory_bytes: None,
        };
        let start = Instant::now();
        let plugin = match self.load(file) {
            Ok(plugin) => plugin,
            Err(error) => {
                report.add("contract", ConformanceOutcome::Fail, chain(&error));
                return report;
            }
        };
        let loaded = start.elapsed().as_secs_f64() * 1e3;
        report.digest = Some(plugin.digest().to_string());
        report.kind = Some(plugin.kind());
        report.description = Some(plugin.description().clone());
        report.add(
            "contract",
            ConformanceOutcome::Pass,
            format!(
                "kind `{}`, version {} of the contract, loaded in {loaded:.1} ms ({})",
                plugin.kind(),
                plugin.kind().entry().version,
                match plugin.loaded_from() {
                    crate::LoadedFrom::Compilation => "compiled",
                    crate::LoadedFrom::Cache => "from the cache",
                }
            ),
        );
        report.name(file);
        let played = match plugin.kind() {
            PluginKind::Router => router_play::play(&plugin, settings_json, self.limits().rounds),
            PluginKind::Selector => selector_play::play(&plugin, settings_json, self.limits().rounds),
            PluginKind::Methods => {
                match serde_json::from_str(settings_json) {
                    Ok(given) => {
                        if let Err(error) = method_play::play(&plugin, &given, &mut report) {
                            report.add("hooks", ConformanceOutcome::Fail, chain(&error));
                        }
                    }
                    Err(error) => report.add("settings", ConformanceOutcome::Fail, error.to_string()),
                }
                return report;
            }
        };
        match played {
            Ok(played) => report.played(played),
            Err(error) => report.add("answers", ConformanceOutcome::Fail, explained(&error)),
        }
        report
    }
}

impl Conformance {
    /// Recipes refer to a plugin by its file name.
    fn name(&mut self, file: &Path) {
        let Some(description) = &self.description else {
            return;
        };
        let name = description.name.clone();
        if file.file_stem().is_some_and(|stem| stem == name.as_str()) {
            self.add("name", ConformanceOutcome::Pass, format!("`{name}`"));
        } else {
            self.add(
                "name",
                ConformanceOutcome::Warning,
                format!("its name is `{name}`, so its file should be `{name}.wasm`"),
            );
        }
    }

    fn played(&mut self, played: Played) {
        self.add("answers", ConformanceOutcome::Pass, played.summary);
        for (name, differences) in [("determinism", played.repeated), ("batch", played.rearranged)] {
            match differences {
                None => {}
                Some(Ok(detail)) => self.add(name, ConformanceOutcome::Pass, detail),
                Some(Err(detail)) => self.add(name, ConformanceOutcome::Fail, detail),
            }
        }
        self.fuel = Some(played.fuel);
        self.memory_bytes = Some(played.memory);
        self.microseconds_each = Some(played.microseconds_each);
        let share = played.fuel as f64 / played.fuel_allowed.max(1) as f64;
        let outcome = if share > 0.5 { ConformanceOutcome::Warning } else { ConformanceOutcome::Pass };
        self.add(
            "limits",
            outcome,
            format!(
                "at most {} fuel per call ({:.2} % of the limit), {:.1} MiB of memory",
                played.fuel,
                100.0 * share,
                played.memory as f64 / f64::from(1 << 20),
            ),
        );
        let outcome = if played.microseconds_each > 1_000.0 {
            ConformanceOutcome::Warning
        } else {
            ConformanceOutcome::Pass
        };
        self.add("speed", outcome, format!("{:.2} µs per {}", played.microseconds_each, played.each));
    }
}

/// The error, with a hint for the most common one.
fn explained(error: &PolicyError) -> String {
    match error {
        PolicyError::Refused { call: crate::Call::Open, .. } => {
            format!("{} (`cadre plugin check --settings` passes settings)", chain(error))
        }
        _ => chain(error),
    }
}

/// The cards of a library with this number of experts.
fn cards(count: u32, dimensions: usize) -> Vec<ExpertCard> {
    (0..count)
        .map(|index| ExpertCard {
            index,
            task: format!("task-{index}"),
            training_examples: 200 + index,
            parameters: 100_000,
            descriptors: vec![cadre_contract::NamedVector {
                name: "prompt-centroid".into(),
                values: play::unit_vector(u64::from(index), dimensions),
            }],
        })
        .collect()
}
