//! Errors that require reading data, each with its location.

use std::fs;

use cadre_recipe::{EnvSource, Recipe, RecipeError};

use crate::check::check;
use crate::fixture::Fixture;

const RECIPE: &str = r#"name = "checked"
[backbone.pretrain]
architecture = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, feed-forward = 64, context = 64 }
tokenizer = { train-bpe = 300 }
corpus = [{ format = "jsonl", path = "data", tasks = ["a"] }]
training = { steps = 10, max-prompt = 32, max-response = 16 }
[stream]
format = "jsonl"
path = "data"
order = ["a", "b", "c"]
[evaluation]
out-of-distribution = { format = "jsonl", path = "data", tasks = ["a"], split = "test" }
"#;

/// The mistakes of the recipe with `from` replaced by `to`.
fn mistakes(fixture: &Fixture, from: &str, to: &str) -> Vec<RecipeError> {
    assert!(RECIPE.contains(from), "{from}");
    let path = fixture.at("checked.toml");
    fs::write(&path, RECIPE.replacen(from, to, 1)).unwrap();
    let loaded = Recipe::load(&path, &[], &EnvSource::empty()).unwrap_or_else(|problem| panic!("{problem}"));
    let checked = check(&loaded, &fixture.catalog(), &fixture.hub());
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    checked.mistakes
}

