//! Queries: filters, order and columns give the right answers, and errors have a position.

use std::fs::File;
use std::time::{Duration, SystemTime};

use cadre_runs::{
    DEFAULT_COLUMNS, RUN, RunRecord, RunsError, SWEEP, Selection, Value, change_tags, find_run, find_runs,
    side_by_side,
};

use super::{Runs, ids};

fn sample() -> Runs {
    let runs = Runs::new();
    runs.done("see-a", 0.2, 80.0);
    runs.done("see-b", 0.3, 70.0);
    runs.done("see-c", 0.5, 90.0);
    let begun = runs.begin("see-d", 0.7);
    change_tags(&begun, &["good".to_owned(), "paper".to_owned()], &[]).unwrap();
    change_tags(&runs.run("see-a"), &["good".to_owned()], &[]).unwrap();
    runs
}

#[test]
fn filters_select_runs() {
    let runs = sample();
    let mut index = runs.open();
    let cases: [(&str, &[&str]); 27] = [
        ("routing.router.threshold >= 0.3", &["see-b", "see-c", "see-d"]),
        ("routing.router.threshold > 0.3 and state = done", &["see-c"]),
        ("routing.router.threshold <= 0.2 or average-score > 85", &["see-a", "see-c"]),
        ("name = see and tag = good", &["see-a", "see-d"]),
        ("tag != good", &["see-b", "see-c"]),
        ("tag in [paper, other]", &["see-d"]),
        ("tags = none", &["see-b", "see-c"]),
        ("tag ~ APE", &["see-d"]),
        ("not (tag = good or tag = paper)", &["see-b", "see-c"]),
        ("average-score = none", &["see-d"]),
        ("average-score != none", &["see-a", "see-b", "see-c"]),
        ("average-score != 80", &["see-b", "see-c", "see-d"]),
        ("average-score = 80", &["see-a"]),
        ("average-score in [80.0, 90, 'x']", &["see-a", "see-c"]),
        ("average-score in []", &[]),
        ("seed = 2 && seed == 2 || seed < 0", &["see-a", "see-b", "see-c", "see-d"]),
        ("backbone.pretrain.architecture.tied = true", &["see-a", "see-b", "see-c", "see-d"]),
        ("backbone.pretrain.architecture.tied = false", &[]),
        ("backbone.pretrain.architecture.tied = 'true'", &[]),
        ("name >= 0.3", &[]),
        ("name > rrr and name < 'sef'", &["see-a", "see-b", "see-c", "see-d"]),
        ("expert.adapter.targets ~ gate and id ~ B", &["see-b"]),
        ("name = \"x' OR 1=1 --\"", &[]),
        ("created >= 2020-01-01 and changed < 2999-12-31T23:59", &["see-a", "see-b", "see-c", "see-d"]),
        ("created < 2020-01-01", &[]),
        ("sweep = none and sweep != x", &["see-a", "see-b", "see-c", "see-d"]),
        ("score.sort > 78 and routing.accuracy < 1", &["see-a", "see-b", "see-c"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&mut index, Some(filter), None), expected, "{filter}");
    }
    assert_eq!(ids(&mut index, None, None).len(), 4, "nothing was dropped");
}

#[test]
fn missing_values_are_sorted_last() {
    let runs = sample();
    let mut index = runs.open();
    assert_eq!(ids(&mut index, None, Some("average-score")), ["see-b", "see-a", "see-c", "see-d"]);
    assert_eq!(ids(&mut index, None, Some("-average-score")), ["see-c", "see-a", "see-b", "see-d"]);
    assert_eq!(ids(&mut index, None, Some("seed")), ["see-a", "see-b", "see-c", "see-d"]);
    let selection =
        Selection { sort: Some("-average-score".to_owned()), limit: Some(1), ..Selection::default() };
    let table = index.select(&selection).unwrap();
    assert_eq!(table.columns, DEFAULT_COLUMNS);
    assert_eq!(table.rows.len(), 1);
    assert_eq!(table.rows[0][3], Some(Value::Float(90.0)));
    let some = Selection { ids: Some(vec!["see-c".to_owned(), "x".to_owned()]), ..Selection::default() };
    assert_eq!(index.select(&some).unwrap().rows.len(), 1);
    let selection = Selection { columns: Some("id, tag,id".to_owned()), ..Selection::default() };
    assert_eq!(index.select(&selection).unwrap().columns, ["id", "tags"]);
}

#[test]
fn a_long_table_is_filled_like_a_short_one() {
    let runs = Runs::new();
    for run in 0..320 {
        runs.begin(&format!("see-{run:03}"), f64::from(run));
    }
    let mut index = runs.open();
    let selection = |limit| Selection {
        sort: Some("-routing.router.threshold".to_owned()),
        columns: Some("id,routing.router.threshold,name,average-score".to_owned()),
        limit,
        ..Selection::default()
    };
    let all = index.select(&selection(None)).unwrap();
    let few = index.select(&selection(Some(10))).unwrap();
    assert_eq!(all.rows.len(), 320);
    assert_eq!(few.rows, all.rows[..10]);
    assert_eq!(all.rows[0][1], Some(Value::Float(319.0)));
}

