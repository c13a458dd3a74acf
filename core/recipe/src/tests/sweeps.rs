//! Points of sweeps: how many, in which order, under which names, and what is wrong with them.

use serde_json::{Value, json};

use super::{Case, WHOLE};
use crate::{Loaded, RecipeErrors, SweepPoint};

fn load(sweep: &str, grids: &[&str]) -> Result<Loaded, RecipeErrors> {
    let text = format!("{WHOLE}\n[sweep]\n{sweep}\n");
    let case = Case::new().file("study.toml", &text);
    grids.iter().fold(case, |case, grid| case.grid(grid)).load_file("study.toml")
}

fn points(sweep: &str, grids: &[&str]) -> Vec<SweepPoint> {
    load(sweep, grids)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .points()
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn names(points: &[SweepPoint]) -> Vec<&str> {
    points.iter().map(|point| point.name.as_str()).collect()
}

fn threshold(point: &SweepPoint) -> Value {
    point.loaded.recipe.routing.as_ref().unwrap().router.as_ref().unwrap().settings["threshold"].clone()
}

#[test]
fn a_grid_is_every_combination_and_seeds_and_orders_are_replicates() {
    let points = points(
        "grid = { \"routing.router.threshold\" = [0.1, 0.5], \"expert.adapter.rank\" = [4, 8] }\nseeds = [1, 2]\n\
         orders = { O1 = [\"a\", \"b\"], O2 = \"short\" }",
        &[],
    );
    assert_eq!(points.len(), 16);
    assert_eq!(points[0].name, "study[rank=4,threshold=0.1]@seed=1,order=O1");
    assert_eq!(points[0].setting, "study[rank=4,threshold=0.1]");
    assert_eq!((points[1].seed, points[2].order.as_deref()), (2, Some("O2")));
    assert_eq!(points[15].name, "study[rank=8,threshold=0.5]@seed=2,order=O2");
    assert_eq!(
        points[15].values,
        json!({ "expert.adapter.rank": 8, "routing.router.threshold": 0.5 }).as_object().unwrap().clone()
    );
    let last = &points[15].loaded;
    assert_eq!((last.recipe.seed, last.recipe.expert.as_ref().unwrap().adapter.rank), (2, 8));
    assert_eq!(threshold(&points[15]), json!(0.5));
    assert!(last.recipe.sweep.is_none(), "a point is no sweep");
    assert_eq!(last.origin_of("expert.adapter.rank"), "the sweep's point expert.adapter.rank=8");
}

#[test]
fn a_recipe_without_a_sweep_is_its_only_point() {
    let alone = points("", &[]);
    assert_eq!(names(&alone), ["study"]);
    let loaded = Case::new().file("study.toml", WHOLE).load();
    assert_eq!(alone[0].loaded.recipe.expert, loaded.recipe.expert);
}

#[test]
fn a_grid_may_come_from_the_command_line() {
    let grids = ["routing.router.threshold=0.1, 0.5", "rehearsal.selector.plugin=random,kmeans", "seed=3,4"];
    let found = points("", &grids);
    assert_eq!(found.len(), 8);
    assert_eq!(found[0].name, "study[plugin=random,threshold=0.1]@seed=3");
    assert_eq!(found[7].loaded.recipe.rehearsal.as_ref().unwrap().selector.plugin, "kmeans");
    let lists = points("", &["expert.adapter.targets=[\"q\", \"v\"],[\"q\"]"]);
    assert_eq!(names(&lists), ["study[targets=q+v]", "study[targets=q]"]);
    let wrong = load("", &["routing.ruter.threshold=1"]).unwrap_err().to_string();
    assert!(wrong.contains("--grid") && wrong.contains("routing.router.threshold"), "{wrong}");
    let wrong = load("", &["expert.adapter.rank=4,x"]).unwrap_err().to_string();
    assert!(wrong.contains("4,x") && wrong.contains("whole number"), "{wrong}");
    assert!(load("", &["expert"]).unwrap_err().to_string().contains("`--grid` takes"));
}

#[test]
fn a_zip_walks_its_lists_together() {
    let points = points(
        "zip = { \"expert.adapter.rank\" = [4, 8], \"expert.adapter.alpha\" = [8, 16] }\ngrid = { \"routing.router.threshold\" = [0.1, 0.2] }",
        &[],
    );
    assert_eq!(
        names(&points),
        [
            "study[threshold=0.1,alpha=8,rank=4]",
            "study[threshold=0.1,alpha=16,rank=8]",
            "study[threshold=0.2,alpha=8,rank=4]",
            "study[threshold=0.2,alpha=16,rank=8]",
        ]
    );
    let uneven = load("zip = { \"expert.adapter.rank\" = [4, 8], \"expert.adapter.alpha\" = [8] }", &[]);
    assert!(uneven.unwrap_err().to_string().contains("values, as for"));
}

#[test]
fn draws_are_the_same_every_time_and_more_go_on_where_fewer_end() {
    let sweep = |count: u32, seed: u32| {
        format!(
            "random = {{ count = {count}, seed = {seed}, keys = {{ \"expert.training.learning-rate\" = {{ between = [1e-5, 1e-2], log = true }}, \
             \"expert.adapter.rank\" = {{ between = [2, 5], integer = true }}, \"rehearsal.selector.plugin\" = {{ choice = [\"random\", \"kmeans\"] }} }} }}"
        )
    };
    let many = points(&sweep(300, 7), &[]);
    let few = points(&sweep(10, 7), &[]);
    assert_eq!(names(&many)[..10], names(&few));
    assert_ne!(names(&few), names(&points(&sweep(10, 8), &[])));
    let of = |key: &str| many.iter().map(|point| point.values[key].clone()).collect::<Vec<_>>();
    let rates: Vec<f64> = of("expert.training.learning-rate").iter().filter_map(Value::as_f64).collect();
    assert!(rates.iter().all(|rate| (1e-5..=1e-2).contains(rate)));
    let small = rates.iter().filter(|rate| **rate < 1e-4).count();
    assert!((60..=140).contains(&small), "a third of 300 in each power of ten, not {small}");
    for rank in 2..=5 {
        let count = of("expert.adapter.rank").iter().filter(|found| **found == json!(rank)).count();
        assert!((40..=110).contains(&count), "{rank}: {count}");
    }
}

#[test]
fn a_draw_that_makes_no_sense_is_told() {
    let wrong = |draw: &str| {
        load(
            &format!("random = {{ count = 3, keys = {{ \"expert.training.learning-rate\" = {draw} }} }}"),
            &[],
        )
        .unwrap_err()
        .to_string()
    };
    assert!(wrong("{ between = [1, 0.1] }").contains("the smaller first"));
    assert!(wrong("{ between = [0, 0.1], log = true }").contains("above 0"));
    assert!(wrong("{ between = [0.1, 20] }").contains("out of range"));
    assert!(wrong("{ between = [0.1, 0.2, 0.3] }").contains("a list of 3"));
    assert!(wrong("{}").contains("exactly one of"));
    assert!(wrong("{ choice = [0.1], between = [0.1, 0.2] }").contains("both"));
}

#[test]
fn the_mistake_of_a_point_has_its_name() {
    let loaded = load("grid = { \"expert.per\" = [\"task\", \"stream\"] }", &[]).unwrap();
    let text = loaded.points().unwrap_err().to_string();
    assert!(text.contains("at the sweep's point `study[per=stream]`"), "{text}");
    assert!(text.contains("routing"), "{text}");
    let twice = load("grid = { \"expert.adapter.rank\" = [4, 4] }", &[]).unwrap_err().to_string();
    assert!(twice.contains("twice"), "{twice}");
}

#[test]
fn names_of_long_or_strange_values_stay_short_and_apart() {
    let long = |end: &str| format!("\"{}{end}\"", "x".repeat(60));
    let sweep = format!("grid = {{ \"stream.path\" = [{}, {}, \"a,b\"] }}", long("1"), long("2"));
    let points = points(&sweep, &[]);
    assert!(
        points.iter().all(|point| point.name.len() < 60 && !point.name.contains("a,b")),
        "{:?}",
        names(&points)
    );
}

#[test]
fn a_sweep_is_counted_before_it_is_made() {
    let thousand = (1..=1000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let grid = |keys: &[&str]| {
        let lists: Vec<String> = keys.iter().map(|key| format!("\"{key}\" = [{thousand}]")).collect();
        load(&format!("grid = {{ {} }}", lists.join(", ")), &[]).unwrap_err().to_string()
    };
    let text = grid(&["expert.adapter.rank", "expert.adapter.alpha", "expert.training.batch"]);
    assert!(text.contains("has 1000000000 points") && text.contains("limit is 10000"), "{text}");
    assert!(text.contains("1000 of `expert.adapter.rank`"), "{text}");
    let text = grid(&[
        "expert.adapter.rank",
        "expert.adapter.alpha",
        "expert.training.batch",
        "expert.training.epochs",
        "expert.training.accumulate",
        "expert.training.max-prompt",
        "expert.training.max-response",
    ]);
    assert!(text.contains("more than 10^19 points"), "{text}");
    let draws = "keys = { \"expert.training.learning-rate\" = { between = [1e-5, 1e-2] } }";
    let random =
        |count: u32, seeds: &str| format!("random = {{ count = {count}, {draws} }}\nseeds = [{seeds}]");
    let text = load(&random(5000, "1, 2, 3"), &["seed=3,4"]).unwrap_err().to_string();
    assert!(text.contains("has 20000 points (5000 of `random` × 4 of `seeds`)"), "{text}");
    load(&random(2500, "1, 2, 3"), &["seed=3,4"]).unwrap();
}
