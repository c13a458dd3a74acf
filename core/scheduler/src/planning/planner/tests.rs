//! Plans of the shipped methods on small data: which stages there are, what they share, what a change touches.

use std::collections::BTreeSet;
use std::time::Instant;

use cadre_recipe::{PluginCatalog, Recipe};
use cadre_store::FileDigests;
use serde_json::{Value, json};

use crate::error::PlanError;
use crate::fixture::{Fixture, names, set, stage};
use crate::planning::plan::Plan;
use crate::stages::{Answering, BackboneWork, StageWork};

fn inputs<'a>(plan: &'a Plan, name: &str) -> Vec<&'a str> {
    stage(plan, name).inputs.iter().map(|place| plan.stages[*place].name.as_str()).collect()
}

/// Names of the stages of `after` whose keys `before` does not have.
fn new_stages(before: &Plan, after: &Plan) -> BTreeSet<String> {
    let known: BTreeSet<_> = before.stages.iter().map(|stage| stage.key).collect();
    after.stages.iter().filter(|stage| !known.contains(&stage.key)).map(|stage| stage.name.clone()).collect()
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn changed(recipe: &Value, key: &str, value: Value) -> Value {
    let mut recipe = recipe.clone();
    set(&mut recipe, key, value);
    recipe
}

#[test]
fn an_expert_a_task() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&fixture.recipe());
    assert_eq!(
        names(&plan),
        [
            "prepare/a",
            "prepare/b",
            "prepare/c",
            "prepare-out-of-distribution",
            "prepare-pseudo-negatives",
            "prepare-corpus",
            "backbone",
            "compose/a",
            "train/a",
            "describe/a",
            "remember/a",
            "evaluate/a",
            "compose/b",
            "train/b",
            "describe/b",
            "remember/b",
            "evaluate/b",
            "compose/c",
            "train/c",
            "describe/c",
            "evaluate/c",
            "out-of-distribution",
            "report",
        ]
    );
    assert_eq!(inputs(&plan, "compose/a"), ["prepare/a", "prepare-pseudo-negatives"]);
    assert_eq!(
        inputs(&plan, "compose/c"),
        ["prepare/c", "backbone", "remember/a", "remember/b", "prepare-pseudo-negatives"]
    );
    assert_eq!(inputs(&plan, "remember/b"), ["backbone", "prepare/b"]);
    assert_eq!(inputs(&plan, "train/c"), ["backbone", "compose/c"]);
    assert_eq!(
        inputs(&plan, "evaluate/b"),
        ["backbone", "prepare/a", "prepare/b", "train/a", "train/b", "describe/a", "describe/b"]
    );
    assert_eq!(inputs(&plan, "report").len(), plan.stages.len() - 1);
    for (place, stage) in plan.stages.iter().enumerate() {
        assert!(stage.inputs.iter().all(|input| *input < place), "{}", stage.name);
    }
    let keys: BTreeSet<_> = plan.stages.iter().map(|stage| stage.key).collect();
    assert_eq!(keys.len(), plan.stages.len());
}

#[test]
fn one_adapter_through_the_stream() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&fixture.sequential());
    assert_eq!(inputs(&plan, "train/a"), ["backbone", "compose/a"]);
    assert_eq!(inputs(&plan, "train/c"), ["backbone", "compose/c", "train/b"]);
    assert_eq!(inputs(&plan, "evaluate/c"), ["backbone", "prepare/a", "prepare/b", "prepare/c", "train/c"]);
    assert_eq!(inputs(&plan, "out-of-distribution"), ["prepare-out-of-distribution"]);
    let StageWork::Evaluate(work) = &stage(&plan, "evaluate/c").work else { panic!("no evaluation") };
    assert_eq!(work.answering, Answering::Adapter);
}

#[test]
fn experts_that_start_at_the_one_before() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&changed(&fixture.recipe(), "expert.start", json!("previous")));
    assert_eq!(inputs(&plan, "train/b"), ["backbone", "compose/b", "train/a"]);
    assert_eq!(inputs(&plan, "evaluate/b")[3..5], ["train/a", "train/b"]);
}

#[test]
fn the_union_is_trained_once_and_scored_at_the_end() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&changed(&fixture.sequential(), "expert.per", json!("union")));
    let made: Vec<&str> = names(&plan).into_iter().filter(|name| !name.starts_with("prepare")).collect();
    assert_eq!(
        made,
        ["backbone", "compose/union", "train/union", "evaluate/c", "out-of-distribution", "report"]
    );
    assert_eq!(inputs(&plan, "compose/union"), ["prepare/a", "prepare/b", "prepare/c"]);
}

