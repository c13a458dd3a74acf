//! Tests of tokenizers: trained ones are deterministic and lossless, special tokens in text stay text, files without an
//! end token are refused.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::{MIN_VOCABULARY, SPECIAL_TOKENS, Tokenizer};
use crate::error::DataError;
use crate::indicator_tokens::{IndicatorForm, IndicatorTokens};

const TEXTS: [&str; 4] = [
    "the cat sat on the mat and the cat sat there",
    "sort the numbers: 7 3 9, then sort them again",
    "Übersetze den Satz: das Haus ist groß.\n\nthe house",
    "the numbers and the house and the cat",
];

fn trained(size: u32) -> Tokenizer {
    // Twice, so that every pair occurs often enough.
    Tokenizer::train_bpe(&mut TEXTS.iter().chain(&TEXTS).copied(), size).expect("a tokenizer")
}

fn saved(tokenizer: &Tokenizer) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    tokenizer.save(folder.path()).expect("saved");
    let bytes = std::fs::read(folder.path().join("tokenizer.json")).expect("written");
    (folder, bytes)
}

#[test]
fn special_tokens_come_first_and_the_size_holds() {
    let tokenizer = trained(300);
    assert_eq!(tokenizer.vocabulary(), 300);
    assert_eq!((tokenizer.pad(), tokenizer.bos(), tokenizer.eos()), (0, Some(1), 2));
    assert_eq!(tokenizer.stops(), [2]);
    for (id, token) in SPECIAL_TOKENS.iter().enumerate() {
        assert_eq!(tokenizer.id_of(token), Some(id as u32));
        assert_eq!(tokenizer.token(id as u32).as_deref(), Some(*token));
    }
    assert_eq!(trained(MIN_VOCABULARY).vocabulary(), MIN_VOCABULARY);
    assert!(trained(100_000).vocabulary() < 1_000, "the texts have no more pairs");
    let error = Tokenizer::train_bpe(&mut TEXTS.iter().copied(), 100).expect_err("too small");
    assert!(error.to_string().contains("at least 259 are required"), "{error}");
}

#[test]
fn training_does_not_depend_on_order_or_luck() {
    let (_one, first) = saved(&trained(320));
    for _ in 0..5 {
        assert_eq!(saved(&trained(320)).1, first);
    }
    let back =
        Tokenizer::train_bpe(&mut TEXTS.iter().chain(&TEXTS).rev().copied(), 320).expect("a tokenizer");
    assert_eq!(saved(&back).1, first);
}

#[test]
fn a_saved_tokenizer_is_the_same() {
    let tokenizer = trained(320);
    let (folder, _) = saved(&tokenizer);
    for path in [folder.path().to_owned(), folder.path().join("tokenizer.json")] {
        let again = Tokenizer::from_file(&path).expect("loaded");
        assert_eq!((again.pad(), again.bos(), again.eos()), (0, Some(1), 2));
        assert_eq!(again.vocabulary(), 320);
        for text in TEXTS {
            assert_eq!(again.encode(text).expect("ids"), tokenizer.encode(text).expect("ids"));
        }
    }
}

#[test]
fn special_tokens_in_text_are_text_but_in_a_chat_template() {
    let tokenizer = trained(300);
    let literal = tokenizer.encode("a<eos>b").expect("ids");
    assert!(!literal.contains(&2));
    assert_eq!(tokenizer.decode(&literal).expect("text"), "a<eos>b");
    let marked = tokenizer.encode_marked("a<eos>b").expect("ids");
    assert_eq!(marked.iter().filter(|&&id| id == 2).count(), 1);
    assert_eq!(tokenizer.decode(&marked).expect("text"), "ab");
    let both = tokenizer.encode_all(vec!["a<eos>b".into()], true).expect("ids");
    assert_eq!(both, [marked]);
}

#[test]
fn new_tokens_stand_above_the_backbone_and_are_never_read_from_text() {
    let tokenizer = trained(300);
    let (with, ids) = tokenizer.with_added(&["<accept>", "<reject>"], 320).expect("added");
    assert_eq!(ids, [320, 321]);
    assert_eq!(with.id_of("<reject>"), Some(321));
    assert_eq!(with.token(320).as_deref(), Some("<accept>"));
    assert_eq!(with.token(310), None);
    assert_eq!(with.vocabulary(), 300);
    let text = with.encode_marked("<accept>").expect("ids");
    assert!(text.iter().all(|&id| id < 300));
    assert_eq!(with.decode(&[320, text[0], 9999]).expect("text"), "<");
    assert!(matches!(tokenizer.with_added(&["<x>"], 2), Err(DataError::NoRow { id: 2, rows: 2, .. })));
    assert!(matches!(tokenizer.with_added(&["<eos>"], 300), Err(DataError::TokenExists { id: 2, .. })));
}

#[test]
fn indicators_of_each_form() {
    let tokenizer = trained(320);
    let mark = |form, accept, reject| IndicatorTokens::new(&tokenizer, form, accept, reject, 320);
    let (with, new) = mark(IndicatorForm::NewToken, "<accept>", "<reject>").expect("new tokens");
    assert_eq!((new.accept, new.reject), (vec![320], vec![321]));
    assert_eq!(with.id_of("<accept>"), Some(320));
    let (_, old) = mark(IndicatorForm::ExistingToken, "y", "n").expect("single bytes");
    assert_eq!((old.accept.len(), old.reject.len()), (1, 1));
    let (_, text) = mark(IndicatorForm::Text, "yes: ", "no: ").expect("texts");
    assert_eq!(text.accept, tokenizer.encode("yes: ").expect("ids"));
    let error = mark(IndicatorForm::ExistingToken, "mine!", "n").expect_err("split").to_string();
    assert!(error.starts_with("indicator `mine!` is not one token of this tokenizer but "), "{error}");
    for (accept, reject) in [("", "no"), ("yes", "yes"), ("y", "yxz")] {
        assert!(
            matches!(mark(IndicatorForm::Text, accept, reject), Err(DataError::IndicatorsAlike { .. })),
            "`{accept}` and `{reject}`"
        );
    }
    assert!(mark(IndicatorForm::NewToken, "<a>", "<a>").is_err());
}

