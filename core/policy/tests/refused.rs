//! Files that are refused, and the errors that explain why.

#[cfg(test)]
mod guest;

use cadre_policy::{Limits, PluginKind, PolicyError};
use guest::{Fixture, Guest, cards, tight};

#[test]
fn a_file_that_is_not_a_component_is_named() {
    let fixture = Fixture::new();
    let found = |bytes: &[u8]| match fixture.load_bytes(bytes).unwrap_err() {
        PolicyError::NotAComponent { found, .. } => found,
        other => panic!("{other}"),
    };
    assert_eq!(found(b""), "not WebAssembly");
    assert_eq!(found(b"hello, I am a policy"), "not WebAssembly");
    assert_eq!(found(b"\0asm\x0d"), "cut off");
    assert_eq!(found(&Guest::router().module()), "a core module");
    assert!(found(b"\x7fELF\x02\x01\x01").starts_with("native code"));
}

#[test]
fn random_bytes_and_cut_files_do_no_harm() {
    let fixture = Fixture::new();
    let whole = std::fs::read(Guest::router().write(fixture.folder.path())).unwrap();
    let mut state = 1_u64;
    for round in 0..200_usize {
        let mut bytes = whole.clone();
        for _ in 0..=round % 8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let index = 8 + (state >> 33) as usize % (bytes.len() - 8);
            bytes[index] = (state >> 20) as u8;
        }
        if round % 3 == 0 {
            bytes.truncate((state >> 33) as usize % bytes.len());
        }
        // Some are still valid policies; each is either loaded or refused.
        if let Ok(plugin) = fixture.load_bytes(&bytes) {
            let _ = plugin.router("{}", &cards(2)).and_then(|mut router| router.route(&guest::batch(2)));
        }
    }
}