#[test]
fn zero_shot_trains_nothing() {
    let fixture = Fixture::new();
    let mut recipe = fixture.sequential();
    recipe.as_object_mut().unwrap().shift_remove("expert");
    let plan = fixture.plan(&recipe);
    assert!(names(&plan).iter().all(|name| !name.starts_with("train") && !name.starts_with("compose")));
    assert!(!names(&plan).contains(&"evaluate/b"), "one row says it all");
    assert_eq!(inputs(&plan, "evaluate/c"), ["backbone", "prepare/a", "prepare/b", "prepare/c"]);
    let StageWork::Evaluate(work) = &stage(&plan, "evaluate/c").work else { panic!("no evaluation") };
    assert_eq!((&work.answering, work.prompt.max_prompt), (&Answering::Backbone, None));
}

#[test]
fn rows_and_columns_of_r_are_as_asked() {
    let fixture = Fixture::new();
    let mut recipe = fixture.recipe();
    set(&mut recipe, "evaluation.when", json!("end"));
    let plan = fixture.plan(&recipe);
    assert!(!names(&plan).contains(&"evaluate/b") && names(&plan).contains(&"evaluate/c"));
    set(&mut recipe, "evaluation.when", json!("each-task"));
    set(&mut recipe, "evaluation.on", json!("all"));
    let plan = fixture.plan(&recipe);
    let StageWork::Evaluate(work) = &stage(&plan, "evaluate/a").work else { panic!("no evaluation") };
    assert_eq!(work.learned, ["a"]);
    assert_eq!(work.queries.iter().map(|query| query.task.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_threshold_trains_nothing_and_a_ratio_only_what_it_touches() {
    let fixture = Fixture::new();
    let recipe = fixture.recipe();
    let plan = fixture.plan(&recipe);
    let other = fixture.plan(&changed(&recipe, "routing.router.threshold", json!(0.7)));
    assert_eq!(
        new_stages(&plan, &other),
        set_of(&["evaluate/a", "evaluate/b", "evaluate/c", "out-of-distribution", "report"])
    );
    let other = fixture.plan(&changed(&recipe, "rehearsal.selector.share", json!(0.2)));
    assert_eq!(
        new_stages(&plan, &other),
        set_of(&[
            "remember/a",
            "remember/b",
            "compose/b",
            "compose/c",
            "train/b",
            "train/c",
            "evaluate/b",
            "evaluate/c",
            "out-of-distribution",
            "report"
        ])
    );
    let other = fixture.plan(&changed(&recipe, "evaluation.decoding.batch", json!(2)));
    assert_eq!(new_stages(&plan, &other), set_of(&[]));
}

#[test]
fn orders_share_what_is_the_same_in_them() {
    let fixture = Fixture::new();
    let recipe = fixture.recipe();
    let plan = fixture.plan(&recipe);
    let other = fixture.plan(&changed(&recipe, "stream.order", json!(["a", "c", "b"])));
    let made = new_stages(&plan, &other);
    for shared in ["prepare/b", "backbone", "train/a", "describe/b", "remember/a", "evaluate/a"] {
        assert!(!made.contains(shared), "{shared}");
    }
    assert!(made.contains("train/c") && made.contains("train/b"));
    let longer = fixture.plan(&recipe);
    let shorter = fixture.plan(&changed(&recipe, "stream.order", json!(["a", "b"])));
    assert_eq!(new_stages(&longer, &shorter), set_of(&["out-of-distribution", "report"]));
}

#[test]
fn methods_share_what_is_the_same_in_them() {
    let fixture = Fixture::new();
    let sequential = fixture.plan(&fixture.sequential());
    let mut recipe = fixture.sequential();
    recipe["rehearsal"] = json!({ "selector": { "plugin": "random", "share": 0.1 }, "role": "positive" });
    let replay = fixture.plan(&recipe);
    let made = new_stages(&sequential, &replay);
    for shared in ["prepare/a", "backbone", "compose/a", "train/a", "evaluate/a"] {
        assert!(!made.contains(shared), "{shared}");
    }
    assert!(made.contains("train/b"));
}

#[test]
fn selectors_wait_for_experts_only_where_granted() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&changed(&fixture.recipe(), "rehearsal.grant", json!(["experts"])));
    assert_eq!(inputs(&plan, "remember/b"), ["backbone", "prepare/b", "train/a", "train/b"]);
    assert_eq!(
        inputs(&plan, "compose/b"),
        ["prepare/b", "backbone", "remember/a", "train/a", "prepare-pseudo-negatives"]
    );
}

#[test]
fn data_counts_by_content_and_not_by_place() {
    let fixture = Fixture::new();
    let recipe = fixture.sequential();
    let plan = fixture.plan(&recipe);
    for task in ["a", "b", "c"] {
        fixture.write_task("moved", task, "row");
    }
    let moved = fixture.plan(&changed(&recipe, "stream.path", json!(fixture.at("moved"))));
    assert_eq!(new_stages(&plan, &moved), set_of(&["report"]), "the report says where the data lay");
    fixture.write_task("data", "b", "changed row");
    let edited = new_stages(&plan, &fixture.plan(&recipe));
    assert!(edited.contains("prepare/b") && edited.contains("train/b") && !edited.contains("train/a"));
}

#[test]
fn plugins_count_by_content() {
    let fixture = Fixture::new();
    let recipe = fixture.recipe();
    let plan = fixture.plan(&recipe);
    let bytes = std::fs::read(fixture.at("plugins/oracle.wasm")).unwrap();
    std::fs::write(fixture.at("plugins/see.wasm"), bytes).unwrap();
    assert!(new_stages(&plan, &fixture.plan(&recipe)).contains("evaluate/a"));
}

#[test]
fn a_checkpoint_counts_by_its_own_files() {
    let fixture = Fixture::new();
    let mut recipe = fixture.recipe();
    recipe["backbone"] = json!({ "checkpoint": fixture.at("model") });
    let plan = fixture.plan(&recipe);
    assert!(!names(&plan).contains(&"prepare-corpus"));
    fixture.write("model/README.md", b"another text");
    assert_eq!(plan, fixture.plan(&recipe));
    fixture.write("model/tokenizer.json", b"{\"more\":1}");
    assert!(new_stages(&plan, &fixture.plan(&recipe)).contains("train/a"));
}

#[test]
fn a_name_on_the_hub_is_its_files_to_the_stages_and_its_name_to_the_run() {
    let fixture = Fixture::new();
    let commit = "0123456789abcdef";
    fixture.write("hub/models--org--model/refs/main", commit.as_bytes());
    for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        let bytes = std::fs::read(fixture.at("model").join(file)).unwrap();
        fixture.write(&format!("hub/models--org--model/snapshots/{commit}/{file}"), &bytes);
    }
    let mut recipe = fixture.recipe();
    recipe["backbone"] = json!({ "checkpoint": fixture.at("model") });
    let of_folder = fixture.plan(&recipe);
    recipe["backbone"] = json!({ "checkpoint": "hf://org/model" });
    let of_name = fixture.plan(&recipe);
    for name in ["backbone", "train/a", "evaluate/c"] {
        assert_eq!(stage(&of_folder, name).key, stage(&of_name, name).key, "{name}");
    }
    assert_ne!(of_folder.run_key, of_name.run_key);
    let StageWork::Backbone(BackboneWork::Checkpoint(work)) = &stage(&of_name, "backbone").work else {
        panic!("a checkpoint");
    };
    assert_eq!(work.path, fixture.at("hub/models--org--model/snapshots").join(commit));
}

