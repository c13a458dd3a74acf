//! Whatever is written, reading it ends in a recipe or in located mistakes, never in a panic.

use std::fs;

use proptest::prelude::*;

use super::WHOLE;
use crate::generate::schema::all_keys;
use crate::read::key_path::KeyPath;
use crate::{EnvSource, Recipe};

/// Reads a text as a recipe; one that is right must expand to itself.
fn read(text: &str, sets: &[String], variable: Option<(&str, &str)>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.toml");
    fs::write(&file, text).unwrap();
    let mut env = EnvSource::empty();
    if let Some((name, value)) = variable {
        env = env.with(name, value);
    }
    match Recipe::load(&file, sets, &env) {
        Ok(loaded) => {
            let expanded = loaded.expand();
            fs::write(&file, &expanded).unwrap();
            let again = Recipe::load(&file, &[], &EnvSource::empty());
            let again = again.unwrap_or_else(|errors| panic!("{errors}\n{expanded}"));
            assert_eq!(again.recipe, loaded.recipe, "{expanded}");
        }
        Err(errors) => {
            assert!(!errors.errors().is_empty());
            assert!(!errors.render(true).is_empty());
            // What the schema lets through, the structs must take.
            assert!(!errors.to_string().contains("missing field"), "{errors}");
        }
    }
}

fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("0".to_owned()),
        Just("-1".to_owned()),
        Just("1".to_owned()),
        Just("0.5".to_owned()),
        Just("1e300".to_owned()),
        Just("nan".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("true".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"task\"".to_owned()),
        Just("\"stream\"".to_owned()),
        Just("\"$X/é\"".to_owned()),
        Just("1979-05-27".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        "[a-z\"'{}\\[\\]=.#\\\\ é]{0,12}",
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            (prop::sample::select(vec!["plugin", "format", "file", "x", "sample", "default"]), inner)
                .prop_map(|(key, value)| format!("{{ {key} = {value} }}")),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let known: Vec<String> = all_keys().iter().map(KeyPath::to_string).collect();
    prop_oneof![4 => prop::sample::select(known), 1 => "[a-z.\"'-]{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "(?s).{0,200}") {
        read(&text, &[], None);
    }

    #[test]
    fn any_letters_of_toml(text in "[a-z\\[\\]{}=\"'.,#\n 0-9_-]{0,120}") {
        read(&text, &[], None);
    }

    #[test]
    fn a_recipe_with_a_piece_cut_or_put_in(at in 0..WHOLE.len(), length in 0..40_usize, piece in any_value()) {
        let end = (at + length).min(WHOLE.len());
        read(&format!("{}{piece}{}", &WHOLE[..at], &WHOLE[end..]), &[], None);
    }

    #[test]
    fn any_values_of_known_keys(
        sets in prop::collection::vec((any_key(), any_value()), 0..4),
        variable in (any_key(), any_value()),
    ) {
        let sets: Vec<String> = sets.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let name = format!("CADRE__{}", variable.0.to_uppercase().replace('.', "__").replace('-', "_"));
        read(WHOLE, &sets, Some((&name, &variable.1)));
    }
}

#[test]
fn deep_nesting_is_refused() {
    read(&format!("x = {}", "[".repeat(100_000)), &[], None);
    read(&format!("x = {}1{}", "[".repeat(70), "]".repeat(70)), &[], None);
    read(&"a.".repeat(100_000), &[], None);
    read(&format!("{}b = 1", "a.".repeat(100_000)), &[], None);
    read(&format!("[{}b]", "a.".repeat(50_000)), &[], None);
    read(WHOLE, &[format!("{}b=1", "a.".repeat(50_000)), format!("x={{{}b=1}}", "a.".repeat(50_000))], None);
    read(WHOLE, &[], Some((&format!("CADRE__{}", "A__".repeat(50_000)), "1")));
    read(WHOLE, &[], Some((&format!("CADRE__{}B", "A__".repeat(50_000)), "1")));
}
