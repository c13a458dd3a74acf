//! Errors are reported with their location, and nothing runs: exit code 2 for the recipe and the command line, 1 for
//! data that turns out to be broken.

use cadre_tests::{Workbench, contract, repository};

fn smoke() -> String {
    repository().join("recipes/smoke/see-tiny.toml").display().to_string()
}

/// A recipe that inherits the smoke recipe and adds an error; planning it must fail and leave no files.
fn refused(text: &str, messages: &[&str]) {
    let bench = Workbench::new();
    refused_in(&bench, text, messages, &["cadre", "cadre-plan"]);
}

/// The same in a folder that already contains files, with the programs that can detect the error.
fn refused_in(bench: &Workbench, text: &str, messages: &[&str], programs: &[&str]) {
    let inherit =
        if text.contains("inherit = ") { String::new() } else { format!("inherit = [\"{}\"]\n", smoke()) };
    bench.write("wrong.toml", &format!("name = \"wrong\"\n{inherit}{text}"));
    let mut expected = vec!["wrong.toml", "nothing was run, nothing was written"];
    expected.extend(messages);
    for program in programs {
        let command = if *program == "cadre" { "run" } else { "plan" };
        let output = bench.command(program, &[command, "wrong.toml"]).output().unwrap();
        cadre_tests::Outcome::of(&output).expect_code(2).expect_told(&expected);
    }
    for folder in ["runs", "store"] {
        assert!(!bench.path().join(folder).exists(), "a refused recipe leaves no {folder}");
    }
}

/// The fragments of the smoke recipes, without SEE's own sections.
fn fragments() -> String {
    let base = repository().join("recipes/base");
    let names = ["smoke-stream.toml", "smoke-expert.toml"].map(|name| format!("{:?}", base.join(name)));
    format!("inherit = [{}]\n", names.join(", "))
}

/// An error that only the program that runs policies can detect.
fn refused_in_dry_run(text: &str, messages: &[&str]) {
    refused_in(&Workbench::new(), text, messages, &["cadre"]);
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    refused("[expert.adapter]\nrnak = 4\n", &["rnak", "did you mean `rank`?", "wrong.toml:4"]);
}

#[test]
fn an_unknown_section_gets_a_suggestion() {
    refused("[rehersal]\nrole = \"negative\"\n", &["rehersal", "did you mean `rehearsal`?"]);
}

#[test]
fn a_wrong_type_says_what_was_expected() {
    refused(
        "[expert.training]\nbatch = \"many\"\n",
        &["`expert.training.batch` is", "many", "expected a whole number from 1 to"],
    );
}

#[test]
fn a_number_out_of_range_reports_the_range() {
    refused(
        "[routing]\nrouter = { plugin = \"see\", threshold = 0.5 }\nmax-rounds = 0\n",
        &["`routing.max-rounds` is out of range: 0", "expected", "10000"],
    );
}

#[test]
fn a_task_that_the_stream_lacks_is_named() {
    refused("[stream]\norder = [\"polarity\", \"sorrt\"]\n", &["sorrt", "did you mean `sort`?"]);
}

#[test]
fn an_unknown_policy_lists_the_known_ones() {
    refused(
        "[routing]\nrouter = { plugin = \"sea\" }\n",
        &["sea", "did you mean `see`?", "oracle", "nearest"],
    );
}

#[test]
fn a_policy_of_another_contract_version_reports_both_versions() {
    let bench = Workbench::new();
    let shipped = std::fs::read(repository().join("plugins/see/see.wasm")).unwrap();
    let spoken = contract();
    let (ours, other) = (format!("router@{spoken}"), format!("router@9{}", &spoken[1..]));
    let mut bytes = shipped.clone();
    for index in 0..bytes.len() - ours.len() {
        if bytes[index..].starts_with(ours.as_bytes()) {
            bytes[index..index + other.len()].copy_from_slice(other.as_bytes());
        }
    }
    assert_ne!(bytes, shipped);
    bench.write("plugins/later.wasm", "");
    std::fs::write(bench.path().join("plugins/later.wasm"), bytes).unwrap();
    let text = "[routing]\nrouter = { plugin = \"later\" }\n";
    refused_in(&bench, text, &["`later` implements contract 9", "supports 0"], &["cadre", "cadre-plan"]);
}

