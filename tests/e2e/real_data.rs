//! The real tasks, if their data is on this machine: the recipes plan, and a tiny subset runs end to end.

use cadre_tests::{Workbench, data_folder, repository};

use super::report_file::report;
use super::shipped::recipes;

#[test]
fn every_recipe_on_real_data_plans() {
    let Some(data) = data_folder("every_recipe_on_real_data_plans") else { return };
    let bench = Workbench::new();
    let mut planned = 0;
    for recipe in recipes(&repository().join("recipes")) {
        let path = recipe.display().to_string();
        if !path.contains("superni") {
            continue;
        }
        let mut command = bench.command("cadre-plan", &["plan", &path]);
        let output = command.env("CADRE_DATA", &data).output().unwrap();
        cadre_tests::Outcome::of(&output).expect_code(0);
        planned += 1;
    }
    assert!(planned >= 7, "{planned}");
}

#[test]
fn the_ten_real_tasks_run_end_to_end() {
    let Some(data) = data_folder("the_ten_real_tasks_run_end_to_end") else { return };
    let bench = Workbench::new();
    let recipe = repository().join("recipes/smoke/see-superni-tiny.toml").display().to_string();
    let mut command = bench.command("cadre", &["run", &recipe]);
    let output = command.env("CADRE_DATA", &data).output().unwrap();
    cadre_tests::Outcome::of(&output).expect_code(0);
    let report = report(bench.path());
    assert_eq!(report["tasks"].as_array().unwrap().len(), 10);
    assert_eq!(report["routing"]["confusion"].as_array().unwrap().len(), 10);
}
