//! Measures how fast real tasks are read, a tokenizer is trained and examples are encoded; prints one JSON line. Reads
//! the data in `$CADRE_DATA`.

use std::path::PathBuf;
use std::time::Instant;

use cadre_data::{
    Encoder, EncodingLimits, Example, FieldMap, OrderChoice, SourceSpec, Split, Target, Template, Tokenizer,
    load_source, load_task, task_order,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::var_os("CADRE_DATA").map(PathBuf::from);
    let root = root.ok_or("set CADRE_DATA to the folder with superni/ and general/")?;
    let spec = |format: &str, place: &str| SourceSpec {
        format: format.into(),
        path: Some(root.join(place)),
        fields: FieldMap::default(),
    };

    let start = Instant::now();
    let superni = spec("superni", "superni");
    let mut rows = 0;
    for task in task_order(&superni, &OrderChoice::Named("ten".into()))? {
        let task = load_task(&superni, &task)?;
        rows += task.train.len() + task.test.len();
    }
    let loading = start.elapsed();

    let corpus = spec("instructions", "general/superni_other_train.jsonl");
    let start = Instant::now();
    let examples = load_source(&corpus, &[], Split::Train)?;
    let reading = start.elapsed();
    let texts: Vec<String> =
        examples.iter().map(|example| Template::Plain.prompt(example)).collect::<Result<_, _>>()?;
    let start = Instant::now();
    let tokenizer = Tokenizer::train_bpe(&mut texts.iter().map(String::as_str), 4096)?;
    let training = start.elapsed();

    let limits = EncodingLimits { max_prompt: 1024, max_response: 512 };
    let encoder = Encoder::new(tokenizer, Template::Plain, None, limits);
    let pairs: Vec<(&Example, Target)> = examples.iter().map(|row| (row, Target::Plain)).collect();
    let start = Instant::now();
    let encoded = encoder.encode_all(&pairs)?;
    let encoding = start.elapsed();
    let tokens: usize = encoded.iter().map(|example| example.len()).sum();

    println!(
        "{{\"superni-rows\":{rows},\"superni-seconds\":{:.3},\"corpus-rows\":{},\"corpus-seconds\":{:.3},\"train-bpe-4096-seconds\":{:.3},\"encode-seconds\":{:.3},\"tokens\":{tokens}}}",
        loading.as_secs_f64(),
        examples.len(),
        reading.as_secs_f64(),
        training.as_secs_f64(),
        encoding.as_secs_f64(),
    );
    Ok(())
}