#[test]
fn a_file_that_is_not_a_policy_is_reported() {
    let bench = Workbench::new();
    bench.write("plugins/broken.wasm", "not a component");
    let text = "[routing]\nrouter = { plugin = \"broken\" }\n";
    refused_in(&bench, text, &["broken.wasm", "is not a policy"], &["cadre", "cadre-plan"]);
}

#[test]
fn a_router_that_probes_claims_needs_experts_with_indicators() {
    for settings in
        ["", ", threshold = 0.5", ", order = \"oldest-first\"", ", score = \"raw\", max-probes = 1"]
    {
        let text = format!(
            "{}[expert]\nper = \"task\"\n[routing]\nrouter = {{ plugin = \"see\"{settings} }}\n",
            fragments()
        );
        refused_in_dry_run(&text, &["`see` asks the experts for their claims", "add `[indicator]`"]);
    }
}

#[test]
fn a_router_that_probes_the_true_task_needs_a_grant() {
    let text =
        format!("{}[expert]\nper = \"task\"\n[routing]\nrouter = {{ plugin = \"oracle\" }}\n", fragments());
    refused_in_dry_run(&text, &["`oracle` asks for the true task", "grant = [\"task\"]"]);
}

#[test]
fn a_router_that_needs_descriptors_names_them() {
    let text =
        format!("{}[expert]\nper = \"task\"\n[routing]\nrouter = {{ plugin = \"nearest\" }}\n", fragments());
    refused_in_dry_run(&text, &["`nearest` refuses to be opened", "descriptors = [\"prompt-centroid\"]"]);
}

#[test]
fn settings_that_a_policy_refuses_are_reported_before_anything_runs() {
    refused_in_dry_run(
        "[routing]\nrouter = { plugin = \"see\", treshold = 0.5 }\n",
        &["`see` has no setting `treshold`", "did you mean `threshold`?", "max-probes"],
    );
    refused_in_dry_run(
        "[routing]\nrouter = { plugin = \"see\", threshold = 1.5 }\n",
        &["`see` refuses `threshold`", "0..=1", "wrong.toml:4:"],
    );
    refused_in_dry_run(
        "[routing]\nrouter = { plugin = \"see\", threshold = 0.5, order = 3 }\n",
        &["`see` refuses `order`", "wrong.toml:4:"],
    );
    refused_in_dry_run(
        "[rehearsal]\nselector = { plugin = \"random\", share = 0.5, shuffel = true }\n",
        &["`random`", "shuffel"],
    );
}

