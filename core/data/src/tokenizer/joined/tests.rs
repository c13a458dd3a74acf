//! Tests of responses after their prompts, with tokenizers like those of Llama 2 and Mistral.

use serde_json::{Value, json};

use crate::encoder::{Encoder, EncodingLimits, Target};
use crate::error::DataError;
use crate::example::Example;
use crate::indicator_tokens::{IndicatorForm, IndicatorTokens};
use crate::template::Template;
use crate::tokenizer::Tokenizer;

/// Pieces of the vocabulary after the special tokens and the bytes; merges make some of them.
const LETTERS: &str = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?[]/<>|#'\"()-";
const MERGES: [(&str, &str); 8] =
    [("▁", "▁"), ("▁", "P"), ("▁", "o"), ("t", "h"), ("i", "n"), ("▁P", "a"), ("▁Pa", "r"), (":", "(")];

/// A tokenizer.json like Llama 2's: bytes for text without a piece, and a blank before the text, which `front` inserts.
fn llama(front: Value) -> Value {
    let mut pieces: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    pieces.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    pieces.extend(LETTERS.chars().map(String::from));
    pieces.extend(MERGES.iter().map(|(left, right)| format!("{left}{right}")));
    let vocab: serde_json::Map<String, Value> =
        pieces.iter().enumerate().map(|(id, piece)| (piece.clone(), json!(id))).collect();
    let merges: Vec<[&str; 2]> = MERGES.iter().map(|&(left, right)| [left, right]).collect();
    let special = |(id, token): (usize, &&str)| json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let special: Vec<Value> = ["<unk>", "<s>", "</s>"].iter().enumerate().map(special).collect();
    let mut tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": special,
        "normalizer": null, "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "vocab": vocab, "merges": merges},
    });
    for (key, value) in front.as_object().expect("an object") {
        tokenizer[key] = value.clone();
    }
    tokenizer
}

fn fronts() -> [Value; 3] {
    let blank = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let metaspace = |scheme: &str| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false});
    [
        json!({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, blank]}}),
        json!({"pre_tokenizer": metaspace("first")}),
        json!({"pre_tokenizer": metaspace("always")}),
    ]
}

pub(super) fn loaded(json: &Value, config: &Value) -> Result<Tokenizer, DataError> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tokenizer.json"), json.to_string()).expect("written");
    std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).expect("written");
    Tokenizer::from_file(folder.path())
}

fn tokenizers() -> Vec<Tokenizer> {
    let config = json!({"bos_token": "<s>", "eos_token": "</s>"});
    fronts().into_iter().map(|front| loaded(&llama(front), &config).expect("a tokenizer")).collect()
}

fn example(instruction: &str, output: &str) -> Example {
    Example {
        id: "e/1".into(),
        task: "t".into(),
        turns: Vec::new(),
        instruction: instruction.into(),
        input: String::new(),
        output: output.into(),
        references: vec![output.into()],
    }
}

const LIMITS: EncodingLimits = EncodingLimits { max_prompt: 200, max_response: 100 };

#[test]
fn a_response_has_the_ids_that_follow_its_prompt() {
    for tokenizer in tokenizers() {
        for (prompt, response) in [
            ("[INST] one [/INST]", " Paris "),
            ("<|assistant|>\n", "Paris"),
            ("Say sea\n", "the ninth\nerin"),
            ("ü:", "größer"),
            ("", "Paris"),
            ("one", ""),
        ] {
            let ids = tokenizer.encode(prompt).expect("ids");
            let found = tokenizer.continuation(prompt, &ids, response, false).expect("ids");
            let whole = tokenizer.encode(&[prompt, response].concat()).expect("ids");
            assert_eq!([ids, found].concat(), whole, "{prompt:?} {response:?}");
        }
    }
}

#[test]
fn a_token_across_the_border_is_cut_at_it() {
    for tokenizer in tokenizers() {
        let pieces = |ids: Vec<u32>| ids.into_iter().filter_map(|id| tokenizer.token(id)).collect::<Vec<_>>();
        let after = |prompt: &str, response: &str| {
            let ids = tokenizer.encode(prompt).expect("ids");
            pieces(tokenizer.continuation(prompt, &ids, response, false).expect("ids"))
        };
        assert_eq!(after("a ", " b"), ["▁", "b"]);
        assert_eq!(after("ti", "nth"), ["n", "th"]);
        assert_eq!(after("a:", "(x"), ["(", "x"]);
    }
}

#[test]
fn generation_starts_from_the_ids_used_in_training() {
    for tokenizer in tokenizers() {
        let encoder = Encoder::new(tokenizer.clone(), Template::Alpaca, None, LIMITS);
        let rows: Vec<Example> = (0..9).map(|row| example("Say it", &"Paris in ".repeat(row))).collect();
        let pairs: Vec<(&Example, Target)> = rows.iter().map(|row| (row, Target::Plain)).collect();
        for (row, all) in rows.iter().zip(encoder.encode_all(&pairs).expect("ids")) {
            assert_eq!(encoder.encode(row, Target::Plain).expect("ids"), all);
            let given = all.len() - all.loss_tokens();
            assert_eq!(encoder.prompt_ids(row).expect("ids"), all.ids[..given]);
            assert_eq!(all.ids[0], 1, "the post-processor opens with <s>");
        }
    }
}