#[test]
fn seeds_of_stages_follow_the_recipes_seed_and_the_key() {
    let fixture = Fixture::new();
    let recipe = fixture.recipe();
    let plan = fixture.plan(&recipe);
    let other = fixture.plan(&changed(&recipe, "seed", json!(2)));
    assert_ne!(stage(&plan, "train/a").seed(), stage(&other, "train/a").seed());
    assert_ne!(stage(&plan, "train/a").seed(), stage(&plan, "train/b").seed());
    assert_eq!(
        stage(&plan, "backbone").key,
        stage(&other, "backbone").key,
        "a backbone has a seed of its own"
    );
    assert_eq!(stage(&plan, "prepare/a").key, stage(&other, "prepare/a").key, "so has this stream");
}

#[test]
fn a_plan_is_read_back_as_it_was_written() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&fixture.recipe());
    let text = serde_json::to_string_pretty(&plan).unwrap();
    assert!(text.starts_with("{\n  \"format-version\": 1,"));
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn keys_stay_what_they_were() {
    // A change here makes every store of this version worthless: raise a stage's version instead, and say so.
    let fixture = Fixture::new();
    let plan = fixture.plan(&fixture.recipe());
    let golden = ["prepare/a", "backbone", "train/b"].map(|name| stage(&plan, name).key.short());
    assert_eq!(golden, GOLDEN);
}

const GOLDEN: [&str; 3] = ["9196f98f1f5b", "be2db8c8153c", "032ff31e4f8f"];