#[test]
fn an_indicator_that_the_tokenizer_splits_is_reported() {
    // The tokenizer that the run would train is checked too.
    refused_in_dry_run(
        "[indicator]\naccept = \"<accept>\"\nkind = \"existing-token\"\n",
        &["indicator `<accept>` is not one token", "kind = \"text\""],
    );
    let bench = Workbench::new();
    bench.write("tokenizer.json", TOKENIZER);
    bench.write("tokenizer_config.json", r#"{"eos_token": "<eos>"}"#);
    let text = "[backbone.pretrain]\ntokenizer = { file = \"tokenizer.json\" }\n[indicator]\naccept = \"<accept>\"\nkind = \"existing-token\"\n";
    refused_in(&bench, text, &["indicator `<accept>` is not one token"], &["cadre", "cadre-plan"]);
}

/// A byte-level tokenizer with a few characters.
const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [
  {"id": 0, "content": "<eos>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
  "fuse_unk": false, "byte_fallback": false, "vocab": {"<eos>": 0, "<": 1, ">": 2, "a": 3, "c": 4, "e": 5, "j": 6, "p": 7, "r": 8, "t": 9},
  "merges": []}}"#;

#[test]
fn contradictory_sections_are_reported_with_the_reason() {
    // Reported at one setting, with the location of the other.
    refused(
        "[expert]\nper = \"stream\"\n",
        &[
            "`[routing]` contradicts `expert.per = \"stream\"`",
            "there is one adapter, and it answers everything",
            "see-tiny.toml:17",
            "`expert.per` is set by wrong.toml:4",
            "3 errors",
        ],
    );
}

#[test]
fn a_sweep_over_an_unknown_key_is_reported() {
    refused(
        "[sweep]\ngrid = { \"expert.adapter.rnak\" = [1, 2] }\n",
        &["`expert.adapter.rnak` is not a key that a sweep can set", "did you mean `expert.adapter.rank`?"],
    );
}

#[test]
fn several_errors_are_reported_together() {
    refused(
        "[expert.adapter]\nrnak = 4\n[expert.training]\nbatch = \"many\"\n[streem]\nformat = \"synthetic\"\n",
        &["rnak", "many", "streem"],
    );
}

#[test]
fn an_invalid_set_option_names_its_layer() {
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
fn a_missing_recipe_is_reported() {
    let bench = Workbench::new();
    bench.cadre(&["run", "nowhere.toml"]).expect_code(2).expect_told(&["nowhere.toml"]);
}

#[test]
fn a_broken_row_of_a_dataset_is_reported_with_file_and_line() {
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
    bench.cadre(&["run", "broken.toml"]).expect_code(2).expect_told(&[
        "two/train.jsonl",
        ":9",
        "broken.toml:5",
    ]);
    assert!(!bench.path().join("runs").exists(), "nothing must run");
}

#[test]
fn an_unknown_metric_is_reported_before_anything_runs() {
    refused(
        "[evaluation]\nmetrics = [\"exact-match\", \"rouge-1\"]\n",
        &["there is no metric `rouge-1`", "did you mean `rouge-l`?", "`token-f1`", "wrong.toml:4"],
    );
}

#[test]
fn an_unsuitable_adapter_is_reported_before_a_backbone_is_pretrained() {
    let bench = Workbench::new();
    bench.write("peft/adapter_model.safetensors", "\u{2}\0\0\0\0\0\0\0{}");
    let config = |more: &str| {
        let text = format!("{{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, {more}}}");
        bench.write("peft/adapter_config.json", &text);
    };
    let recipe =
        "[expert]\nimport = [{ task = \"reverse\", adapter = \"peft\" }]\n[stream]\norder = [\"reverse\"]\n";
    for (more, message) in [
        ("\"target_modules\": [\"c_attn\"]", "[c_attn] means no module of this backbone"),
        ("\"target_modules\": [\"q_proj\"], \"use_qalora\": true", "`use_qalora` = true is not supported"),
        ("\"target_modules\": [\"q_proj\"], \"of_next_year\": 2", "the key `of_next_year` = 2 is not known"),
        ("\"target_modules\": [\"q_proj\"]", "no update of `model.layers.0.self_attn.q_proj`"),
    ] {
        config(more);
        refused_in(&bench, recipe, &["wrong.toml:4", message], &["cadre"]);
    }
}

#[test]
fn truncation_and_endless_warm_ups_are_reported_at_planning() {
    let bench = Workbench::new();
    for task in ["one", "two"] {
        for split in ["train", "test"] {
            let row = |number: usize| {
                let words = if number < 3 { "word ".repeat(200) } else { "word".to_owned() };
                format!(
                    "{{\"instruction\": \"say {task}\", \"input\": \"{words}\", \"output\": \"{words}\"}}\n"
                )
            };
            let rows: String = (0..8).map(row).collect();
            bench.write(&format!("tasks/{task}/{split}.jsonl"), &rows);
        }
    }
    let recipe = format!(
        "name = \"long\"\ninherit = [\"{}\"]\n[stream]\nformat = \"jsonl\"\npath = \"tasks\"\norder = [\"one\", \"two\"]\n\
         [expert.training]\nwarmup = 40\nmax-prompt = 60\nmax-response = 20\n",
        smoke()
    );
    bench.write("long.toml", &recipe);
    bench.cadre(&["plan", "long.toml"]).expect_code(0).expect_told(&[
        "warning",
        "`one`: 3 of 8 (the longest has ",
        "training prompts have more tokens than `max-prompt` = 60",
        "long.toml:9",
        "training responses have more tokens than `max-response` = 20",
        "long.toml:10",
        "`warmup` = 40 is no shorter than the training: `train/one`: 4 steps of 16 rows",
        "long.toml:8",
    ]);
    // Four steps are measured twice: no measurement is left after which training could stop early.
    let validated = |split: &str| format!("{recipe}[evaluation]\nvalidation = {{ count = 2, {split} }}\n");
    bench.write("validated.toml", &validated("every = 2, patience = 1"));
    bench.cadre(&["plan", "validated.toml"]).expect_code(0).expect_told(&[
        "`patience` = 1 can never stop a training early with so few measurements: `train/one`: 4 steps of",
        "validated.toml:12",
    ]);
    bench.write("validated.toml", &validated("every = 4"));
    let told = ["`every` = 4: the held-out loss is measured only after the last step: `train/one`: 4 steps"];
    bench.cadre(&["plan", "validated.toml"]).expect_code(0).expect_told(&told);
    bench.write("long.toml", &recipe.replace("max-prompt = 60", "max-prompt = 126"));
    bench.cadre(&["plan", "long.toml", "--set", "evaluation.decoding.max-new-tokens=200"]).expect_code(2);
}

#[test]
fn a_setting_of_another_type_is_explained_without_rust() {
    let router = "[routing]\nrouter = { plugin = \"see\", threshold = \"0,5\" }\n";
    refused_in_dry_run(router, &["`see` takes a number for `threshold`, not \"0,5\"", "did you mean `0.5`?"]);
}

#[test]
fn what_an_inherited_section_lacks_belongs_into_the_recipe() {
    let base = repository().join("recipes/base/real-model.toml");
    let bench = Workbench::new();
    bench.write("mine.toml", &format!("name = \"mine\"\ninherit = [{base:?}]\n"));
    let outcome = bench.cadre(&["plan", "mine.toml"]).expect_code(2);
    outcome.expect_told(&[
        "`format` in `[stream]` is missing\n --> mine.toml",
        "`[stream]` is inherited from ",
        "add what is missing to mine.toml",
        "section `[backbone]` is missing",
    ]);
}

#[test]
fn a_run_has_no_dry_run_and_its_error_names_the_plan() {
    let bench = Workbench::new();
    bench.cadre(&["run", &smoke(), "--dry-run"]).expect_code(2).expect_told(&["`cadre plan RECIPE`"]);
}

#[test]
fn a_missing_dataset_is_reported_before_anything_runs() {
    refused("[stream]\nformat = \"jsonl\"\npath = \"nowhere\"\norder = [\"a\"]\n", &["nowhere"]);
}

#[test]
fn a_missing_backend_reports_the_command_that_builds_it() {
    let bench = Workbench::new();
    bench
        .cadre(&["run", &smoke(), "--set", "device.backend=cuda"])
        .expect_code(2)
        .expect_told(&["this build has no backend `cuda`", "--features cadre-engine/cuda"]);
}

#[test]
fn the_command_line_has_its_own_exit_code() {
    let bench = Workbench::new();
    bench.cadre(&["rum"]).expect_code(2).expect_told(&["run"]);
}
