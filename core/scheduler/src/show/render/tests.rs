//! The table of a plan: its columns, its sums, and no colour where none is asked for.

use serde_json::json;

use super::{duration, figure, render, render_json};
use crate::fixture::Fixture;
use crate::planning::plan::{PlanStatus, StageState};
use crate::planning::speed::TrainingTime;

#[test]
fn times_are_ranges_in_one_unit() {
    let shown = [(0, 0), (20, 40), (90, 110), (170, 350), (3600, 5900), (5400, 10_800), (180_000, 360_000)]
        .map(|(low, high)| duration(low, high));
    assert_eq!(
        shown,
        ["1 s", "20 to 40 s", "2 min", "3 to 6 min", "60 to 98 min", "1.5 to 3 h", "50 to 100 h"]
    );
}

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
    let [.., summary, time] = lines.as_slice() else { panic!("{text}") };
    assert!(summary.starts_with("23 stages: 1 cached, 22 to do; about "), "{summary}");
    assert!(summary.ends_with(" training tokens left"), "{summary}");
    assert!(time.starts_with("training time: unknown until a stage like these"), "{time}");

    let of_tokens = lines[lines.len() - 3];
    assert!(of_tokens.starts_with("training tokens: examples × epochs"), "{of_tokens}");
    let coloured = render(&plan, &status, true);
    assert!(coloured.contains("\x1b[32mcached"));
    let json = render_json(&plan, &status, None);
    assert_eq!((&json["cached"], &json["to-do"]), (&json!(1), &json!(22)));
    assert_eq!(json["stages"][7]["inputs"], json!(["prepare/a", "prepare-pseudo-negatives"]));
    assert_eq!(json["stages"][6]["state"], "interrupted");

    // What is cached is not left to do.
    let left =
        |status: &PlanStatus| render_json(&plan, status, None)["training-tokens-to-do"].as_u64().unwrap();
    let before = left(&status);
    let trained = plan.stages.iter().position(|stage| stage.name == "train/a").unwrap();
    status.stages[trained] = StageState::Cached;
    assert_eq!(left(&status), before - plan.stages[trained].estimate.training_tokens.unwrap());

    status.training_time = Some(TrainingTime { low_seconds: 170, high_seconds: 350, measured: 12 });
    let text = render(&plan, &status, false);
    let time = "training time: about 3 to 6 min on this machine (measured on 12 earlier stages), evaluation not included";
    assert_eq!(text.lines().last(), Some(time));

    status.stages.fill(StageState::Cached);
    assert_eq!(render(&plan, &status, false).lines().last(), Some("all 23 stages are cached"));
}
