//! Fuzz test: damaged files for every reader (rows, conversations, tokenizers, templates). Each must be read, or
//! refused with an error that names the file, without a panic.
//!
//! By default a few thousand cases are tried. To run for a number of seconds from another seed:
//!
//! ```text
//! CADRE_FUZZ_SECONDS=600 CADRE_FUZZ_SEED=7 cargo test -p cadre-data --test fuzz -- --nocapture
//! ```

#![expect(clippy::expect_used, reason = "a test needs its files")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cadre_data::{
    Encoder, EncodingLimits, FieldMap, SourceSpec, Split, Target, Template, Tokenizer, load_source,
    read_examples, read_training_rows, task_order,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of cases without a time limit.
const CASES: u64 = 3000;

/// The reader of a file.
#[derive(Clone, Copy, Debug)]
enum Reader {
    /// A dataset format.
    Rows(&'static str),
    /// A format with named fields.
    Named(&'static str, [&'static str; 2]),
    /// Cadre's own files of rows.
    Kept,
    /// `tokenizer.json` or one of the files beside it, including the chat template.
    Tokenizer,
    /// A template file.
    Template,
}

/// A valid file and its reader.
struct Whole {
    /// Its path in the folder of a case.
    name: &'static str,
    bytes: Vec<u8>,
    readers: &'static [Reader],
}

const ROWS: &str = r#"{"instruction": "Do.", "input": "ä", "output": ["b", "c"], "id": "x-1"}
{"instruction": "Do.", "input": null, "output": 4, "task_id": "t"}
"#;
const SUPERNI: &str = r#"{"instruction": "Do.", "input": "a", "output": "b", "outputs": ["c", "b"], "id": "x-1"}
{"full_prompt": "Do.\n\na", "instruction": "Do.", "input": "a", "output": "b", "task_name": "t2"}
"#;
const ALPACA: &str = "[{\"instruction\": \"Add.\", \"input\": \"1 and 1\", \"output\": \"2\"},\n {\"instruction\": \"Say {it}.\", \"output\": \"It\\u00e4.\"}]";
const CHATS: &str = r#"{"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}], "id": 3}
{"conversations": [{"from": "human", "value": "1 + 1"}, {"from": "gpt", "value": "2"}]}
"#;
const CSV: &str = "instruction,input,output\n\"Add, please.\",\"1\n1\",2\nSay it.,,\"\"\"It\"\".\"\n";
const TASK: &str = r#"{"Definition": ["Say."], "URL": [NaN, -Infinity], "Instances": [
 {"id": "i0", "input": "NaN", "output": ["not a number"]}, {"id": "i1", "input": "1", "output": "one"},
 {"input": "2", "output": ["two"]}, {"input": "3", "output": ["three"]}, {"input": "4", "output": ["four"]}]}"#;
const TRACE: &str = "[{\"prompt\": \"<s> p\", \"answer\": \"A\"},\n{\"prompt\": \"q\", \"answer\": \"B\"}]";
const KEPT: &str = concat!(
    "{\"format-version\":1,\"kind\":\"examples\"}\n",
    "{\"id\":\"a/1\",\"task\":\"a\",\"turns\":[{\"role\":\"user\",\"content\":\"x\"}],\"instruction\":\"Say.\",\"input\":\"x\",\"output\":\"y\",\"references\":[\"y\"]}\n",
);
const TEMPLATE: &str = "{% for turn in turns %}{{ turn.role }}: {{ turn.content|trim }}\n{% endfor %}{% if input %}{{ instruction ~ '\\n' ~ input[:9] }}{% else %}{{ task|upper }}{% endif %}";
const CHAT: &str = r#"{"eos_token": "<eos>", "bos_token": {"content": "<bos>"}, "chat_template": "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'].strip() + ' [/INST]' }}{% else %}{{ m.content + eos_token }}{% endif %}{% endfor %}"}"#;