#[test]
fn errors_have_a_position_and_a_suggestion() {
    let runs = sample();
    let mut index = runs.open();
    let mut query_error = |filter: Option<&str>, sort: Option<&str>, columns: Option<&str>| {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let selection = Selection {
            filter: text(filter),
            sort: text(sort),
            columns: text(columns),
            ..Selection::default()
        };
        match index.select(&selection) {
            Err(RunsError::Query { what, column, problem, .. }) => (what, column, problem),
            other => panic!("{other:?}"),
        }
    };
    let (what, column, problem) = query_error(Some("name = see and threshold > 0.3"), None, None);
    assert_eq!((what, column), ("--where", 16));
    assert!(problem.contains("`routing.router.threshold`"), "{problem}");
    let (_, column, problem) = query_error(Some("averag-score > 1"), None, None);
    assert!(column == 1 && problem.contains("`average-score`"), "{problem}");
    assert!(query_error(Some("average_score > 1"), None, None).2.contains("`average-score`"));
    assert_eq!(query_error(None, Some("-nonsense-of-a-key"), None).1, 2);
    assert_eq!(query_error(None, None, Some("id, thresold")).1, 5);
    assert!(query_error(Some("created > yesterday"), None, None).2.contains("not a time"));
    assert_eq!(query_error(Some("tag < good"), None, None).1, 7);
}

#[test]
fn runs_are_found_by_prefix() {
    let runs = sample();
    let path = runs.path();
    assert_eq!(find_run(&path, "see-a").unwrap().id(), "see-a");
    assert!(matches!(find_run(&path, "see"), Err(RunsError::Ambiguous { found, .. }) if found.len() == 4));
    assert_eq!(find_runs(&path, "see").unwrap().len(), 4);
    let folder = runs.run("see-b").folder().display().to_string();
    assert_eq!(find_run(&path, &folder).unwrap().id(), "see-b");
    let message = find_run(&path, "seee-a").unwrap_err().to_string();
    assert!(message.contains("did you mean `see-"), "{message}");
    assert!(find_runs(&path, "").is_err());
}

#[test]
fn of_several_matches_the_most_recent_is_shown() {
    let runs = sample();
    let path = runs.path();
    let now = SystemTime::now();
    let touch = |id: &str, file: &str, age: u64| {
        let file = File::options().append(true).create(true).open(runs.run(id).folder().join(file)).unwrap();
        file.set_modified(now - Duration::from_secs(age)).unwrap();
    };
    for (age, id) in [(9, "see-a"), (5, "see-b"), (1, "see-c"), (7, "see-d")] {
        touch(id, "plan.json", age);
        touch(id, "events.jsonl", age);
    }
    let latest = |id: &str| RUN.latest(id, &path).map(|(folder, _)| folder.file_name().unwrap().to_owned());
    assert_eq!(latest("see").unwrap(), "see-c");
    assert_eq!(latest("see-a").unwrap(), "see-a", "the exact name before those that begin so");
    touch("see-d", "events.jsonl", 0);
    assert_eq!(latest("see").unwrap(), "see-d", "events count");
    assert!(matches!(latest("other"), Err(RunsError::NotFound { what: "run", .. })));
    let message = SWEEP.latest("see", &path).unwrap_err().to_string();
    assert!(message.contains("`cadre sweep RECIPE…` makes one"), "no run is a sweep: {message}");
}

#[test]
fn a_recipe_name_and_a_number_name_a_run() {
    let runs = Runs::new();
    let ages = [("see-00000000000a", 5), ("see-00000000000b", 1), ("see-superni-00000000000c", 0)];
    for (id, age) in ages {
        runs.done(id, 0.2, 80.0);
        let time = SystemTime::now() - Duration::from_secs(age);
        let touch = |file: &str| {
            let path = runs.run(id).folder().join(file);
            File::options().append(true).create(true).open(path).unwrap().set_modified(time).unwrap();
        };
        touch("plan.json");
        touch("events.jsonl");
    }
    let path = runs.path();
    let (latest, matches) = RUN.latest("see", &path).unwrap();
    assert!(latest.ends_with("see-00000000000b"), "{latest:?}: the name is not a prefix of `see-superni`");
    assert_eq!(matches, 2);
    assert_eq!(find_run(&path, "see@1").unwrap().id(), "see-00000000000b");
    assert_eq!(find_run(&path, "see@2").unwrap().id(), "see-00000000000a");
    assert_eq!(find_run(&path, "see-superni@1").unwrap().id(), "see-superni-00000000000c");
    for wrong in ["see@3", "see@0"] {
        let message = find_run(&path, wrong).unwrap_err().to_string();
        assert!(message.contains("`see@1`, the most recent, to `see@2`"), "{message}");
    }
}

#[test]
fn compare_shows_differences() {
    let runs = sample();
    let records: Vec<RunRecord> =
        ["see-a", "see-d"].iter().map(|id| RunRecord::read(&runs.run(id)).unwrap()).collect();
    let both = side_by_side(&records);
    assert_eq!(both.recipe.columns, ["key", "see-a", "see-d"]);
    assert_eq!(both.recipe.rows.len(), 1, "{}", both.recipe.to_text());
    assert_eq!(both.recipe.rows[0][1..], [Some(Value::Float(0.2)), Some(Value::Float(0.7))]);
    let score = both.figures.rows.iter().find(|row| row[0] == Some(Value::Text("average-score".to_owned())));
    assert_eq!(score.unwrap()[1..], [Some(Value::Float(80.0)), None]);
}
