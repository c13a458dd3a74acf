//! Tests on real files in `$CADRE_DATA`, or in `../shared/data` beside the repository. If there are none, each test
//! prints a message and passes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cadre_data::{
    Encoder, EncodingLimits, FieldMap, OrderChoice, SourceSpec, Split, Target, Template, Tokenizer,
    load_source, load_task, sample, shown_tokens, task_order,
};
use cadre_store::Seed;

/// A folder of the real data, or `None` after printing a message.
fn real(place: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("CADRE_DATA") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let path = root.join(place);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no {} (set CADRE_DATA)", path.display());
    None
}

fn spec(format: &str, path: &Path) -> SourceSpec {
    SourceSpec { format: format.into(), path: Some(path.to_owned()), fields: FieldMap::default() }
}

#[test]
fn all_ten_superni_tasks() {
    let Some(path) = real("superni") else { return };
    let spec = spec("superni", &path);
    let order = task_order(&spec, &OrderChoice::Named("ten".into())).expect("ten tasks");
    assert_eq!(order.len(), 10);
    for name in order {
        let task = load_task(&spec, &name).expect("a task");
        let rows = match name.as_str() {
            "qg" => 1935,
            "sum" => 1213,
            _ => 2000,
        };
        assert_eq!((task.train.len(), task.test.len()), (rows, 500), "{name}");
        for row in task.train.iter().chain(&task.test) {
            assert!(row.references.contains(&row.output) && !row.instruction.is_empty());
        }
    }
}

#[test]
fn labels_sorted_in_the_file_are_mixed_by_sampling() {
    let Some(path) = real("superni") else { return };
    for name in ["sa", "pos"] {
        let task = load_task(&spec("superni", &path), name).expect("a task");
        let counts = |rows: &[cadre_data::Example]| {
            let mut counts = BTreeMap::<String, usize>::new();
            for row in rows {
                *counts.entry(row.output.clone()).or_default() += 1;
            }
            counts
        };
        assert_eq!(counts(&task.train[..200]).len(), 1, "the file lists one label first");
        let few = counts(&sample(task.train, Some(200), Seed(0)));
        assert_eq!(few.len(), 2);
        assert!(few.values().all(|&count| count >= 70), "{name}: {few:?}");
    }
}

#[test]
fn original_task_files_with_their_nan() {
    let Some(path) = real("superni-raw") else {
        return;
    };
    let spec = spec("natural-instructions", &path);
    let tasks = task_order(&spec, &OrderChoice::Default).expect("three tasks");
    assert_eq!(tasks.len(), 3);
    for name in tasks {
        let task = load_task(&spec, &name).expect("a task");
        assert_eq!(task.train.len() + task.test.len(), 300, "{name}");
        assert!((50..=60).contains(&task.test.len()), "{name}: {}", task.test.len());
        let train: BTreeSet<_> = task.train.iter().map(|row| &row.input).collect();
        assert!(task.test.iter().all(|row| !train.contains(&row.input)));
    }
}

#[test]
fn ssr_split_file_is_the_same_as_ours() {
    let (Some(raw), Some(path)) = (real("superni-raw/ssr_split/pe.eval.json"), real("superni")) else {
        return;
    };
    let theirs = load_source(&spec("instructions", &raw), &[], Split::Test).expect("rows");
    let ours = load_task(&spec("superni", &path), "pe").expect("a task").test;
    let key = |rows: &[cadre_data::Example]| -> BTreeSet<(String, String, String)> {
        rows.iter().map(|row| (row.instruction.clone(), row.input.clone(), row.output.clone())).collect()
    };
    assert_eq!(theirs.len(), 500);
    assert_eq!(key(&theirs), key(&ours));
}

#[test]
fn all_eight_trace_tasks() {
    let Some(path) = real("trace") else { return };
    let spec = spec("trace", &path);
    let order = task_order(&spec, &OrderChoice::Default).expect("the paper's order");
    assert_eq!(order[0], "C-STANCE");
    assert_eq!(order.len(), 8);
    for name in &order {
        let task = load_task(&spec, name).expect("a task");
        let test = if name == "NumGLUE-cm" { 81 } else { 100 };
        assert_eq!((task.train.len(), task.test.len()), (500, test), "{name}");
    }
    let py150 = load_task(&spec, "Py150").expect("a task");
    assert!(py150.test[0].input.starts_with("<s> from django"));
}

#[test]
fn corpora_and_field_maps() {
    let Some(path) = real("general") else { return };
    let corpus = spec("instructions", &path.join("superni_other_train.jsonl"));
    assert_eq!(load_source(&corpus, &[], Split::Train).expect("rows").len(), 16_552);
    let ood = spec("instructions", &path.join("superni_ood_test.jsonl"));
    assert_eq!(load_source(&ood, &[], Split::Test).expect("rows").len(), 1_549);
    let gsm8k = SourceSpec {
        fields: FieldMap {
            input: Some("question".into()),
            output: Some("answer".into()),
            ..FieldMap::default()
        },
        ..spec("jsonl", &path.join("gsm8k"))
    };
    let task = load_task(&gsm8k, "gsm8k").expect("a task");
    assert_eq!((task.train.len(), task.test.len()), (7473, 1319));
    let wrong = spec("jsonl", &path.join("gsm8k"));
    let error = load_task(&wrong, "gsm8k").expect_err("fields are not named").to_string();
    assert!(error.contains("train.jsonl:1: ") && error.contains("the row has "), "{error}");
}