#[test]
fn nondeterministic_features_are_refused() {
    let fixture = Fixture::new();
    for (module, word) in [
        ("(memory i64 1)", "memory64"),
        ("(memory 1 1 shared)", "thread"),
        ("(memory 1) (memory 1)", "memor"),
    ] {
        let text = format!(
            "(component (core module {module})
               (instance (export \"cadre:policy/router@0.2.0\")))"
        );
        let error = fixture.load_text(&text).unwrap_err();
        assert!(matches!(error, PolicyError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn imports_beyond_the_contract_are_refused_by_name() {
    let fixture = Fixture::new();
    for import in ["wasi:clocks/monotonic-clock@0.2.0", "wasi:random/random@0.2.0", "my:own/thing"] {
        let text = format!("(component (import \"{import}\" (instance)))");
        let error = fixture.load_text(&text).unwrap_err();
        let PolicyError::UngrantedImport { imports, .. } = &error else { panic!("{error}") };
        assert_eq!(imports, &[import]);
        assert!(error.to_string().contains("not granted"), "{error}");
    }
    let function = "(component (import \"now\" (func (result u64))))";
    let error = fixture.load_text(function).unwrap_err();
    assert!(error.to_string().contains("`now`"), "{error}");
}

#[test]
fn another_version_of_the_contract_is_named() {
    let fixture = Fixture::new();
    for (name, found) in [
        ("cadre:policy/router@0.1.0", "0.1.0"),
        ("cadre:policy/selector@1.0.0", "1.0.0"),
        ("cadre:policy/router", "(none)"),
    ] {
        let text = format!("(component (instance (export \"{name}\")))");
        let error = fixture.load_text(&text).unwrap_err();
        assert!(
            matches!(&error, PolicyError::ContractVersion { found: version, .. } if version == found),
            "{error}"
        );
        assert!(error.to_string().contains("this build supports 0.2.0"), "{error}");
    }
}

#[test]
fn missing_or_mistyped_exports_are_named() {
    let fixture = Fixture::new();
    let error = fixture.load_text("(component)").unwrap_err();
    assert!(matches!(&error, PolicyError::NotAPolicy { exports, .. } if exports.is_empty()), "{error}");

    let empty = "(component (instance (export \"cadre:policy/router@0.2.0\")))";
    let error = fixture.load_text(empty).unwrap_err();
    assert!(matches!(error, PolicyError::Shape { .. }), "{error}");
    assert!(error.to_string().contains("describe"), "{error}");

    let other = "(component
        (core module $m (func (export \"f\") (result i32) (i32.const 1)))
        (core instance $i (instantiate $m))
        (func $f (result u32) (canon lift (core func $i \"f\")))
        (instance $all
          (export \"describe\" (func $f)) (export \"open\" (func $f)) (export \"route\" (func $f)))
        (export \"cadre:policy/router@0.2.0\" (instance $all)))";
    let error = fixture.load_text(other).unwrap_err();
    assert!(matches!(error, PolicyError::Shape { .. }), "{error}");

    let both = "(component (instance $i)
        (export \"cadre:policy/router@0.2.0\" (instance $i))
        (export \"cadre:policy/selector@0.2.0\" (instance $i)))";
    assert!(matches!(fixture.load_text(both).unwrap_err(), PolicyError::TwoPolicies { .. }));
}

#[test]
fn names_must_fit_into_reports() {
    let fixture = Fixture::new();
    for name in ["", "../evil", "Has Spaces", "new\\0aline"] {
        let error = fixture.refusal(&Guest::router().name(name));
        assert!(error.to_string().contains("its name is"), "{error}");
    }
}

#[test]
fn files_must_exist_and_have_a_size_limit() {
    let fixture = Fixture::with(Limits { file_bytes: 100, ..tight() });
    let error = fixture.refusal(&Guest::router());
    assert!(matches!(error, PolicyError::FileSize { limit: 100, .. }), "{error}");
    let error = fixture.sandbox.load(&fixture.folder.path().join("nowhere.wasm")).unwrap_err();
    assert!(matches!(error, PolicyError::Read { .. }), "{error}");
    assert!(error.to_string().contains("nowhere.wasm"), "{error}");
}

#[test]
fn kinds_are_not_mixed_up() {
    let fixture = Fixture::new();
    let router = fixture.load(&Guest::router()).unwrap();
    assert_eq!(router.kind(), PluginKind::Router);
    let error = router.selector("{}").unwrap_err();
    assert!(error.to_string().contains("is a router, expected a selector"), "{error}");
    let selector = fixture.load(&Guest::selector()).unwrap();
    let error = selector.router("{}", &[]).unwrap_err();
    assert!(error.to_string().contains("is a selector, expected a router"), "{error}");
}

#[test]
fn code_has_limits_before_it_is_compiled() {
    let fixture = Fixture::new();
    let with = |fields: &str| fixture.load(&Guest::router().globals(fields));
    // `i32.const 1`, `drop`: three bytes.
    let function = |bytes: usize| format!("(func {})", "i32.const 1 drop ".repeat(bytes / 3));
    let long = function(70 << 10);
    let error = with(&long).unwrap_err().to_string();
    assert!(error.contains("bytes of code in a function (limit 65536)"), "{error}");
    let many = "(func)".repeat(50_001);
    let error = with(&many).unwrap_err().to_string();
    assert!(error.contains("functions (limit 50000)"), "{error}");
    let large = function(20 << 10).repeat(210);
    let error = with(&large).unwrap_err().to_string();
    assert!(error.contains("bytes of code (limit 4194304)"), "{error}");
    let slow = function(60 << 10).repeat(20);
    let error = with(&slow).unwrap_err().to_string();
    assert!(error.contains("sum of its squared function sizes in KiB (limit 65536)"), "{error}");
    with(&function(40 << 10)).unwrap();
}

#[test]
fn settings_have_a_size_limit() {
    let fixture = Fixture::new();
    let plugin = fixture.load(&Guest::router()).unwrap();
    let settings = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
    let error = plugin.router(&settings(70_000), &cards(1)).unwrap_err().to_string();
    assert!(error.contains("70008 bytes of settings (limit 65536)"), "{error}");
    plugin.router(&settings(60_000), &cards(1)).unwrap();
}
