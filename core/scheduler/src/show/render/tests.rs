//! The table of a plan: its columns, its sums, and no colour where none is asked for.

use serde_json::json;

use super::{figure, render, render_json};
use crate::fixture::Fixture;
use crate::planning::plan::{PlanStatus, StageState};

#[test]
fn figures_have_three_digits() {
    let shown: Vec<String> = [0, 999, 1_000, 12_345, 99_960, 999_499, 999_500, 12_345_678, 2_000_000_000]
        .map(|n| figure(Some(n)))
        .into();
    assert_eq!(shown, ["0", "999", "1.00 k", "12.3 k", "100 k", "999 k", "1.00 M", "12.3 M", "2.00 G"]);
    assert_eq!(figure(None), "–");
}

#[test]
fn the_table_lines_up_and_sums() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&fixture.recipe());
    let mut status = PlanStatus::nothing_done(plan.stages.len());
    status.stages[0] = StageState::Cached;
    status.stages[6] = StageState::Interrupted;
    let text = render(&plan, &status, false);
    assert!(!text.contains('\x1b'));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with(&format!("all  run {}", plan.run_key.short())), "{text}");
    assert!(lines[0].ends_with("a → b → c"), "{text}");
    let column = lines[1].find("state").unwrap();
    assert_eq!(lines[2].find("cached"), Some(column), "{text}");
    assert_eq!(lines[8].find("interrupted"), Some(column), "{text}");
    assert_eq!(lines[9].find("to do"), Some(column), "{text}");
    assert!(lines[2].contains(&plan.stages[0].key.short()));
    let summary = lines.last().unwrap();
    assert!(summary.starts_with("23 stages: 1 cached, 22 to do, about "), "{summary}");
    assert!(summary.ends_with(" training tokens"), "{summary}");

    let coloured = render(&plan, &status, true);
    assert!(coloured.contains("\x1b[32mcached"));
    let json = render_json(&plan, &status, None);
    assert_eq!((&json["cached"], &json["to-do"]), (&json!(1), &json!(22)));
    assert_eq!(json["stages"][7]["inputs"], json!(["prepare/a", "prepare-pseudo-negatives"]));
    assert_eq!(json["stages"][6]["state"], "interrupted");

    status.stages.fill(StageState::Cached);
    assert_eq!(render(&plan, &status, false).lines().last(), Some("all 23 stages are cached"));
}
