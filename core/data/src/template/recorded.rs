//! Tests of chat templates against recordings from transformers: text, token ids, and which tokens have a loss.
//! `tests/parity/record_chats.py` makes the recordings; running the tests needs no Python.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::encoder::{Encoder, EncodingLimits, Target};
use crate::example::{Example, Turn};
use crate::template::Template;
use crate::tokenizer::Tokenizer;

#[derive(Deserialize)]
struct Recorded {
    template: String,
    bos: Option<String>,
    eos: String,
    example: Given,
    prompt: String,
    text: String,
    given: Vec<u32>,
    learnt: Vec<u32>,
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    turns: Vec<Turn>,
    instruction: String,
    input: String,
    output: String,
}

fn parity() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity")
}

/// The recorded tokenizer with a chat template and its special tokens, as a folder in Hugging Face's layout.
fn tokenizer(recorded: &Recorded) -> Tokenizer {
    let folder = tempfile::tempdir().expect("a folder");
    let from = parity().join("fixtures/chats/tokenizer.json");
    std::fs::copy(from, folder.path().join("tokenizer.json")).expect("copied");
    let template = std::fs::read_to_string(parity().join(format!("templates/{}.jinja", recorded.template)));
    let config = serde_json::json!({
        "bos_token": recorded.bos, "eos_token": recorded.eos, "chat_template": template.expect("a template"),
    });
    std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).expect("written");
    Tokenizer::from_file(folder.path()).expect("a tokenizer")
}

#[test]
fn renderings_ids_and_masks_are_those_of_transformers() {
    let text = std::fs::read(parity().join("fixtures/chats/recorded.json")).expect("the recording");
    let all: Vec<Recorded> = serde_json::from_slice(&text).expect("as recorded");
    assert!(all.len() >= 20);
    assert_eq!(all.iter().filter(|recorded| recorded.example.turns.len() > 1).count(), 6);
    for recorded in &all {
        let name = &recorded.template;
        let tokenizer = tokenizer(recorded);
        let template = Template::chat(&tokenizer).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Given { turns, instruction, input, output } = &recorded.example;
        let example = Example {
            id: "one".into(),
            task: "one".into(),
            turns: turns.clone(),
            instruction: instruction.clone(),
            input: input.clone(),
            output: output.clone(),
            references: vec![output.clone()],
        };
        let rendered = template.render(&example).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(rendered.prompt, recorded.prompt, "{name}");
        let whole = format!("{}{}{}", rendered.prompt, rendered.response, recorded.eos);
        assert_eq!(whole, recorded.text.trim_end(), "{name}");
        let limits = EncodingLimits { max_prompt: 1000, max_response: 1000 };
        let encoded = Encoder::new(tokenizer, template, None, limits).encode(&example, Target::Plain);
        let encoded = encoded.unwrap_or_else(|error| panic!("{name}: {error}"));
        let learnt: Vec<u32> =
            encoded.ids.iter().zip(&encoded.mask).filter(|(_, mask)| **mask).map(|(id, _)| *id).collect();
        assert_eq!(learnt, recorded.learnt, "{name}");
        assert_eq!(encoded.ids, [recorded.given.clone(), recorded.learnt.clone()].concat(), "{name}");
    }
}