#[test]
fn a_tokenizer_without_a_defined_end_token_is_refused() {
    let (folder, _) = saved(&trained(300));
    let config = folder.path().join("tokenizer_config.json");
    let load = || Tokenizer::from_file(folder.path());
    std::fs::remove_file(&config).expect("removed");
    let error = load().expect_err("no end token").to_string();
    assert!(
        error.contains("eos_token is not defined in tokenizer_config.json, special_tokens_map.json"),
        "{error}"
    );

    std::fs::write(&config, r#"{"eos_token": "</s>"}"#).expect("written");
    let error = load().expect_err("another tokenizer's").to_string();
    assert!(
        error.contains("tokenizer_config.json: eos_token is `</s>`, which tokenizer.json does not have"),
        "{error}"
    );

    std::fs::write(&config, "{\n\"eos_token\": }").expect("written");
    let error = load().expect_err("broken").to_string();
    assert!(error.contains("tokenizer_config.json:2: expected a JSON object"), "{error}");

    std::fs::write(&config, r#"{"eos_token": {"content": "<eos>"}, "bos_token": null}"#).expect("written");
    std::fs::write(folder.path().join("generation_config.json"), r#"{"eos_token_id": [0, 2]}"#)
        .expect("written");
    let tokenizer = load().expect("an object");
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.pad()), (None, 2, 2));
    assert_eq!(tokenizer.stops(), [2, 0]);

    std::fs::remove_file(&config).expect("removed");
    assert_eq!(load().expect("ids in generation_config").stops(), [0, 2]);
}

#[test]
fn a_file_that_is_missing_or_no_tokenizer() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Tokenizer::from_file(folder.path()).expect_err("nothing there").to_string();
    assert!(error.contains("tokenizer.json: not found; expected a Hugging Face tokenizer.json"), "{error}");
    std::fs::write(folder.path().join("tokenizer.json"), "{}").expect("written");
    let error = Tokenizer::from_file(Path::new(folder.path())).expect_err("no tokenizer").to_string();
    assert!(error.starts_with("tokenizer ") && error.contains("tokenizer.json: "), "{error}");
}

proptest! {
    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| trained(300));
        let tokenizer = &*TOKENIZER;
        let ids = tokenizer.encode(&text).expect("byte-level");
        prop_assert_eq!(tokenizer.decode(&ids).expect("text"), text);
    }

    #[test]
    fn words_give_what_the_pipeline_gives(text in "(?s)([a-zA-Z0-9'. \t\n\r<>_é漢\u{300}\u{a0}\u{2003}²Ⅷ]|\\PC|.){0,80}") {
        static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| trained(320));
        let tokenizer = &*TOKENIZER;
        prop_assert!(tokenizer.inner.by_words);
        let pipeline = tokenizer.encode_with(&tokenizer.inner.literal, &text).expect("byte-level");
        prop_assert_eq!(&tokenizer.encode(&text).expect("ids"), &pipeline);
        let all = tokenizer.encode_all(vec![text.clone(), text], false).expect("ids");
        prop_assert_eq!(all, [pipeline.clone(), pipeline]);
    }

    #[test]
    fn no_file_makes_loading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("tokenizer.json"), bytes).expect("written");
        prop_assert!(Tokenizer::from_file(folder.path()).is_err());
    }
}

#[test]
fn a_file_that_is_not_json_is_refused_before_it_does_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let texts = ["sort the list"];
    Tokenizer::train_bpe(&mut texts.iter().copied(), 262)
        .and_then(|made| made.save(folder.path()))
        .expect("written");
    let file = folder.path().join("tokenizer.json");
    let whole = std::fs::read_to_string(&file).expect("written");
    let decoder = whole.find("\"decoder\"").expect("a decoder");
    for (from, to) in [("\"type\"", "\"type"), ("\"type\"", "\"\\uD800\"")] {
        let damaged = whole[decoder..].replacen(from, to, 1);
        std::fs::write(&file, [&whole[..decoder], &damaged].concat()).expect("written");
        let error = Tokenizer::from_file(folder.path()).expect_err("no JSON").to_string();
        assert!(
            error.contains("tokenizer.json:") && error.contains("expected a Hugging Face tokenizer.json"),
            "{error}"
        );
    }
}

#[test]
fn a_post_processor_that_names_a_token_it_does_not_have_is_a_damaged_file() {
    let (folder, bytes) = saved(&trained(262));
    let mut file: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let tokens = file["post_processor"]["special_tokens"].as_object_mut().expect("a map");
    let token = tokens.remove("<bos>").expect("the opening token");
    tokens.insert("<b>".into(), token);
    std::fs::write(folder.path().join("tokenizer.json"), file.to_string()).expect("written");
    let error = Tokenizer::from_file(folder.path()).expect_err("damaged").to_string();
    assert!(error.contains("tokenizer.json") && error.contains("damaged: "), "{error}");
}
