//! The kinds of components: one table for the recipe language, the policy host, the build tool and the documents.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kind of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Decides which expert answers a query.
    Router,
    /// Decides which examples are remembered and rehearsed.
    Selector,
    /// A collection of policies that compute with tensors: gates, objectives, merges and others.
    Methods,
}

/// What identifies a kind in a component and in texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindEntry {
    /// The kind.
    pub kind: PluginKind,
    /// Its name in messages and lists.
    pub name: &'static str,
    /// WIT package, such as `cadre:policy`.
    pub package: &'static str,
    /// The interface that a component of this kind exports.
    pub interface: &'static str,
    /// The world that it implements.
    pub world: &'static str,
    /// Version of the package that this build supports.
    pub version: &'static str,
    /// The text of the package.
    pub wit: &'static str,
    /// Interfaces of the package that are granted to it.
    pub granted: &'static [&'static str],
}

/// All kinds.
pub const KINDS: &[KindEntry] = &[
    KindEntry {
        kind: PluginKind::Router,
        name: "router",
        package: "cadre:policy",
        interface: "router",
        world: "router-plugin",
        version: crate::CONTRACT_VERSION,
        wit: crate::WIT,
        granted: &["types", "diagnostics"],
    },
    KindEntry {
        kind: PluginKind::Selector,
        name: "selector",
        package: "cadre:policy",
        interface: "selector",
        world: "selector-plugin",
        version: crate::CONTRACT_VERSION,
        wit: crate::WIT,
        granted: &["types", "diagnostics"],
    },
    KindEntry {
        kind: PluginKind::Methods,
        name: "methods",
        package: "cadre:method",
        interface: "hooks",
        world: "methods",
        version: crate::METHOD_VERSION,
        wit: crate::METHOD_WIT,
        granted: &["diagnostics", "tensors", "facts"],
    },
];

impl PluginKind {
    /// Its entry in [`KINDS`].
    #[must_use]
    pub fn entry(self) -> &'static KindEntry {
        match KINDS.iter().find(|entry| entry.kind == self) {
            Some(entry) => entry,
            None => unreachable!("every kind is in the table"),
        }
    }

    /// `router`, `selector` or `methods`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl KindEntry {
    /// Package and interface of a name such as `cadre:policy/router@0.2.0`, with its version (`(none)` without one).
    #[must_use]
    pub fn parse(name: &str) -> Option<(&str, &str, &str)> {
        let (package, rest) = name.split_once('/')?;
        let (interface, version) = rest.split_once('@').unwrap_or((rest, "(none)"));
        KINDS.iter().any(|entry| entry.package == package).then_some((package, interface, version))
    }

    /// Whether this build serves a version of the package: within 0.x, a change of x may break, a patch may not.
    #[must_use]
    pub fn serves(&self, version: &str) -> bool {
        fn series(version: &str) -> Option<(u64, u64)> {
            let mut parts = version.splitn(3, '.');
            let series = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            parts.next()?;
            Some(series)
        }
        series(version).is_some_and(|found| Some(found) == series(self.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed() {
        assert_eq!(KindEntry::parse("cadre:policy/router@0.2.0"), Some(("cadre:policy", "router", "0.2.0")));
        assert_eq!(KindEntry::parse("cadre:method/hooks"), Some(("cadre:method", "hooks", "(none)")));
        assert_eq!(KindEntry::parse("wasi:clocks/monotonic-clock@0.2.0"), None);
    }

    #[test]
    fn only_a_compatible_version_is_served() {
        let router = PluginKind::Router.entry();
        assert!(router.serves("0.2.0") && router.serves("0.2.7"));
        assert!(!router.serves("0.1.0") && !router.serves("1.2.0"));
        assert!(!router.serves("(none)") && !router.serves("0.2"));
    }

    #[test]
    fn every_kind_stands_in_its_contract() {
        for entry in KINDS {
            assert!(entry.wit.contains(&format!("package {}@{};", entry.package, entry.version)));
            assert!(entry.wit.contains(&format!("world {} {{", entry.world)), "{}", entry.world);
            for interface in entry.granted.iter().chain([&entry.interface]) {
                assert!(entry.wit.contains(&format!("interface {interface} {{")), "{interface}");
            }
        }
    }
}