#[test]
fn what_is_not_there_is_named() {
    let fixture = Fixture::new();
    let catalog = PluginCatalog::scan(&[fixture.at("plugins")]);
    let plan = |key: &str, value: Value| {
        let recipe: Recipe = serde_json::from_value(changed(&fixture.recipe(), key, value)).unwrap();
        crate::planning::planner::plan(&recipe, &catalog, &FileDigests::in_memory(), &fixture.hub())
            .unwrap_err()
    };
    let problem = plan("routing.router.plugin", json!("random"));
    assert!(
        matches!(&problem, PlanError::NoPlugin { known, .. } if known == &["oracle", "see"]),
        "{problem}"
    );
    assert!(matches!(plan("stream.order", json!(["a", "d"])), PlanError::Data { .. }));
    assert!(matches!(plan("stream.order", json!([])), PlanError::NoTask));
    assert!(matches!(plan("stream.template", json!({ "file": "/nowhere" })), PlanError::File { .. }));
    assert!(matches!(plan("expert.training.steps", json!(3)), PlanError::Unchecked { .. }));
}

#[test]
fn estimates_follow_the_figures_of_the_recipe() {
    let fixture = Fixture::new();
    let mut recipe = fixture.recipe();
    let plan = fixture.plan(&recipe);
    let tokens = |plan: &Plan, name: &str| stage(plan, name).estimate.training_tokens.unwrap() as f64;
    assert_eq!(stage(&plan, "prepare/a").estimate.examples, Some(30));
    assert_eq!(stage(&plan, "compose/a").estimate.examples, Some(35));
    assert_eq!(stage(&plan, "compose/b").estimate.examples, Some(38));
    // Rows of about 57 bytes.
    assert!(
        (tokens(&plan, "train/a") / (35.0 * 2.0 * 57.0 / 4.0) - 1.0).abs() < 0.1,
        "{}",
        tokens(&plan, "train/a")
    );
    assert!((tokens(&plan, "backbone") / (10.0 * 4.0 * 57.0 / 4.0) - 1.0).abs() < 0.1);
    set(&mut recipe, "expert.training.epochs", json!(4));
    assert!((tokens(&fixture.plan(&recipe), "train/a") / tokens(&plan, "train/a") - 2.0).abs() < 0.01);
    assert_eq!(stage(&plan, "evaluate/a").estimate.training_tokens, None);
}

#[test]
fn planning_is_quick() {
    let fixture = Fixture::new();
    let recipe: Recipe = serde_json::from_value(fixture.recipe()).unwrap();
    let catalog = PluginCatalog::scan(&[fixture.at("plugins")]);
    let digests = FileDigests::in_memory();
    let best = (0..5)
        .map(|_| {
            let began = Instant::now();
            crate::planning::planner::plan(&recipe, &catalog, &digests, &fixture.hub()).unwrap();
            began.elapsed()
        })
        .min();
    eprintln!("planned in {best:?}");
    // The goal is 20 ms on a quiet machine.
    assert!(best.unwrap().as_millis() < 100, "{best:?}");
}

#[test]
fn experts_are_merged_after_each_task() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&fixture.merged());
    let merges: Vec<&str> = names(&plan).into_iter().filter(|name| name.starts_with("merge/")).collect();
    assert_eq!(merges, ["merge/a", "merge/b", "merge/c"]);
    let merge = stage(&plan, "merge/b");
    let inputs: Vec<&str> = merge.inputs.iter().map(|place| plan.stages[*place].name.as_str()).collect();
    assert_eq!(inputs, ["backbone", "train/a", "train/b"]);
    let StageWork::Merge(work) = &merge.work else { panic!("{merge:?}") };
    assert_eq!(work.merge.settings["factor"], json!(0.5));
    let row = stage(&plan, "evaluate/b");
    let inputs: Vec<&str> = row.inputs.iter().map(|place| plan.stages[*place].name.as_str()).collect();
    assert_eq!(inputs, ["backbone", "prepare/a", "prepare/b", "merge/b"]);

    // One number per expert: of the tasks learned so far.
    let listed = fixture.plan(&changed(&fixture.merged(), "routing.merge.factor", json!([1, 2, 3])));
    let StageWork::Merge(work) = &stage(&listed, "merge/b").work else { panic!() };
    assert_eq!(work.merge.settings["factor"], json!([1, 2]));
    // Other lists stay as they are, whatever their length.
    let plain = fixture.plan(&changed(&fixture.merged(), "routing.merge.list", json!([1, 2, 3])));
    let StageWork::Merge(work) = &stage(&plain, "merge/b").work else { panic!() };
    assert_eq!(work.merge.settings["list"], json!([1, 2, 3]));
    // Experts are shared with a recipe that routes among them in the same way.
    assert_eq!(stage(&plan, "train/c").key, stage(&listed, "train/c").key);
}
