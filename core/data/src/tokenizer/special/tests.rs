//! Tests of special tokens by the files that define them, and by the post-processor that writes them.

use serde_json::{Value, json};

use crate::error::DataError;
use crate::tokenizer::{SPECIAL_TOKENS, Tokenizer};

/// A byte-level tokenizer with this post-processor.
fn tokenizer(post_processor: Value, files: &[(&str, Value)]) -> Result<Tokenizer, DataError> {
    let folder = tempfile::tempdir().expect("a folder");
    let texts = ["the sea and the shore"];
    let trained = Tokenizer::train_bpe(&mut texts.iter().copied(), 270).expect("a tokenizer");
    trained.save(folder.path()).expect("saved");
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).expect("removed");
    let file = folder.path().join("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    json["post_processor"] = post_processor;
    std::fs::write(&file, json.to_string()).expect("written");
    for (name, value) in files {
        std::fs::write(folder.path().join(name), value.to_string()).expect("written");
    }
    Tokenizer::from_file(folder.path())
}

fn template(parts: &[&str]) -> Value {
    let part = |token: &&str| match *token {
        "$A" => json!({"Sequence": {"id": "A", "type_id": 0}}),
        token => json!({"SpecialToken": {"id": token, "type_id": 0}}),
    };
    let special: serde_json::Map<String, Value> = SPECIAL_TOKENS
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), json!({"id": token, "ids": [id], "tokens": [token]})))
        .collect();
    json!({"type": "TemplateProcessing", "single": parts.iter().map(part).collect::<Vec<_>>(),
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": special})
}

const NAMED: &str = "tokenizer_config.json";

#[test]
fn the_post_processor_determines_the_affixes() {
    let named = json!({"bos_token": "<bos>", "eos_token": "<eos>"});
    let with = |more: Value| {
        let mut config = named.clone();
        for (key, value) in more.as_object().expect("an object") {
            config[key] = value.clone();
        }
        config
    };
    let bytes =
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true});
    let opened = template(&["<bos>", "$A"]);
    let both = template(&["<bos>", "$A", "<eos>"]);
    let sequence = json!({"type": "Sequence", "processors": [bytes.clone(), opened.clone()]});
    for (post_processor, config, expected) in [
        (Value::Null, named.clone(), vec![7]),
        (Value::Null, with(json!({"add_bos_token": true})), vec![7]),
        (bytes, named.clone(), vec![7]),
        (opened.clone(), named.clone(), vec![1, 7]),
        (opened.clone(), with(json!({"add_bos_token": false})), vec![1, 7]),
        (opened, json!({"bos_token": null, "eos_token": "<eos>"}), vec![1, 7]),
        (both, named.clone(), vec![1, 7, 2]),
        (sequence, named, vec![1, 7]),
    ] {
        let tokenizer = tokenizer(post_processor.clone(), &[(NAMED, config.clone())]).expect("a tokenizer");
        let remarks = tokenizer.remarks();
        assert_eq!(remarks.len(), usize::from(config.get("add_bos_token").is_some()), "{remarks:?}");
        assert_eq!(tokenizer.surrounded(vec![7]), expected, "{post_processor} {config}");
        let nothing = tokenizer.surrounded(Vec::new());
        let begins = if expected == [7] { vec![tokenizer.bos().unwrap_or(2)] } else { expected.clone() };
        assert_eq!(nothing, begins.into_iter().filter(|&id| id != 7).collect::<Vec<_>>());
        let short = tokenizer.surrounded_within(vec![7; 9], 4);
        assert_eq!(short.len(), 4, "{post_processor}");
        assert_eq!((short.first(), short.last()), (expected.first(), expected.last()));
    }
}

#[test]
fn a_trained_tokenizer_opens_its_texts_wherever_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let trained = Tokenizer::train_bpe(&mut ["the sea"].iter().copied(), 260).expect("a tokenizer");
    trained.save(folder.path()).expect("saved");
    assert_eq!(trained.surrounded(vec![7]), [1, 7]);
    assert_eq!(Tokenizer::from_file(folder.path()).expect("loaded").surrounded(vec![7]), [1, 7]);
    let text = std::fs::read_to_string(folder.path().join("tokenizer.json")).expect("written");
    assert!(text.contains("TemplateProcessing"));
}

#[test]
fn files_name_tokens_in_the_order_of_transformers() {
    let ids = |files: &[(&str, Value)]| {
        let tokenizer = tokenizer(Value::Null, files).expect("a tokenizer");
        (tokenizer.bos(), tokenizer.eos())
    };
    let model = ("config.json", json!({"bos_token_id": 0, "eos_token_id": 0}));
    // A null value means that there is no token, whatever the model's file says; a token that no file defines does not
    // exist.
    let config = |value: Value| (NAMED, value);
    assert_eq!(ids(&[config(json!({"bos_token": null, "eos_token": "<eos>"})), model.clone()]), (None, 2));
    assert_eq!(ids(&[config(json!({"eos_token": "<eos>"})), model.clone()]), (None, 2));
    // The end token is required: the model's file defines it.
    assert_eq!(ids(&[config(json!({"bos_token": "<bos>"})), model.clone()]), (Some(1), 0));
    assert_eq!(ids(std::slice::from_ref(&model)), (Some(0), 0));
    let generation = ("generation_config.json", json!({"eos_token_id": [2, 0]}));
    assert_eq!(ids(&[config(json!({"eos_token": null})), model.clone(), generation]), (None, 2));
    let error = tokenizer(Value::Null, &[config(json!({"eos_token": null})), model]).expect_err("none");
    assert!(error.to_string().contains("eos_token is not defined in "), "{error}");
    // The map takes precedence over the configuration, but is ignored if the configuration lists its tokens.
    let map = ("special_tokens_map.json", json!({"bos_token": "<pad>", "eos_token": "<eos>"}));
    let named = json!({"bos_token": "<bos>", "eos_token": "<eos>"});
    assert_eq!(ids(&[config(named), map.clone()]), (Some(0), 2));
    let listed = json!({"bos_token": "<bos>", "eos_token": "<eos>", "added_tokens_decoder": {}});
    assert_eq!(ids(&[config(listed), map]), (Some(1), 2));
    // A tokenizer class has default tokens.
    assert_eq!(ids(&[config(json!({"tokenizer_class": "GemmaTokenizerFast"}))]), (Some(1), 2));
    assert_eq!(ids(&[config(json!({"tokenizer_class": "LlamaTokenizer", "eos_token": "<eos>"}))]), (None, 2));
}
