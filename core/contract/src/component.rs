//! Reads what a component says of itself, from its bytes: exports, imports, amount of code, version and declarations.
//! Must not run or compile what it reads.

use wasmparser::{Encoding, Parser, Payload};

use crate::declaration::{DECLARATIONS_SECTION, Declarations};
use crate::kind::{KINDS, KindEntry};

/// Static facts about a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComponentFacts {
    /// Names of the outermost component's imports: its capabilities.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Content of its section `version`.
    pub version: Option<String>,
    /// Content of its section [`DECLARATIONS_SECTION`], not yet parsed.
    pub declarations: Option<Vec<u8>>,
    /// Amount of code, nested modules included.
    pub code: CodeSize,
}

/// Amount of code in all modules of a component, which bounds the work of a compiler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeSize {
    /// Number of functions.
    pub functions: u64,
    /// Bytes of the largest function.
    pub largest: u64,
    /// Bytes of all functions.
    pub bytes: u64,
    /// Sum of the squared function sizes, in bytes².
    pub squares: u64,
}

/// Why bytes are not a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAComponent {
    /// They are something else.
    Other(&'static str),
    /// They are damaged; the parser's message.
    Damaged(String),
}

/// The kind of a component and the version of the contract that it was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportedKind<'a> {
    /// Its entry in [`KINDS`].
    pub entry: &'static KindEntry,
    /// The version.
    pub version: &'a str,
}

impl ComponentFacts {
    /// Reads a component.
    ///
    /// # Errors
    /// The bytes are not a component.
    pub fn read(bytes: &[u8]) -> Result<Self, NotAComponent> {
        if bytes.starts_with(b"\x7fELF") {
            return Err(NotAComponent::Other("native code (compiled policies are never taken from outside)"));
        }
        if !bytes.starts_with(b"\0asm") {
            return Err(NotAComponent::Other("not WebAssembly"));
        }
        if bytes.len() < 8 {
            return Err(NotAComponent::Other("cut off"));
        }
        let damaged = |error: wasmparser::BinaryReaderError| NotAComponent::Damaged(error.to_string());
        let mut facts = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(damaged)? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if depth == 1 && encoding == Encoding::Module {
                        return Err(NotAComponent::Other("a core module"));
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CodeSectionEntry(body) => {
                    let range = body.range();
                    facts.code.add((range.end - range.start) as u64);
                }
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        facts.imports.push(import.map_err(damaged)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        facts.exports.push(export.map_err(damaged)?.name.name.to_owned());
                    }
                }
                Payload::CustomSection(section) if depth == 1 => match section.name() {
                    "version" => {
                        facts.version = std::str::from_utf8(section.data()).ok().map(str::to_owned);
                    }
                    DECLARATIONS_SECTION => facts.declarations = Some(section.data().to_vec()),
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(facts)
    }

    /// The kinds that it exports, with the version of each.
    #[must_use]
    pub fn kinds(&self) -> Vec<ExportedKind<'_>> {
        self.exports
            .iter()
            .filter_map(|export| {
                let (package, interface, version) = KindEntry::parse(export)?;
                let entry =
                    KINDS.iter().find(|entry| entry.package == package && entry.interface == interface)?;
                Some(ExportedKind { entry, version })
            })
            .collect()
    }

    /// Its policies, for a collection.
    ///
    /// # Errors
    /// The section is missing or invalid, as text.
    pub fn declarations(&self) -> Result<Declarations, String> {
        match &self.declarations {
            Some(bytes) => Declarations::from_json(bytes)
                .map_err(|problem| format!("its section `{DECLARATIONS_SECTION}`: {problem}")),
            None => Err(format!(
                "it has no section `{DECLARATIONS_SECTION}`; `cadre plugin build` makes it from `policies.toml`"
            )),
        }
    }
}

impl CodeSize {
    fn add(&mut self, bytes: u64) {
        self.functions += 1;
        self.largest = self.largest.max(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        self.squares = self.squares.saturating_add(bytes.saturating_mul(bytes));
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection, CustomSection,
        Module,
    };

    use super::*;
    use crate::PluginKind;

    fn component(export: &str) -> Vec<u8> {
        let mut component = Component::new();
        let mut instances = ComponentInstanceSection::new();
        instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
        component.section(&instances);
        let mut exports = ComponentExportSection::new();
        exports.export(export, ComponentExportKind::Instance, 0, None);
        component.section(&exports);
        component.section(&CustomSection { name: "version".into(), data: b"1.2.3".as_slice().into() });
        component.finish()
    }

    #[test]
    fn exports_and_sections_are_read() {
        let facts = ComponentFacts::read(&component("cadre:method/hooks@0.1.0")).unwrap();
        assert_eq!(facts.version.as_deref(), Some("1.2.3"));
        let kinds = facts.kinds();
        assert_eq!((kinds[0].entry.kind, kinds[0].version), (PluginKind::Methods, "0.1.0"));
        assert!(facts.declarations().unwrap_err().contains("policies.toml"));
        assert!(ComponentFacts::read(&component("other:thing/router@0.2.0")).unwrap().kinds().is_empty());
        assert_eq!(ComponentFacts::read(&Module::new().finish()), Err(NotAComponent::Other("a core module")));
    }

    #[test]
    fn damaged_bytes_do_not_panic() {
        let whole = component("cadre:policy/router@0.2.0");
        for end in 0..whole.len() {
            let _ = ComponentFacts::read(&whole[..end]);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            let _ = ComponentFacts::read(&changed);
        }
    }
}
