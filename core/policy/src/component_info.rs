//! Static information about a component, read from its bytes before it is compiled: its imports are its capabilities,
//! and its code size bounds the compiler's work. Must not run or compile what it reads.

use std::path::Path;

use cadre_contract::CONTRACT_VERSION;
use wasmparser::{Encoding, Parser, Payload};

use crate::{Limits, PluginKind, PolicyError};

/// Determines the kind of policy in a file. Rejects files that are not policies, were built for another contract
/// version, import more than is granted, or contain more code than `limits` allow.
pub(crate) fn kind_of(file: &Path, bytes: &[u8], limits: &Limits) -> Result<PluginKind, PolicyError> {
    let not = |found| PolicyError::NotAComponent { file: file.to_owned(), found };
    if bytes.starts_with(b"\x7fELF") {
        return Err(not("native code (compiled policies are never taken from outside)"));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(not("not WebAssembly"));
    }
    if bytes.len() < 8 {
        return Err(not("cut off"));
    }
    let mut names = Names::default();
    names.read(bytes).map_err(|problem| PolicyError::Malformed { file: file.to_owned(), problem })?;
    if names.is_module {
        return Err(not("a core module"));
    }
    names.code.check(file, limits)?;
    let version = |found: &str| PolicyError::ContractVersion {
        file: file.to_owned(),
        found: found.to_owned(),
        supported: CONTRACT_VERSION,
    };
    for import in &names.imports {
        if let Some((_, found)) = contract_name(import)
            && !is_served(found)
        {
            return Err(version(found));
        }
    }
    let mut kinds = Vec::new();
    for export in &names.exports {
        let kind = match contract_name(export) {
            Some(("router", found)) => (PluginKind::Router, found),
            Some(("selector", found)) => (PluginKind::Selector, found),
            _ => continue,
        };
        if !is_served(kind.1) {
            return Err(version(kind.1));
        }
        kinds.push(kind.0);
    }
    let imports: Vec<String> = names
        .imports
        .into_iter()
        .filter(|import| !matches!(contract_name(import), Some(("types" | "diagnostics", _))))
        .collect();
    if !imports.is_empty() {
        return Err(PolicyError::UngrantedImport { file: file.to_owned(), imports });
    }
    match kinds.as_slice() {
        [kind] => Ok(*kind),
        [] => Err(PolicyError::NotAPolicy { file: file.to_owned(), exports: names.exports }),
        _ => Err(PolicyError::TwoPolicies { file: file.to_owned() }),
    }
}

/// Interface and version of a name such as `cadre:policy/router@0.2.0`.
fn contract_name(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("cadre:policy/")?;
    Some(rest.split_once('@').unwrap_or((rest, "(none)")))
}

/// Within 0.x, a change of x may be breaking; a change of the patch version may not.
fn is_served(version: &str) -> bool {
    let series = |version: &str| -> Option<(u64, u64)> {
        let mut parts = version.splitn(3, '.');
        let series = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next()?;
        Some(series)
    };
    match (series(version), series(CONTRACT_VERSION)) {
        (Some(found), Some(ours)) => found == ours,
        _ => false,
    }
}

#[derive(Default)]
struct Names {
    is_module: bool,
    imports: Vec<String>,
    exports: Vec<String>,
    code: Code,
}

/// Amount of code in all modules, nested ones included.
#[derive(Default)]
struct Code {
    functions: u64,
    largest: u64,
    all: u64,
    /// Sum of the squared function sizes, in bytes².
    squares: u64,
}

impl Code {
    fn check(&self, file: &Path, limits: &Limits) -> Result<(), PolicyError> {
        let measures = [
            ("functions", self.functions, limits.functions),
            ("bytes of code in a function", self.largest, limits.function_bytes),
            ("bytes of code", self.all, limits.code_bytes),
            ("as the sum of its squared function sizes in KiB", self.squares >> 20, limits.code_squares),
        ];
        match measures.into_iter().find(|(_, found, limit)| found > limit) {
            Some((what, found, limit)) => {
                Err(PolicyError::CodeSize { file: file.to_owned(), what, found, limit })
            }
            None => Ok(()),
        }
    }
}

impl Names {
    /// Reads the top-level names; those in nested modules are internal to the component.
    fn read(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|error| error.to_string())? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if depth == 1 && encoding == Encoding::Module {
                        self.is_module = true;
                        return Ok(());
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let range = body.range();
                    let bytes = (range.end - range.start) as u64;
                    self.code.functions += 1;
                    self.code.largest = self.code.largest.max(bytes);
                    self.code.all += bytes;
                    self.code.squares = self.code.squares.saturating_add(bytes.saturating_mul(bytes));
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        let import = import.map_err(|error| error.to_string())?;
                        self.imports.push(import.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        let export = export.map_err(|error| error.to_string())?;
                        self.exports.push(export.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! Parsing of names and versions.

    use super::{contract_name, is_served};

    #[test]
    fn names_are_parsed() {
        assert_eq!(contract_name("cadre:policy/router@0.2.0"), Some(("router", "0.2.0")));
        assert_eq!(contract_name("wasi:clocks/monotonic-clock@0.2.0"), None);
        assert_eq!(contract_name("cadre:policy/router"), Some(("router", "(none)")));
    }

    #[test]
    fn only_a_compatible_version_is_accepted() {
        assert!(is_served("0.2.0") && is_served("0.2.7"));
        assert!(!is_served("0.1.0") && !is_served("1.2.0") && !is_served("(none)") && !is_served("0.2"));
    }
}
