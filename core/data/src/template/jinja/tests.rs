//! Tests of many expressions and templates against Jinja2's own renderings, as transformers configures it.
//! `tests/parity/record_jinja.py` makes the recordings; running the tests needs no Python.

use std::path::Path;

use minijinja::UndefinedBehavior;
use minijinja::value::Value;
use serde::Deserialize;

use super::Jinja;

#[derive(Deserialize)]
struct Recorded {
    variables: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    /// `None` if Jinja2 refuses the template.
    text: Option<String>,
}

/// Templates that Jinja2 renders and Cadre refuses. Cadre must never render a different text.
const REFUSED: [&str; 11] = [
    "{{ '{:.2f} {:05d} {:,} {:x} {!r}'.format(3.14159, 42, 1234567, 255, 'q') }}",
    "{{ '{:%}'.format(0.25) }}",
    "{{ \"{0.real}\".format(3) }}",
    "{{ 'abc'.translate({97: 'x'}) }}",
    "{{ 'abc'.encode('utf-8') }}",
    "{{ '\\N{BULLET}' }}",
    "{{ 'see http://x.org' | urlize }}",
    "{{ 'one two three' | wordwrap(7) }}",
    "{{ [1,2] | random in [1,2] }}",
    "{{ {'a': 1} | xmlattr }}",
    "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, k=3) }}",
];

/// Intended differences (a prompt must not depend on the day), and templates that Jinja2 refuses but the engine does
/// not.
const OTHERWISE: [&str; 2] = ["{{ strftime_now is defined }}", "{{ 1 in 'abc' }}"];

#[test]
fn renderings_are_those_of_jinja2() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/fixtures/jinja/recorded.json");
    let text = std::fs::read(file).expect("the recording");
    let recorded: Recorded = serde_json::from_slice(&text).expect("as recorded");
    assert!(recorded.cases.len() >= 500);
    let mut wrong = Vec::new();
    for case in &recorded.cases {
        let rendered = Jinja::new("t", &case.template, UndefinedBehavior::Lenient)
            .and_then(|jinja| jinja.render(recorded.variables.clone()))
            .map_err(|error| error.to_string());
        let template = case.template.as_str();
        if REFUSED.contains(&template) {
            assert!(rendered.is_err(), "{template}: {rendered:?}");
        } else if !OTHERWISE.contains(&template) && rendered.as_ref().ok() != case.text.as_ref() {
            wrong.push(format!("{}\n  jinja2 {:?}\n  cadre  {rendered:?}", case.template, case.text));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), recorded.cases.len(), wrong.join("\n"));
}

fn rendered(source: &str) -> Result<String, String> {
    Jinja::new("t", source, UndefinedBehavior::Lenient)
        .and_then(|jinja| jinja.render(minijinja::context! { c => "ab" }))
        .map_err(|error| error.to_string())
}

#[test]
fn a_template_that_takes_too_much_is_refused_with_the_limit() {
    let nested = "{% for a in range(99999) %}".repeat(4) + "x" + &"{% endfor %}".repeat(4);
    let doubled = "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}";
    let captured = "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set t %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = t %}{% endfor %}";
    let lists =
        "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}";
    let macros =
        "{% macro f(s, n) %}{{ f(s + s, n - 1) if n else 'x' }}{% endmacro %}{{ f('aaaaaaaa', 60) }}";
    for (source, limit) in [
        (nested.as_str(), "more than 5000000 steps"),
        (
            "{% for a in range(99999) %}{% for a in range(99999) %}{{ '' }}{% endfor %}{% endfor %}",
            "more than 5000000 steps",
        ),
        (
            "{% for a in range(9999) %}yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy{{ c * 999 }}{% endfor %}",
            "more than 8388608 bytes",
        ),
        (doubled, "more than 8388608 bytes"),
        (captured, "more than 8388608 bytes"),
        (macros, "more than 8388608 bytes"),
        (lists, "the limit is 100000"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{{ range(10 ** 9) | list }}", "the limit is 100000"),
        ("{{ 'x' * 10 ** 12 }}", "more than 8388608 bytes"),
        ("{{ [0] * 10 ** 9 }}", "the limit is 100000"),
        ("{{ 'x'.ljust(10 ** 12) }}", "more than 8388608 bytes"),
        ("{{ 'x' | center(10 ** 12) }}", "more than 8388608 bytes"),
        ("{{ 'x\n' | indent(10 ** 12) }}", "more than 8388608 bytes"),
        ("{{ '%999999999d' % 1 }}", "limit"),
        ("{{ '{:>999999999}'.format(1) }}", "limit"),
        ("{{ [1] | batch(10 ** 9, 'x') | list }}", "from 1 to 10000"),
        ("{{ [[1]] | tojson(indent=10 ** 9) }}", "the limit is 1000"),
        ("{{ ('a' * 4000000).replace('', 'abcd') }}", "more than 8388608 bytes"),
        (
            "{% set ns = namespace(l=[]) %}{% for i in range(500) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
            "100 deep",
        ),
        (
            "{% set ns = namespace(l=[]) %}{% for i in range(500) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}",
            "100 deep",
        ),
    ] {
        let error = rendered(source).expect_err(source);
        assert!(error.starts_with("template t") && error.contains(limit), "{source}: {error}");
    }
    let brackets = "(".repeat(50_000);
    assert!(rendered(&format!("{{{{ {brackets} }}}}")).is_err());
    let long = "x".repeat(2 << 20);
    assert!(rendered(&long).expect_err("long").contains("the limit is 1048576"));
}

#[test]
fn a_call_of_strftime_now_gets_advice() {
    let error = rendered("{{ strftime_now('%d %b %Y') }}").expect_err("no day");
    assert!(error.contains("strftime_now") && error.contains("by a fixed date"), "{error}");
    let guarded = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}2024{% endif %}";
    assert_eq!(rendered(guarded).expect("a constant"), "2024");
}

#[test]
fn line_ends_are_those_of_a_text() {
    assert_eq!(rendered("a\r\nb\rc\r\n").expect("text"), "a\nb\nc");
    assert_eq!(rendered("{% if true %}\r\n  x\r\n{% endif %}\r\ny").expect("text"), "  x\ny");
}
