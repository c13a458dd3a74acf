//! What is wrong is told with its place, and nothing runs: exit code 2 for the recipe and the command line,
//! 1 for data that turns out broken.

use cadre_tests::{Workbench, repository};

fn smoke() -> String {
    repository().join("recipes/smoke/see-tiny.toml").display().to_string()
}

/// A recipe that inherits the smoke recipe and adds a mistake; planning it must fail and leave no trace.
fn refused(text: &str, told: &[&str]) {
    let bench = Workbench::new();
    let recipe = format!("name = \"wrong\"\ninherit = [\"{}\"]\n{text}", smoke());
    bench.write("wrong.toml", &recipe);
    let mut expected = vec!["wrong.toml"];
    expected.extend(told);
    bench.cadre(&["run", "wrong.toml"]).expect_code(2).expect_told(&expected);
    bench.planner(&["plan", "wrong.toml"]).expect_code(2).expect_told(&expected);
    assert!(!bench.path().join("runs").exists(), "a refused recipe leaves no run");
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    refused("[expert.adapter]\nrnak = 4\n", &["rnak", "rank"]);
}

#[test]
fn an_unknown_section_gets_a_suggestion() {
    refused("[rehersal]\nrole = \"negative\"\n", &["rehersal", "rehearsal"]);
}

#[test]
fn a_wrong_type_says_what_was_expected() {
    refused("[expert.training]\nbatch = \"many\"\n", &["batch", "many"]);
}

#[test]
fn a_number_outside_its_range_says_the_range() {
    refused("[routing]\nrouter = { plugin = \"see\", threshold = 0.5 }\nmax-rounds = 0\n", &["max-rounds"]);
}

#[test]
fn a_task_that_the_stream_lacks_is_named() {
    refused("[stream]\norder = [\"polarity\", \"sorrt\"]\n", &["sorrt", "sort"]);
}

#[test]
fn a_policy_that_is_not_there_lists_those_that_are() {
    refused("[routing]\nrouter = { plugin = \"sea\" }\n", &["sea", "see", "oracle", "nearest"]);
}

#[test]
fn several_mistakes_are_told_together() {
    refused(
        "[expert.adapter]\nrnak = 4\n[expert.training]\nbatch = \"many\"\n[streem]\nformat = \"synthetic\"\n",
        &["rnak", "many", "streem"],
    );
}

#[test]
fn a_set_that_is_wrong_names_its_layer() {
    let bench = Workbench::new();
    bench
        .cadre(&["plan", &smoke(), "--set", "expert.adapter.rank=none"])
        .expect_code(2)
        .expect_told(&["--set", "rank"]);
}

#[test]
fn the_environment_is_a_layer_and_is_named() {
    let bench = Workbench::new();
    let mut command = bench.command("cadre", &["plan", &smoke()]);
    command.env("CADRE__EXPERT__ADAPTER__RANK", "none");
    let outcome = cadre_tests::Outcome::of(&command.output().unwrap());
    outcome.expect_code(2).expect_told(&["CADRE__EXPERT__ADAPTER__RANK"]);
}

#[test]
fn a_recipe_that_is_not_there_is_told() {
    let bench = Workbench::new();
    bench.cadre(&["run", "nowhere.toml"]).expect_code(2).expect_told(&["nowhere.toml"]);
}

#[test]
fn a_checkpoint_folder_without_a_config_is_told() {
    refused("[backbone]\ncheckpoint = \"empty\"\n", &["checkpoint"]);
}

#[test]
fn a_broken_row_of_a_dataset_is_told_with_file_and_line() {
    let bench = Workbench::new();
    for task in ["one", "two"] {
        for split in ["train", "test"] {
            let mut rows = String::new();
            for number in 0..8 {
                rows.push_str(&format!(
                    "{{\"instruction\": \"say {task}\", \"input\": \"{split} {number}\", \"output\": \"{task}\"}}\n"
                ));
            }
            if task == "two" && split == "train" {
                rows.push_str("{\"instruction\": \"say two\", \"output\": \n");
            }
            bench.write(&format!("tasks/{task}/{split}.jsonl"), &rows);
        }
    }
    bench.write(
        "broken.toml",
        &format!(
            "name = \"broken\"\ninherit = [\"{}\"]\n[stream]\nformat = \"jsonl\"\npath = \"tasks\"\norder = [\"one\", \"two\"]\n",
            smoke()
        ),
    );
    bench.cadre(&["run", "broken.toml"]).expect_code(1).expect_told(&["two/train.jsonl", ":9"]);
}

#[test]
fn a_dataset_that_is_not_there_is_told_before_anything_runs() {
    refused("[stream]\nformat = \"jsonl\"\npath = \"nowhere\"\norder = [\"a\"]\n", &["nowhere"]);
}

#[test]
fn a_backend_that_this_build_lacks_names_the_command_that_builds_it() {
    let bench = Workbench::new();
    bench
        .cadre(&["run", &smoke(), "--set", "device.backend=cuda"])
        .expect_code(2)
        .expect_told(&["cuda", "--features"]);
}

#[test]
fn the_command_line_has_its_own_exit_code() {
    let bench = Workbench::new();
    bench.cadre(&["rum"]).expect_code(2).expect_told(&["run"]);
}