#[test]
fn novels_in_pieces() {
    let Some(path) = real("text/books") else {
        return;
    };
    let pieces = load_source(&spec("text", &path), &[], Split::Train).expect("pieces");
    assert!(pieces.len() > 10_000, "{} pieces", pieces.len());
    assert!(pieces.iter().all(|piece| piece.output.chars().count() <= 512));
    let mean = pieces.iter().map(|piece| piece.output.len()).sum::<usize>() / pieces.len();
    assert!(mean > 300, "{mean} bytes a piece");
}

/// Ids by the Python package `tokenizers` 0.23.3 from the same files.
const MIXED: &str = "Übersetze: ¿Cuán grandes son?\n\nA\tb  c — 漢字 🙂";

#[test]
fn gpt2_as_hugging_face() {
    let Some(path) = real("tokenizers/gpt2") else {
        return;
    };
    let tokenizer = Tokenizer::from_file(&path).expect("gpt2");
    let end = 50256;
    assert_eq!(
        (tokenizer.vocabulary(), tokenizer.bos(), tokenizer.eos(), tokenizer.pad()),
        (50257, Some(end), end, end)
    );
    assert_eq!(tokenizer.surrounded(vec![7]), [7]);
    assert_eq!(tokenizer.encode("Hello world").expect("ids"), [15496, 995]);
    assert_eq!(tokenizer.encode(MIXED).expect("ids"), GPT2_MIXED);
    assert_eq!(tokenizer.decode(GPT2_MIXED).expect("text"), MIXED);
    assert_eq!(tokenizer.single(" yes").expect("a token"), 3763);
    assert!(tokenizer.single("<accept>").is_err());
    assert!(tokenizer.chat_template().is_none());
    assert!(Template::chat(&tokenizer).is_err());
    round_trips(&tokenizer);
}

#[test]
fn minimind_with_its_chat_template() {
    let Some(path) = real("tokenizers/minimind") else {
        return;
    };
    let tokenizer = Tokenizer::from_file(&path).expect("minimind");
    assert_eq!(
        (tokenizer.vocabulary(), tokenizer.bos(), tokenizer.eos(), tokenizer.pad()),
        (6400, Some(1), 2, 0)
    );
    // A file defines an opening token, but the post-processor does not write it.
    assert_eq!(tokenizer.surrounded(vec![7]), [7]);
    assert_eq!(tokenizer.encode(MIXED).expect("ids"), MINIMIND_MIXED);
    assert_eq!(tokenizer.decode(MINIMIND_MIXED).expect("text"), MIXED);
    round_trips(&tokenizer);

    let template = Template::chat(&tokenizer).expect("a chat template");
    let example = cadre_data::Example {
        id: "e".into(),
        task: "t".into(),
        turns: Vec::new(),
        instruction: "Do.".into(),
        input: "a".into(),
        output: "shore".into(),
        references: vec!["shore".into()],
    };
    let limits = EncodingLimits { max_prompt: 64, max_response: 64 };
    let encoder = Encoder::new(tokenizer.clone(), template, None, limits);
    let tokens = encoder.encode(&example, Target::Plain).expect("ids");
    // As `apply_chat_template` of transformers 5.23.0, except for the line break after the end token.
    assert_eq!(tokens.ids, MINIMIND_CHAT);
    let learnt: String = shown_tokens(&tokens, &tokenizer)
        .into_iter()
        .filter(|token| token.in_loss)
        .map(|token| token.text)
        .collect();
    assert_eq!(learnt, "shore<|im_end|>");
    assert_eq!(encoder.prompt_ids(&example).expect("ids"), tokens.ids[..tokens.len() - tokens.loss_tokens()]);
}

#[cfg(test)]
fn round_trips(tokenizer: &Tokenizer) {
    let Some(path) = real("superni") else { return };
    let task = load_task(&spec("superni", &path), "trans").expect("a task");
    let texts: Vec<String> = task.test.into_iter().map(|row| row.output).collect();
    let all = tokenizer.encode_all(texts.clone(), false).expect("ids");
    // The pipeline of the `tokenizers` crate; there are no special tokens in these texts.
    let marked = tokenizer.encode_all(texts.clone(), true).expect("ids");
    assert_eq!(all, marked);
    for (text, ids) in texts.iter().zip(&all) {
        assert_eq!(&tokenizer.encode(text).expect("ids"), ids);
        assert_eq!(&tokenizer.decode(ids).expect("text"), text);
    }
}

const GPT2_MIXED: &[u32] = &[
    127, 250, 1213, 316, 2736, 25, 1587, 123, 46141, 21162, 4490, 274, 3367, 30, 198, 198, 32, 197, 65, 220,
    269, 851, 10545, 120, 95, 27764, 245, 32485,
];

const MINIMIND_MIXED: &[u32] = &[
    163, 286, 101, 496, 439, 3441, 61, 256, 162, 159, 70, 120, 4212, 113, 492, 4986, 329, 316, 310, 66, 234,
    234, 68, 233, 101, 256, 317, 256, 3084, 256, 1591, 131, 702, 256, 4544, 283, 260,
];

const MINIMIND_CHAT: &[u32] = &[
    1, 832, 311, 234, 3945, 49, 234, 234, 100, 2, 234, 1, 1388, 570, 811, 234, 25, 234, 234, 26, 234, 234,
    3807, 1239, 2,
];
