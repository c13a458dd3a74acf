//! The table against the schema (no key left out) and against the works (each key changes what the table says).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{KEY_USES, KeyReader, without_pace};
use crate::fixture::{Fixture, names, set};
use crate::planning::plan::Plan;
use crate::stages::StageKind;

/// Every dotted key of the recipe's JSON schema, down to values; `*` where any name may stand.
fn schema_keys() -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(&cadre_recipe::schema_json()).unwrap();
    let mut keys = BTreeSet::new();
    gather(&schema, &schema, "", &mut keys);
    keys.remove("inherit");
    keys
}

fn gather(root: &Value, schema: &Value, at: &str, keys: &mut BTreeSet<String>) {
    if let Some(target) = schema["$ref"].as_str() {
        let target = target.trim_start_matches('#');
        return gather(root, root.pointer(target).unwrap_or_else(|| panic!("{target}")), at, keys);
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        for one in schema[choice].as_array().into_iter().flatten() {
            gather(root, one, at, keys);
        }
    }
    if schema["items"].is_object() {
        gather(root, &schema["items"], at, keys);
    }
    let under = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        gather(root, inner, &under(name), keys);
    }
    let more = &schema["additionalProperties"];
    if more.is_object() || *more == Value::Bool(true) {
        keys.insert(under("*"));
    }
    let is_value = schema["properties"].is_null() && !at.is_empty() && schema["type"] != json!("null");
    let only_tables = schema["type"] == json!("object");
    let indirect = schema["type"].is_null() && schema["const"].is_null() && schema["enum"].is_null();
    if is_value && !only_tables && !indirect && !is_list_of_tables(root, schema) {
        keys.insert(at.to_owned());
    }
}

/// Lists of tables are walked into; they are no values themselves.
fn is_list_of_tables(root: &Value, schema: &Value) -> bool {
    let mut items = &schema["items"];
    while let Some(target) = items["$ref"].as_str() {
        items = root.pointer(target.trim_start_matches('#')).unwrap();
    }
    items["properties"].is_object()
}

#[test]
fn every_key_of_a_recipe_has_a_reader_and_every_reader_a_key() {
    let listed: BTreeSet<String> = KEY_USES.iter().map(|used| used.key.to_owned()).collect();
    assert_eq!(listed.len(), KEY_USES.len(), "a key stands twice");
    let found = schema_keys();
    let unread: Vec<&String> = found.difference(&listed).collect();
    let unknown: Vec<&String> = listed.difference(&found).collect();
    assert!(unread.is_empty() && unknown.is_empty(), "no reader: {unread:?}\nno such key: {unknown:?}");
}

/// The expert of one task, taken over.
fn imported(fixture: &Fixture) -> Value {
    json!([{ "task": "a", "adapter": fixture.at("adapter") }])
}