fn one(fixture: &Fixture, from: &str, to: &str) -> RecipeError {
    let mut found = mistakes(fixture, from, to);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_task_in_place_of_an_order_is_explained() {
    let fixture = Fixture::new();
    let mistake = one(&fixture, r#"["a", "b", "c"]"#, r#""a""#);
    assert_eq!(mistake.key, "stream.order");
    let hint = mistake.suggestion.as_deref().unwrap();
    assert_eq!(hint, "`a` is a task; tasks are given as a list: `order = [\"a\"]`");
    fixture.write_task("data", "translation", "row");
    let mistake = one(&fixture, r#"["a", "b", "c"]"#, r#""translate""#);
    let hint = mistake.suggestion.as_deref().unwrap();
    assert!(hint.contains("`translation`") && hint.ends_with("`order = [\"translation\"]`"), "{hint}");
}

#[test]
fn wrong_variables_are_named() {
    let fixture = Fixture::new();
    let path = fixture.at("checked.toml");
    fs::write(&path, RECIPE.replacen("path = \"data\"\norder", "path = \"$CADRE_DATA/x\"\norder", 1))
        .unwrap();
    let env = EnvSource::empty().with("CADRE_DATA", "/nope").with("CADRE_PLUGINS", "/neither:/nor");
    let loaded = Recipe::load(&path, &[], &env).unwrap_or_else(|problem| panic!("{problem}"));
    let checked = check(&loaded, &fixture.catalog(), &fixture.hub());
    let hint = checked.mistakes[0].suggestion.as_deref().unwrap();
    assert_eq!(hint, "`$CADRE_DATA` is /nope, and there is no such folder");
    assert_eq!(
        checked.warnings[0].message(),
        "`$CADRE_PLUGINS` names folders that do not exist: /neither, /nor"
    );
}

#[test]
fn a_folder_without_a_checkpoint_is_one_error() {
    let fixture = Fixture::new();
    let from = RECIPE.find("[backbone.pretrain]").unwrap();
    let to = RECIPE.find("[stream]").unwrap();
    let mistake = one(&fixture, &RECIPE[from..to], "[backbone]\ncheckpoint = \"data\"\n");
    let message = mistake.message();
    assert!(
        message.ends_with("data holds no checkpoint: it has neither config.json nor tokenizer.json"),
        "{message}"
    );
}

#[test]
fn a_list_per_expert_has_one_number_per_task() {
    let fixture = Fixture::new();
    let merged = |factor: &str| {
        let expert = "[expert]\ntraining = { steps = 10, max-prompt = 32, max-response = 16 }";
        format!(
            "{expert}\n[routing]\nmerge = {{ plugin = \"one\", factor = {factor} }}\n[evaluation]\ndecoding = {{ max-new-tokens = 8 }}\n"
        )
    };
    let mistake = one(&fixture, "[evaluation]\n", &merged("[1.0, 2.0]"));
    assert_eq!((mistake.key.as_str(), mistake.line), ("routing.merge.factor", 14));
    assert_eq!(mistake.message(), "it has 2 numbers, but the stream has 3 tasks");
    assert!(mistakes(&fixture, "[evaluation]\n", &merged("[1.0, 2.0, 3.0]")).is_empty());
}

#[test]
fn a_sound_recipe_has_none() {
    let fixture = Fixture::new();
    assert!(mistakes(&fixture, "a", "a").is_empty());
}

#[test]
fn a_task_that_is_not_there_is_placed_and_the_nearest_named() {
    let fixture = Fixture::new();
    fixture.write_task("data", "sentiment", "row");
    let mistake = one(&fixture, r#"["a", "b", "c"]"#, r#"["a", "sentimnet"]"#);
    assert_eq!(mistake.key, "stream.order[1]");
    assert_eq!(mistake.line, 10);
    assert!(mistake.suggestion.as_deref().unwrap().contains("sentiment"), "{mistake}");
    assert!(mistake.message().contains("sentimnet"));
    let mistake = one(&fixture, r#"["a", "b", "c"]"#, r#""O1""#);
    assert_eq!(mistake.key, "stream.order");
    let mistake = one(&fixture, r#"["a"], split"#, r#"["a", "d"], split"#);
    assert_eq!(mistake.key, "evaluation.out-of-distribution.tasks");
    let mistake = one(
        &fixture,
        "out-of-distribution",
        "metrics = { default = [\"rouge-l\"], d = [\"rouge-l\"] }\nout-of-distribution",
    );
    assert_eq!(mistake.key, "evaluation.metrics.d");
}

#[test]
fn a_metric_that_is_none_is_placed_and_the_nearest_named() {
    let fixture = Fixture::new();
    let with = |metrics: &str| {
        one(&fixture, "out-of-distribution", &format!("metrics = {metrics}\nout-of-distribution"))
    };
    let mistake = with("[\"exact-match\", \"rouge-1\"]");
    assert_eq!((mistake.key.as_str(), mistake.line), ("evaluation.metrics[1]", 12));
    assert!(mistake.message().contains("`rouge-1`"), "{mistake}");
    assert!(mistake.suggestion.as_deref().unwrap().contains("rouge-l"), "{mistake}");
    assert!(mistake.expected.as_deref().unwrap().contains("token-f1"), "{mistake}");
    assert_eq!(with("{ default = [\"bleu\"] }").key, "evaluation.metrics.default[0]");
    assert_eq!(with("{ a = [\"bleu\"] }").key, "evaluation.metrics.a[0]");
}

#[test]
fn a_head_that_is_called_tied_and_is_not_is_a_warning_at_the_checkpoint() {
    let fixture = Fixture::new();
    let file = fixture.at("model/model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut head: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let end = bytes.len() - 8 - length;
    let size = 4 * 12 * 8;
    head["lm_head.weight"] =
        serde_json::json!({ "dtype": "F32", "shape": [12, 8], "data_offsets": [end, end + size] });
    let head = head.to_string();
    let mut changed = (head.len() as u64).to_le_bytes().to_vec();
    changed.extend(head.as_bytes());
    changed.extend(&bytes[8 + length..]);
    changed.extend(std::iter::repeat_n(1, size));
    fs::write(&file, changed).unwrap();
    let path = fixture.at("checked.toml");
    let start = RECIPE.find("[backbone.pretrain]").unwrap();
    let end = RECIPE.find("[stream]").unwrap();
    fs::write(&path, RECIPE.replace(&RECIPE[start..end], "[backbone]\ncheckpoint = \"model\"\n")).unwrap();
    let loaded = Recipe::load(&path, &[], &EnvSource::empty()).unwrap();
    let checked = check(&loaded, &fixture.catalog(), &fixture.hub());
    assert!(checked.mistakes.is_empty(), "{:?}", checked.mistakes);
    assert_eq!((checked.warnings[0].key.as_str(), checked.warnings[0].line), ("backbone.checkpoint", 3));
    assert!(checked.warnings[0].message().contains("lm_head.weight"), "{}", checked.warnings[0]);
}

#[test]
fn number_types_that_are_not_read_are_mistakes_of_the_recipe() {
    let fixture = Fixture::new();
    let file = fixture.at("model/model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let at = bytes.windows(3).position(|window| window == b"F32").unwrap();
    let mut changed = bytes.clone();
    changed[at..at + 3].copy_from_slice(b"I32");
    fs::write(&file, changed).unwrap();
    let found = with_checkpoint(&fixture, "model");
    assert_eq!(found[0].key, "backbone.checkpoint");
    assert!(
        found[0].message().contains("model.safetensors") && found[0].message().contains("I32"),
        "{}",
        found[0]
    );
}

#[test]
fn a_folder_that_is_not_there_is_placed() {
    let fixture = Fixture::new();
    let mistake = one(&fixture, "path = \"data\"\norder", "path = \"dota\"\norder");
    assert_eq!((mistake.key.as_str(), mistake.line), ("stream.path", 9));
    assert!(mistake.message().contains("dota"), "{mistake}");
    let mistake = one(&fixture, r#"path = "data", tasks = ["a"] }"#, r#"path = "dota", tasks = ["a"] }"#);
    assert_eq!(mistake.key, "backbone.pretrain.corpus[0].path");
    fs::remove_file(fixture.at("data/b/test.jsonl")).unwrap();
    assert!(one(&fixture, "a", "a").message().contains("test.jsonl"));
}

#[test]
fn an_unknown_format_names_those_there_are() {
    let fixture = Fixture::new();
    let mistake = one(&fixture, "format = \"jsonl\"\npath", "format = \"jsnl\"\npath");
    assert_eq!(mistake.key, "stream.format");
    assert!(mistake.suggestion.as_deref().unwrap().contains("jsonl"), "{mistake}");
    assert!(mistake.expected.as_deref().unwrap().contains("superni"), "{mistake}");
}

#[test]
fn several_mistakes_come_together() {
    let fixture = Fixture::new();
    let both = mistakes(
        &fixture,
        "format = \"jsonl\"\npath = \"data\"\norder",
        "format = \"jsnl\"\ntemplate = { file = \"gone.jinja\" }\npath = \"data\"\norder",
    );
    let keys: Vec<&str> = both.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["stream.format", "stream.template.file"]);
}

fn with_checkpoint(fixture: &Fixture, folder: &str) -> Vec<RecipeError> {
    let start = RECIPE.find("[backbone.pretrain]").unwrap();
    let end = RECIPE.find("[stream]").unwrap();
    mistakes(fixture, &RECIPE[start..end], &format!("[backbone]\ncheckpoint = \"{folder}\"\n"))
}

#[test]
fn a_checkpoint_without_its_files_is_told_of() {
    let fixture = Fixture::new();
    assert!(with_checkpoint(&fixture, "model").is_empty());
    let gone = with_checkpoint(&fixture, "nowhere");
    assert!(gone[0].message().contains("there is no folder"), "{}", gone[0]);
    assert_eq!(gone[0].key, "backbone.checkpoint");
    fs::remove_file(fixture.at("model/config.json")).unwrap();
    fs::remove_file(fixture.at("model/tokenizer.json")).unwrap();
    let one = with_checkpoint(&fixture, "model");
    let message = one[0].message();
    assert!(message.contains("neither config.json nor tokenizer.json") && one.len() == 1, "{one:?}");
    fs::remove_file(fixture.at("model-2/model.safetensors")).unwrap();
    let one = with_checkpoint(&fixture, "model-2");
    assert!(one[0].message().contains("model.safetensors"), "{one:?}");
    fixture.write("model-2/config.json", b"{");
    let one = with_checkpoint(&fixture, "model-2");
    assert!(one[0].message().contains("config.json: EOF"), "{one:?}");
}

#[test]
fn a_tokenizer_that_cannot_be_used_is_found_whoever_wants_it() {
    let fixture = Fixture::new();
    let whole = fs::read(fixture.at("model/tokenizer.json")).unwrap();
    for (damaged, part) in [(&b"{}"[..], "tokenizer.json"), (&whole[..whole.len() / 2], "tokenizer.json")] {
        fixture.write("model/tokenizer.json", damaged);
        let mistakes = with_checkpoint(&fixture, "model");
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert_eq!(mistakes[0].key, "backbone.checkpoint");
        assert!(mistakes[0].message().contains(part), "{}", mistakes[0]);
        let path = fixture.at("model/tokenizer.json");
        let to = format!("tokenizer = {{ file = {path:?} }}");
        assert_eq!(
            one(&fixture, "tokenizer = { train-bpe = 300 }", &to).key,
            "backbone.pretrain.tokenizer.file"
        );
    }
    // A file that was repaired is read again.
    fixture.write("model/tokenizer.json", &whole);
    assert!(with_checkpoint(&fixture, "model").is_empty());
    fixture.write("model/tokenizer_config.json", b"{\"eos_token\": \"</s>\"}");
    assert!(with_checkpoint(&fixture, "model")[0].message().contains("eos_token is `</s>`"));
}

#[test]
fn a_chat_template_that_cannot_render_is_a_mistake_of_the_plan() {
    let fixture = Fixture::new();
    let start = RECIPE.find("[backbone.pretrain]").unwrap();
    let end = RECIPE.find("[stream]\n").unwrap() + "[stream]\n".len();
    let to = "[backbone]\ncheckpoint = \"model\"\n[stream]\ntemplate = \"chat\"\n";
    for (template, part) in [
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{{ messages[0].content }}",
            "more than 5000000 steps",
        ),
        ("{{ strftime_now('%d %b %Y') }}{{ messages[0].content }}", "strftime_now"),
        ("{{ messages[0].content * 10 ** 9 }}", "more than 8388608 bytes"),
        (" \n", "it is empty"),
        ("{% if not messages %}x{% endif %}", "it is empty"),
        ("{{ messages[0].nothing.more }}", "undefined value"),
    ] {
        fixture.write("model/chat_template.jinja", template.as_bytes());
        let mistake = one(&fixture, &RECIPE[start..end], to);
        assert_eq!(mistake.key, "stream.template");
        assert!(mistake.message().contains(part), "{template}: {mistake}");
    }
    fixture.write("model/chat_template.jinja", b"{% for m in messages %}\r\n{{ m.content }}\r\n{% endfor %}");
    assert!(mistakes(&fixture, &RECIPE[start..end], to).is_empty());
}

#[test]
fn a_setting_of_a_tokenizer_that_is_not_followed_is_a_warning() {
    let fixture = Fixture::new();
    let config = fixture.at("model/tokenizer_config.json");
    let mut settings: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    settings["add_bos_token"] = false.into();
    fs::write(&config, settings.to_string()).unwrap();
    let start = RECIPE.find("[backbone.pretrain]").unwrap();
    let end = RECIPE.find("[stream]\n").unwrap() + "[stream]\n".len();
    let path = fixture.at("checked.toml");
    let recipe = RECIPE.replacen(&RECIPE[start..end], "[backbone]\ncheckpoint = \"model\"\n[stream]\n", 1);
    fs::write(&path, recipe).unwrap();
    let loaded = Recipe::load(&path, &[], &EnvSource::empty()).unwrap_or_else(|problem| panic!("{problem}"));
    let checked = check(&loaded, &fixture.catalog(), &fixture.hub());
    assert!(checked.mistakes.is_empty(), "{checked:?}");
    let [warning] = checked.warnings.as_slice() else { panic!("{checked:?}") };
    assert_eq!(warning.key, "backbone.checkpoint");
    assert!(warning.message().contains("`add_bos_token: false`"), "{warning}");
}

#[test]
fn a_name_on_the_hub_that_is_nowhere_is_placed_and_told_once() {
    let fixture = Fixture::new();
    let mistake = one(&fixture, "path = \"data\"\norder", "path = \"hf://datasets/org/name\"\norder");
    assert_eq!((mistake.key.as_str(), mistake.line), ("stream.path", 9));
    let message = mistake.message();
    assert!(message.contains("hf://datasets/org/name: not whole in the cache ("), "{message}");
    assert!(message.contains("HF_HUB_OFFLINE is set"), "{message}");
    let mistake =
        one(&fixture, r#"path = "data", tasks = ["a"] }"#, r#"path = "hf://org/name", tasks = ["a"] }"#);
    assert_eq!(mistake.key, "backbone.pretrain.corpus[0].path");
    assert!(mistake.message().contains("this is a model, here is a data set needed"), "{mistake}");
    let mistake = one(&fixture, "{ train-bpe = 300 }", r#"{ file = "hf://org/name" }"#);
    assert_eq!(mistake.key, "backbone.pretrain.tokenizer.file");
}

#[test]
fn a_data_set_in_the_hubs_cache_is_looked_into() {
    let fixture = Fixture::new();
    let commit = "0123456789abcdef";
    fixture.write("hub/datasets--org--name/refs/main", commit.as_bytes());
    for task in ["a", "b", "c"] {
        fixture.write_task(&format!("hub/datasets--org--name/snapshots/{commit}/all"), task, "row");
    }
    let to = "path = \"hf://datasets/org/name/all\"\norder";
    assert!(mistakes(&fixture, "path = \"data\"\norder", to).is_empty());
    let mistake = one(&fixture, "path = \"data\"\norder = [\"a\"", &to.replace("order", "order = [\"z\""));
    assert_eq!(mistake.key, "stream.order[0]");
}

#[test]
fn conversations_need_a_template_that_shows_them() {
    let fixture = Fixture::new();
    let turn = |role: &str| format!(r#"{{"role": "{role}", "content": "x"}}"#);
    let row = |roles: &[&str]| {
        let turns: Vec<String> = roles.iter().map(|role| turn(role)).collect();
        format!("{{\"messages\": [{}]}}\n", turns.join(", "))
    };
    let write = |text: &str| {
        for (task, split) in
            [("a", "train"), ("a", "test"), ("b", "train"), ("b", "test"), ("c", "train"), ("c", "test")]
        {
            fixture.write(&format!("chats/{task}/{split}.jsonl"), text.as_bytes());
        }
    };
    let from = "format = \"jsonl\"\npath = \"data\"\norder";
    let chat = |template: &str| format!("template = {template}\nformat = \"chat\"\npath = \"chats\"\norder");
    write(&row(&["user", "assistant"]));
    assert!(mistakes(&fixture, from, &chat("\"plain\"")).is_empty(), "one message is no conversation");
    write(&row(&["system", "user", "assistant"]));
    fixture.write(
        "turns.jinja",
        b"{% for turn in turns %}{{ turn.content }} {% endfor %}{{ instruction }}{{ input }}",
    );
    for template in ["\"plain\"", "\"alpaca\"", "{ file = \"one.jinja\" }"] {
        let mistake = one(&fixture, from, &chat(template));
        assert_eq!(mistake.key, "stream.template");
        assert!(mistake.message().contains("use template = \"chat\""), "{mistake}");
    }
    assert!(mistakes(&fixture, from, &chat("{ file = \"turns.jinja\" }")).is_empty());
}

#[test]
fn a_row_that_cannot_be_read_is_a_mistake_of_the_recipe() {
    let fixture = Fixture::new();
    let rows =
        "{\"instruction\": \"Do.\", \"output\": \"a\"}\n\n{\"instruction\": \"Do.\", \"output\": NaN}\n";
    for (split, key) in [("train", "stream.path"), ("test", "stream.path")] {
        fixture.write_task("data", "b", "row");
        fixture.write(&format!("data/b/{split}.jsonl"), rows.as_bytes());
        let mistake = one(&fixture, "a", "a");
        assert_eq!((mistake.key.as_str(), mistake.line), (key, 9));
        let place =
            format!("data/b/{split}.jsonl:3: expected text or a list of texts in field `output`, not NaN");
        assert!(mistake.message().contains(&place), "{mistake}");
    }
    fixture.write_task("data", "b", "row");
    assert!(mistakes(&fixture, "a", "a").is_empty());
    // A source beside the stream.
    fixture.write("odd/x/test.jsonl", b"{\"instruction\": \"Do.\"}");
    let mistake = one(
        &fixture,
        r#"format = "jsonl", path = "data", tasks = ["a"], split"#,
        r#"format = "jsonl", path = "odd", tasks = ["x"], split"#,
    );
    assert_eq!(mistake.key, "evaluation.out-of-distribution.path");
    assert!(mistake.message().contains("odd/x/test.jsonl:1: expected field `output`"), "{mistake}");
}

#[test]
fn what_is_not_read_is_told_once() {
    let fixture = Fixture::new();
    let row = "{\"instruction\": \"Do.\", \"output\": \"a\", \"system\": \"Be short.\"}\n";
    fixture.write("data/a/train.jsonl", row.repeat(3).as_bytes());
    let path = fixture.at("checked.toml");
    fs::write(&path, RECIPE).unwrap();
    let loaded = Recipe::load(&path, &[], &EnvSource::empty()).unwrap_or_else(|problem| panic!("{problem}"));
    let checked = check(&loaded, &fixture.catalog(), &fixture.hub());
    assert!(checked.mistakes.is_empty(), "{checked:?}");
    // The stream and the corpus name the same file.
    let [warning] = checked.warnings.as_slice() else { panic!("{checked:?}") };
    let found = "data/a/train.jsonl:1: field `system` is not read by this format (and in 2 more rows)";
    assert!(warning.message().ends_with(found), "{warning}");
}