fn wholes() -> Vec<Whole> {
    use Reader::{Kept, Named, Rows, Template as Own, Tokenizer as Tokens};
    let text = |name, text: &str, readers| Whole { name, bytes: text.as_bytes().to_vec(), readers };
    let mut all = vec![
        text("rows.jsonl", ROWS, &[Rows("jsonl")]),
        text("rows.json", ROWS, &[Rows("jsonl")]),
        text("t/train.jsonl", SUPERNI, &[Rows("superni")]),
        text("more.json", SUPERNI, &[Rows("instructions")]),
        text("alpaca_data.json", ALPACA, &[Rows("alpaca"), Rows("jsonl")]),
        text("rows.csv", CSV, &[Rows("jsonl"), Rows("alpaca")]),
        text("chats.jsonl", CHATS, &[Rows("chat"), Named("chat", ["messages", "messages"])]),
        text("tasks/task1.json", TASK, &[Rows("natural-instructions")]),
        text("t/train.json", TRACE, &[Rows("trace")]),
        text("text.txt", "Wörds. And more.\n\nA paragraph.", &[Rows("text")]),
        text("kept.jsonl", KEPT, &[Kept]),
        text("prompt.jinja", TEMPLATE, &[Own]),
        text("tokenizer_config.json", CHAT, &[Tokens]),
        Whole { name: "tokenizer.json", bytes: tokenizer(), readers: &[Tokens] },
    ];
    let tables: [(&'static str, &'static [Reader]); 13] = [
        ("snappy", &[Named("parquet", ["question", "answers"]), Named("parquet", ["question", "half"])]),
        ("zstd", &[Named("parquet", ["question", "id"]), Named("parquet", ["share", "number"])]),
        ("gzip", &[Named("parquet", ["question", "right"]), Named("parquet", ["half", "id"])]),
        ("none", &[Named("parquet", ["label", "answers"]), Named("parquet", ["small", "id"])]),
        ("pages-2", &[Named("parquet", ["question", "number"]), Named("parquet", ["share", "id"])]),
        ("messages", &[Rows("chat")]),
        ("conversations", &[Rows("chat")]),
        ("alpaca", &[Rows("alpaca"), Rows("parquet")]),
        ("kinds", &[Named("parquet", ["large", "half"]), Named("parquet", ["view", "decimal"])]),
        ("brotli", &[Named("parquet", ["question", "answers"])]),
        ("lz4", &[Named("parquet", ["question", "answers"])]),
        ("parts", &[Rows("chat")]),
        ("empty", &[Rows("parquet")]),
    ];
    for (name, readers) in tables {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/parquet/{name}.parquet"));
        all.push(Whole { name: "table.parquet", bytes: std::fs::read(file).expect("the fixture"), readers });
    }
    all
}

/// The bytes of a small tokenizer.
fn tokenizer() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let texts = ["sort the list and say the list"];
    let made = Tokenizer::train_bpe(&mut texts.iter().copied(), 270).expect("a tokenizer");
    made.save(folder.path()).expect("written");
    std::fs::read(folder.path().join("tokenizer.json")).expect("written")
}

/// Reads a file in every supported way; returns the first error.
fn read(reader: Reader, folder: &Path, name: &str) -> Result<(), String> {
    let file = folder.join(name);
    let example = || cadre_data::Example {
        id: "e".into(),
        task: "t".into(),
        turns: Vec::new(),
        instruction: "Do.".into(),
        input: "ä b".into(),
        output: "c".into(),
        references: vec!["c".into()],
    };
    let rows = |format: &str, fields: FieldMap| {
        // Task formats read the folder; their files are in a folder for the task.
        let path = if name.contains('/') { folder.to_owned() } else { file.clone() };
        let spec = SourceSpec { format: format.into(), path: Some(path), fields };
        let _ = task_order(&spec, &cadre_data::OrderChoice::Default);
        load_source(&spec, &[], Split::Train).map(drop)
    };
    let done = match reader {
        Reader::Rows(format) => rows(format, FieldMap::default()),
        Reader::Named("chat", [name, _]) => {
            rows("chat", FieldMap { messages: Some(name.into()), ..FieldMap::default() })
        }
        Reader::Named(format, [input, output]) => {
            let fields =
                FieldMap { input: Some(input.into()), output: Some(output.into()), ..FieldMap::default() };
            rows(format, fields)
        }
        Reader::Kept => {
            let _ = read_training_rows(&file);
            read_examples(&file).map(drop)
        }
        Reader::Template => Template::file(&file).and_then(|template| template.prompt(&example()).map(drop)),
        Reader::Tokenizer => Tokenizer::from_file(folder).and_then(|tokenizer| {
            let _ = tokenizer
                .encode_marked("<s> Do it, größer: 漢字 </s>")
                .and_then(|ids| tokenizer.decode(&ids));
            let template = match Template::chat(&tokenizer) {
                Ok(template) => template,
                Err(_) => Template::Plain,
            };
            let limits = EncodingLimits { max_prompt: 64, max_response: 16 };
            Encoder::new(tokenizer, template, None, limits).encode(&example(), Target::Plain).map(drop)
        }),
    };
    done.map_err(|error| error.to_string())
}

/// Values at which lengths and counts tend to fail.
const EDGES: [u32; 8] = [0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x0001_0000];

