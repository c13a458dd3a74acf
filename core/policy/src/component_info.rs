//! The kind of a component, checked before it is compiled: its imports are its capabilities, and its code size bounds the
//! compiler's work. Must not run or compile what it reads.

use std::path::Path;

use cadre_contract::{CodeSize, ComponentFacts, KindEntry, NotAComponent};

use crate::{Limits, PolicyError};

/// Reads a component. Rejects files that are not policies, were built for another contract version, import more than is
/// granted, or contain more code than `limits` allow.
pub(crate) fn read(
    file: &Path,
    bytes: &[u8],
    limits: &Limits,
) -> Result<(&'static KindEntry, ComponentFacts), PolicyError> {
    let file = || file.to_owned();
    let facts = ComponentFacts::read(bytes).map_err(|error| match error {
        NotAComponent::Other(found) => PolicyError::NotAComponent { file: file(), found },
        NotAComponent::Damaged(problem) => PolicyError::Malformed { file: file(), problem },
    })?;
    let too_much = |(what, found, limit)| PolicyError::CodeSize { file: file(), what, found, limit };
    check_code(&facts.code, limits).map_err(too_much)?;
    let ungranted = |imports: Vec<String>| match imports.is_empty() {
        true => Ok(()),
        false => Err(PolicyError::UngrantedImport { file: file(), imports }),
    };
    let foreign = facts.imports.iter().filter(|import| KindEntry::parse(import).is_none());
    ungranted(foreign.cloned().collect())?;
    let exported = facts.kinds();
    let entry = match exported.as_slice() {
        [one] => one.entry,
        [] => return Err(PolicyError::NotAPolicy { file: file(), exports: facts.exports }),
        _ => return Err(PolicyError::TwoPolicies { file: file() }),
    };
    let names = facts.imports.iter().chain(&facts.exports);
    for (package, _, found) in names.filter_map(|name| KindEntry::parse(name)) {
        if package == entry.package && !entry.serves(found) {
            let found = found.to_owned();
            return Err(PolicyError::ContractVersion { file: file(), found, supported: entry.version });
        }
    }
    let granted = |import: &&String| {
        KindEntry::parse(import).is_some_and(|(package, interface, _)| {
            package == entry.package && entry.granted.contains(&interface)
        })
    };
    ungranted(facts.imports.iter().filter(|import| !granted(import)).cloned().collect())?;
    Ok((entry, facts))
}

fn check_code(code: &CodeSize, limits: &Limits) -> Result<(), (&'static str, u64, u64)> {
    let measures = [
        ("functions", code.functions, limits.functions),
        ("bytes of code in a function", code.largest, limits.function_bytes),
        ("bytes of code", code.bytes, limits.code_bytes),
        ("as the sum of its squared function sizes in KiB", code.squares >> 20, limits.code_squares),
    ];
    match measures.into_iter().find(|(_, found, limit)| found > limit) {
        Some(over) => Err(over),
        None => Ok(()),
    }
}
