//! Values as people write them on the command line: what TOML means by them, or what it would take.

use serde_json::{Value, json};

use super::{Case, WHOLE};
use crate::{RecipeErrors, SweepPoint};

fn points(grids: &[&str]) -> Result<Vec<SweepPoint>, RecipeErrors> {
    let case = Case::new().file("study.toml", WHOLE);
    grids.iter().fold(case, |case, grid| case.grid(grid)).load_file("study.toml")?.points()
}

#[test]
fn what_toml_writes_otherwise_is_told() {
    let told = |key: &str, value: &str| {
        Case::new().file("study.toml", WHOLE).set(&format!("{key}={value}")).mistakes()
    };
    for (key, value, meant) in [
        ("expert.training.learning-rate", ".5", "did you mean `0.5`?"),
        ("expert.training.learning-rate", "1.e-4", "did you mean `0.0001`?"),
        ("expert.training.learning-rate", "'1e-4'", "did you mean `0.0001`?"),
        ("expert.adapter.rank", "'4'", "did you mean `4`?"),
        ("rehearsal.negatives-keep-response", "True", "did you mean `true`?"),
    ] {
        let text = told(key, value);
        assert!(text.contains(meant) && text.contains(value), "{value}: {text}");
    }
    assert!(!told("expert.adapter.rank", "many").contains("did you mean"));
}

#[test]
fn the_values_of_a_grid_are_tomls() {
    let accepts = |grid: &str| -> Vec<Value> {
        let points = points(&[grid]).unwrap_or_else(|errors| panic!("{grid}: {errors}"));
        points.iter().map(|point| point.values.values().next().unwrap().clone()).collect()
    };
    assert_eq!(accepts("expert.training.learning-rate=1e-4,1e-3"), [json!(1e-4), json!(1e-3)]);
    assert_eq!(accepts("rehearsal.negatives-keep-response=true,false"), [json!(true), json!(false)]);
    assert_eq!(accepts(r#"indicator.accept='a,b',"c, \"d\", e""#), [json!("a,b"), json!("c, \"d\", e")]);
    assert_eq!(accepts("indicator.accept='''it's, mine''', yours"), [json!("it's, mine"), json!("yours")]);
    assert_eq!(accepts(r#"expert.adapter.targets=["q", 'v'], ["k"]"#), [json!(["q", "v"]), json!(["k"])]);
}

#[test]
fn what_could_mean_another_sweep_is_refused() {
    for (grid, parts) in [
        // A quote in the middle of a word does not begin a text; which comma ends it is ambiguous.
        ("indicator.accept=it's mine,that's yours", ["it's mine", "comma-separated"]),
        ("indicator.accept=f(a,b)", ["`f(a`", "comma-separated"]),
        ("expert.adapter.rank=range(1,4)", ["range(1", "comma-separated"]),
        ("routing.router.threshold=0.3,0.5,", ["value is missing", "0.3,0.5,"]),
        ("routing.router.threshold=0.3,,0.5", ["value is missing", "0.3,,0.5"]),
        ("routing.router.threshold=0.5,0.50", ["0.5 twice", "0.50"]),
        ("rehearsal.negatives-keep-response=True,False", ["`true` or `false`", "did you mean `true`?"]),
        ("expert.training.learning-rate=.3,.5", ["the text \".3\"", "did you mean `0.3`?"]),
        ("expert.adapter.targets=[q,v],[k]", ["targets", "quote"]),
        ("expert.adapter.rank=1:4", ["rank", "whole number"]),
        ("expert.training.learning-rate=nan,1e-3", ["learning-rate", "nan"]),
        ("indicator.accept='a,b", ["indicator.accept", "'a,b"]),
        ("seed=0,0", ["0 twice", "seed"]),
    ] {
        let text = points(&[grid]).expect_err(grid).to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{grid}: {text}");
    }
    let twice = points(&["seed=0,1", "\"seed\"=2"]).unwrap_err().to_string();
    assert!(twice.contains("`seed` already has a `--grid`"), "{twice}");
}

#[test]
fn numbers_that_differ_where_nobody_looks_are_points_of_their_own() {
    let found = points(&["expert.training.learning-rate=0.00100000,0.001000001,0.5"]).unwrap();
    let names: Vec<&str> = found.iter().map(|point| point.name.as_str()).collect();
    let rates =
        ["study[learning-rate=0.001]", "study[learning-rate=0.001000001]", "study[learning-rate=0.5]"];
    assert_eq!(names, rates);
}