/// The bytes with one to three faults.
fn damaged(bytes: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..=3) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = rng.random_range(0..bytes.len());
        let end = (at + rng.random_range(1..=16_usize)).min(bytes.len());
        match rng.random_range(0..10) {
            0 | 1 => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => bytes[at] = rng.random(),
            3 => bytes[at] = *b"\0\"{}[],:\\\n\xFF\x80%N0-".get(rng.random_range(0..16)).unwrap_or(&0),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let mut more = vec![0_u8; end - at];
                rng.fill_bytes(&mut more);
                bytes.splice(at..at, more);
            }
            7 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            8 => {
                // Overwrite a length: often that of Parquet's footer, eight bytes before the end.
                let at = if rng.random_bool(0.3) { bytes.len().saturating_sub(8) } else { at };
                let edge = EDGES[rng.random_range(0..EDGES.len())].to_le_bytes();
                for (byte, new) in bytes[at..].iter_mut().zip(edge) {
                    *byte = new;
                }
            }
            _ => {
                let from = rng.random_range(0..other.len().max(1)).min(other.len());
                let until = (from + 64).min(other.len());
                bytes.splice(at..end, other[from..until].iter().copied());
            }
        }
    }
    bytes
}

/// A folder for a case, with the files that a reader needs beside the damaged one.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["t", "tasks"] {
        std::fs::create_dir(folder.path().join(name)).expect("made");
    }
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer()).expect("written");
    std::fs::write(folder.path().join("tokenizer_config.json"), CHAT).expect("written");
    folder
}

#[test]
fn every_whole_file_is_read() {
    for whole in wholes() {
        let folder = folder();
        std::fs::write(folder.path().join(whole.name), &whole.bytes).expect("written");
        let read_well: Vec<Result<(), String>> =
            whole.readers.iter().map(|reader| read(*reader, folder.path(), whole.name)).collect();
        let empty = |error: &String| {
            error.contains("contains no examples")
                || error.contains(", row ")
                || error.contains(":2: expected")
        };
        assert!(
            read_well.iter().all(|read| read.as_ref().err().is_none_or(empty)),
            "{}: {read_well:?}",
            whole.name
        );
    }
}

#[test]
fn no_damage_makes_a_reader_panic() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let until = number("CADRE_FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut rng = ChaCha8Rng::seed_from_u64(number("CADRE_FUZZ_SEED").unwrap_or(0));
    let wholes = wholes();
    let folders: Vec<_> = wholes.iter().map(|_| folder()).collect();
    // Panics that a reader contains (those of the Parquet crate) would flood the output.
    let (here, loud) = (std::thread::current().id(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() != here {
            loud(panic);
        }
    }));
    let (mut cases, mut good, mut refused, mut held) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut failure = None;
    'cases: while until.map_or(cases < CASES, |until| Instant::now() < until) {
        let which = rng.random_range(0..wholes.len());
        let (whole, folder) = (&wholes[which], folders[which].path());
        let other = &wholes[rng.random_range(0..wholes.len())].bytes;
        let bytes = damaged(&whole.bytes, other, &mut rng);
        std::fs::write(folder.join(whole.name), &bytes).expect("written");
        for reader in whole.readers {
            cases += 1;
            let problem = match catch_unwind(AssertUnwindSafe(|| read(*reader, folder, whole.name))) {
                Ok(Ok(())) => {
                    good += 1;
                    continue;
                }
                Ok(Err(error)) => {
                    refused += 1;
                    held += u64::from(error.contains("damaged: "));
                    // An error must give the location: the file, the example, or the text.
                    let place = folder.display().to_string();
                    let located = error.contains(&place)
                        || error.starts_with("example `")
                        || error.starts_with("template ")
                        || error.starts_with("tokenise ")
                        || error.starts_with("tokenizer ");
                    if located && !error.contains('\n') {
                        continue;
                    }
                    format!("the error does not give a location, or has several lines: {error}")
                }
                Err(panic) => {
                    let words = panic.downcast_ref::<String>().cloned();
                    let words =
                        words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
                    format!("it panicked: {}", words.unwrap_or_default())
                }
            };
            failure = Some((format!("{reader:?} on {}, case {cases}: {problem}", whole.name), bytes));
            break 'cases;
        }
    }
    let _ = std::panic::take_hook();
    println!("{cases} cases: {good} read, {refused} refused, {held} of them by a panic held in");
    if let Some((problem, bytes)) = failure {
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz-failure");
        std::fs::write(&kept, bytes).expect("written");
        panic!("{problem}\nthe file is kept as {}", kept.display());
    }
    assert!(good > 0 && refused > good / 100, "damage of both kinds");
}