#[test]
fn indicators_stand_between_prompt_and_response() {
    for tokenizer in tokenizers() {
        let row = example("one", "Paris");
        let plain = Encoder::new(tokenizer.clone(), Template::Alpaca, None, LIMITS);
        let plain = plain.encode(&row, Target::Plain).expect("ids");
        let given = plain.len() - plain.loss_tokens();
        let (with, indicators) =
            IndicatorTokens::new(&tokenizer, IndicatorForm::Text, "th", "no", tokenizer.vocabulary())
                .expect("indicators");
        // In the middle of a text, no blank is inserted before them.
        assert_eq!(indicators.accept.len(), 1);
        let encoder = Encoder::new(with, Template::Alpaca, Some(indicators.clone()), LIMITS);
        let marked = encoder.encode(&row, Target::Accept).expect("ids");
        let expected = [&plain.ids[..given], &indicators.accept, &plain.ids[given..]].concat();
        assert_eq!(marked.ids, expected);
    }
}

#[test]
fn a_character_without_a_token_is_an_error() {
    let mut json = llama(fronts()[0].clone());
    json["model"]["byte_fallback"] = json!(false);
    json["model"]["unk_token"] = json!(null);
    let config = json!({"bos_token": "<s>", "eos_token": "</s>"});
    let tokenizer = loaded(&json, &config).expect("a tokenizer");
    assert!(tokenizer.encode("one two").is_ok());
    let error = tokenizer.encode("one größer").expect_err("dropped").to_string();
    assert!(error.contains("no token for `ö`"), "{error}");
    let encoder = Encoder::new(tokenizer, Template::Plain, None, LIMITS);
    let (good, bad) = (example("one", "two"), Example { id: "e/2".into(), ..example("one", "漢") });
    let refused = encoder.encode_all(&[(&good, Target::Plain), (&bad, Target::Plain)]);
    let error = cadre_store::chain(&refused.expect_err("dropped"));
    assert!(error.contains("example `e/2`") && error.contains("no token for `漢`"), "{error}");
    json["model"]["vocab"] = json!({"<unk>": 0, "<s>": 1, "</s>": 2});
    json["model"]["merges"] = json!([]);
    let error = loaded(&json, &config).expect_err("nothing").to_string();
    assert!(error.contains("to no token at all"), "{error}");
}

#[test]
fn a_token_without_a_row_is_refused_where_it_occurs() {
    let mut json = llama(fronts()[1].clone());
    let rows = json["model"]["vocab"].as_object().expect("a vocabulary").len();
    json["added_tokens"].as_array_mut().expect("a list").push(json!({
        "id": rows, "content": "<image>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true}));
    let rows = u32::try_from(rows).expect("few");
    let source = "{% for m in messages %}{{ m.content }}{% if m.role == 'user' %}|{% else %}</s>{% endif %}{% endfor %}";
    let config = json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": source});
    let tokenizer = loaded(&json, &config).expect("a tokenizer").with_rows(rows).expect("fits");
    assert!(tokenizer.vocabulary() > rows);
    let template = Template::chat(&tokenizer).expect("a template");
    let encoder = Encoder::new(tokenizer.clone(), template, None, LIMITS);
    assert!(encoder.encode(&example("one", "two"), Target::Plain).is_ok());
    for row in [example("an <image>", "two"), example("one", "<image>")] {
        let refused = encoder.encode_all(&[(&row, Target::Plain)]);
        let error = cadre_store::chain(&refused.expect_err("no row"));
        assert!(error.contains("example `e/1`") && error.contains("`<image>`"), "{error}");
        assert!(error.contains(&format!("{rows} rows")), "{error}");
    }
    assert!(encoder.prompt_ids_all(&[example("an <image>", "")]).is_err());
    // Text in other templates is encoded literally: the special token does not occur.
    let plain = Encoder::new(tokenizer.clone(), Template::Plain, None, LIMITS);
    assert!(plain.encode(&example("an <image>", "two"), Target::Plain).is_ok());
    let (with, indicators) = IndicatorTokens::new(&tokenizer, IndicatorForm::NewToken, "<yes>", "<no>", rows)
        .expect("behind the rows");
    assert_eq!((indicators.accept, with.token(rows)), (vec![rows], Some("<yes>".into())));
    let existing = IndicatorTokens::new(&tokenizer, IndicatorForm::ExistingToken, "<image>", "a", rows);
    assert!(existing.expect_err("no row").to_string().contains("`<image>`"));
    let error = tokenizer.with_rows(2).expect_err("the end token has none").to_string();
    assert!(error.contains("`</s>` (id 2)"), "{error}");
}