/// A key, what it is set to, and what has to be set first (which is then part of both plans).
fn change(fixture: &Fixture, key: &str) -> Option<(Value, Vec<(&'static str, Value)>)> {
    let other = json!(fixture.at("other"));
    let plain = |value: Value| Some((value, vec![]));
    if let Some(rest) = key.split_once(".fields.").map(|(_, rest)| rest) {
        return plain(json!(format!("my-{rest}")));
    }
    match key {
        "backbone.checkpoint" => {
            let first = vec![("backbone", json!({ "checkpoint": fixture.at("model") }))];
            return Some((json!(fixture.at("model-2")), first));
        }
        "backbone.pretrain.tokenizer.file" => {
            return Some((
                json!(fixture.at("two.json")),
                vec![("backbone.pretrain.tokenizer", json!({ "file": fixture.at("one.json") }))],
            ));
        }
        "stream.template.file" => {
            return Some((
                json!(fixture.at("two.jinja")),
                vec![("stream.template", json!({ "file": fixture.at("one.jinja") }))],
            ));
        }
        "expert.import.adapter" => {
            return Some((json!(fixture.at("adapter-2")), vec![("expert.import", imported(fixture))]));
        }
        "expert.adapter.density" => {
            let sparse = json!({ "kind": "sparse-delta", "density": 0.25 });
            return Some((json!(0.5), vec![("expert.adapter", sparse)]));
        }
        "rehearsal.selector.count" => {
            return Some((json!(7), vec![("rehearsal.selector", json!({ "plugin": "random", "count": 6 }))]));
        }
        "expert.training.steps" | "backbone.pretrain.training.epochs" => {
            let table =
                if key.starts_with("expert") { "expert.training" } else { "backbone.pretrain.training" };
            let unit = if key.ends_with("steps") { "steps" } else { "epochs" };
            return Some((json!(9), vec![(table, json!({ unit: 3, "batch": 4 }))]));
        }
        "indicator.start-from.accept" | "indicator.start-from.reject" => {
            return Some((
                json!("other"),
                vec![("indicator.start-from", json!({ "accept": "a", "reject": "b" }))],
            ));
        }
        "indicator.loss-weight" => return plain(json!(4.0)),
        _ if key.starts_with("evaluation.validation.") => {
            let split = json!({ "count": 2, "every": 5, "keep": "best", "patience": 3 });
            let other = if key.ends_with("keep") { json!("last") } else { json!(4) };
            return Some((other, vec![("evaluation.validation", split)]));
        }
        _ => {}
    }
    if key.starts_with("evaluation.decoding.strategy.sample.") {
        return Some((
            json!(1.5),
            vec![(
                "evaluation.decoding.strategy",
                json!({ "sample": { "temperature": 2.0, "top-p": 0.5, "repetition-penalty": 1.25 } }),
            )],
        ));
    }
    // Only where something is drawn does a seed count: decoding by sampling, for one.
    if key == "seed" {
        let first = vec![
            ("stream.seed", Value::Null),
            ("evaluation.decoding.strategy", json!({ "sample": { "temperature": 2.0 } })),
        ];
        return Some((json!(2), first));
    }
    let last = key.rsplit('.').next().unwrap();
    plain(match (key, last) {
        ("name" | "reference" | "summary", _) => json!("changed"),
        (_, "path") => other,
        (_, "format") => json!("superni"),
        (_, "tasks") => json!(["c", "a"]),
        (_, "split") => json!(if key.starts_with("evaluation") { "train" } else { "test" }),
        (_, "limit" | "count") => json!(11),
        ("stream.limits.train" | "stream.limits.test", _) => json!(7),
        ("stream.template", _) => json!("alpaca"),
        ("stream.seed" | "backbone.pretrain.seed", _) => json!(99),
        (_, "backend") => json!("ndarray"),
        (_, "precision") => json!("bf16"),
        (_, "gradient-checkpointing") => json!(true),
        (_, "tied") => json!(false),
        (_, "rope-theta") => json!(5000.0),
        (_, "train-bpe") => json!(400),
        ("backbone.pretrain.loss", _) => json!("response"),
        (_, "schedule") => json!("constant"),
        (_, "learning-rate") => json!(0.5),
        (_, "gradient-clip" | "weight-decay" | "dropout" | "alpha" | "share") => json!(0.25),
        (_, "targets") => json!(["q"]),
        (_, "accept") => json!("<yes>"),
        (_, "reject") => json!("<no>"),
        ("expert.adapter.kind", _) => json!("dora"),
        ("expert.adapter.scaling", _) => json!("root-rank"),
        ("indicator.kind", _) => json!("text"),
        ("rehearsal.selector.plugin", _) => json!("kmeans"),
        ("rehearsal.role", _) => json!("positive"),
        (_, "negatives-keep-response") => json!(true),
        ("rehearsal.grant", _) => json!(["experts"]),
        ("routing.router.plugin", _) => json!("oracle"),
        ("routing.merge.plugin", _) => json!("two"),
        ("routing.grant", _) => json!(["task"]),
        ("rehearsal.selector.*" | "routing.router.*" | "routing.merge.*", _) => json!(0.75),
        ("evaluation.on", _) => json!("all"),
        ("evaluation.metrics", _) => json!(["exact-match"]),
        ("evaluation.metrics.*", _) => json!({ "default": ["rouge-l"], "a": ["exact-match"] }),
        ("evaluation.decoding.strategy", _) => json!({ "sample": { "temperature": 0.5 } }),
        // One value only, as yet: nothing to change it to. (See `of_one_value`.)
        ("backbone.pretrain.architecture.family" | "routing.fallback" | "routing.descriptors", _) => {
            return None;
        }
        _ => json!(17),
    })
}

/// Kinds of the stages whose works differ between two plans with the same stages.
fn changed(before: &Plan, after: &Plan) -> BTreeSet<StageKind> {
    let mut kinds = BTreeSet::new();
    assert_eq!(names(before), names(after));
    for (one, two) in before.stages.iter().zip(&after.stages) {
        let (mut a, mut b) = (one.work.key_value().unwrap(), two.work.key_value().unwrap());
        if one.kind == StageKind::Report {
            for value in [&mut a, &mut b] {
                // The report also lists what the run was made with.
                let fields = value["report"].as_object_mut().unwrap();
                for field in ["run", "provenance", "method"] {
                    fields.shift_remove(field);
                }
            }
        }
        if a != b {
            kinds.insert(one.kind);
        }
    }
    kinds
}

#[test]
fn every_key_changes_the_works_that_the_table_names_and_no_others() {
    let fixture = Fixture::new();
    for used in KEY_USES {
        let key = match used.key {
            "evaluation.metrics.*" => "evaluation.metrics".to_owned(),
            key => key.replace('*', "some-setting"),
        };
        if used.reader == KeyReader::Sweep || used.reader == KeyReader::Refused {
            continue;
        }
        let merges = used.key.starts_with("routing.merge");
        let mut recipe = if merges { fixture.merged() } else { fixture.recipe() };
        if let KeyReader::Plan = used.reader {
            let value = match used.key {
                "stream.order" => json!(["b", "a", "c"]),
                "expert.per" => json!("stream"),
                "expert.start" => json!("previous"),
                "expert.import.task" => json!("b"),
                "evaluation.when" => json!("end"),
                other => panic!("how does {other} change a plan?"),
            };
            if used.key.starts_with("expert.import") {
                set(&mut recipe, "expert.import", imported(&fixture));
            }
            let before = fixture.plan(&recipe);
            set(&mut recipe, &key, value);
            let after = fixture.plan(&recipe);
            let inputs =
                |plan: &Plan| plan.stages.iter().map(|stage| stage.inputs.clone()).collect::<Vec<_>>();
            assert!(names(&before) != names(&after) || inputs(&before) != inputs(&after), "{key}");
            continue;
        }
        let Some((value, first)) = change(&fixture, used.key) else { continue };
        for (place, value) in first {
            set(&mut recipe, place, value);
        }
        let before = fixture.plan(&recipe);
        set(&mut recipe, &key, value);
        let after = fixture.plan(&recipe);
        let found = changed(&before, &after);
        match used.reader {
            KeyReader::Stages(kinds) => {
                assert_eq!(found, kinds.iter().copied().collect::<BTreeSet<_>>(), "{key}");
                assert_ne!(before.run_key, after.run_key, "{key}");
            }
            KeyReader::Pace => {
                assert_eq!(
                    before.run_key, after.run_key,
                    "{key} changes no result, so that it may change no key"
                );
                assert!(found.is_empty(), "{key}: {found:?}");
            }
            KeyReader::Plan | KeyReader::Sweep | KeyReader::Refused => {}
        }
    }
}

/// Keys that take one value only are in the works all the same, ready for a second.
#[test]
fn keys_of_one_value_are_in_the_works() {
    let fixture = Fixture::new();
    let plan = fixture.plan(&fixture.recipe());
    let text = |name: &str| crate::fixture::stage(&plan, name).work.key_value().unwrap().to_string();
    assert!(text("backbone").contains(r#""family":"llama""#));
    assert!(text("train/a").contains(r#""kind":"lora""#));
    assert!(text("evaluate/a").contains(r#""fallback":"backbone""#));
    assert!(text("out-of-distribution").contains(r#""fallback":"backbone""#));
    assert!(text("describe/a").contains(r#""descriptors":["prompt-centroid"]"#));
}

#[test]
fn one_card_of_several_is_no_other_result() {
    let fixture = Fixture::new();
    let mut recipe = fixture.recipe();
    set(&mut recipe, "device.backend", json!("cuda"));
    let one = fixture.plan(&recipe);
    set(&mut recipe, "device.backend", json!("cuda:3"));
    let other = fixture.plan(&recipe);
    assert_eq!(one.run_key, other.run_key);
    let keys = |plan: &Plan| plan.stages.iter().map(|stage| stage.key).collect::<Vec<_>>();
    assert_eq!(keys(&one), keys(&other));
    let left =
        without_pace(json!({ "device": { "backend": "cuda:1", "threads": 3 }, "sweep": {}, "name": "x" }));
    assert_eq!(left, json!({ "device": { "backend": "cuda" }, "name": "x" }));
}
