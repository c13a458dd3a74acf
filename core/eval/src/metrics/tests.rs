//! Compares every metric with its reference implementation (`fixtures/make_metric_goldens.py`), and the subsequence
//! with the textbook recursion.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde::Deserialize;

use super::{METRICS, metric, rouge_l, subsequence};

const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Goldens<C> {
    cases: Vec<C>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Scores {
    rouge_l: f64,
    rouge_l_precision: f64,
    rouge_l_recall: f64,
    rouge_l_jieba: f64,
    same_tokens: bool,
    rouge_l_google: f64,
    exact_match: f64,
    exact_match_squad: f64,
    token_f1: f64,
}

#[derive(Deserialize)]
struct OwnCase {
    prediction: String,
    references: Vec<String>,
    times: usize,
    scores: Scores,
}

#[derive(Deserialize)]
struct DataCase {
    file: String,
    row: usize,
    of: usize,
    thinned: bool,
    scores: Scores,
}

fn score(name: &str, prediction: &str, references: &[String]) -> f64 {
    (metric(name).unwrap().score)(prediction, references)
}

fn check(case: &str, prediction: &str, references: &[String], expected: &Scores) {
    for (name, expected) in [
        ("rouge-l", expected.rouge_l),
        ("rouge-l-google", expected.rouge_l_google),
        ("exact-match", expected.exact_match),
        ("exact-match-squad", expected.exact_match_squad),
        ("token-f1", expected.token_f1),
    ] {
        let found = score(name, prediction, references);
        assert!(
            (found - expected).abs() < TOLERANCE,
            "{case}: {name} is {found}, {expected} expected: {prediction:?}"
        );
    }
    let (precision, recall) =
        subsequence::precision_and_recall(&rouge_l::tokens(prediction), &rouge_l::tokens(&references[0]));
    assert!((precision - expected.rouge_l_precision).abs() < TOLERANCE, "{case}: precision {precision}");
    assert!((recall - expected.rouge_l_recall).abs() < TOLERANCE, "{case}: recall {recall}");
    if expected.same_tokens {
        assert!(
            (expected.rouge_l - expected.rouge_l_jieba).abs() < TOLERANCE,
            "{case}: jieba {}",
            expected.rouge_l_jieba
        );
    }
}

#[test]
fn own_texts_score_as_the_reference_implementations_say() {
    let goldens: Goldens<OwnCase> =
        serde_json::from_str(include_str!("../../fixtures/metric_goldens.json")).unwrap();
    assert!(goldens.cases.len() >= 200, "only {} cases", goldens.cases.len());
    for (at, case) in goldens.cases.iter().enumerate() {
        let repeat =
            |text: &String| if case.times > 1 { format!("{text} ").repeat(case.times) } else { text.clone() };
        let references: Vec<String> = case.references.iter().map(repeat).collect();
        check(&format!("case {at}"), &repeat(&case.prediction), &references, &case.scores);
    }
}

/// The rows are in the data folder; without that folder the test prints that it is skipped.
#[test]
fn real_rows_score_as_the_reference_implementations_say() {
    let Some(folder) = data_folder() else {
        eprintln!("no data folder ($CADRE_DATA): real rows were not scored");
        return;
    };
    let goldens: Goldens<DataCase> =
        serde_json::from_str(include_str!("../../fixtures/metric_goldens_data.json")).unwrap();
    let mut read: (String, Vec<String>) = Default::default();
    for case in &goldens.cases {
        if read.0 != case.file {
            read = (case.file.clone(), texts(&folder.join(&case.file)));
        }
        let reference = read.1[case.row].clone();
        let prediction = if case.thinned { thinned(&read.1[case.of]) } else { read.1[case.of].clone() };
        check(&format!("{} row {}", case.file, case.row), &prediction, &[reference], &case.scores);
    }
    // The regular expression replaces jieba: jieba's figures on the ten tasks of SEE.
    let see = goldens.cases.iter().filter(|case| case.file.starts_with("superni/"));
    let far =
        see.clone().filter(|case| (case.scores.rouge_l - case.scores.rouge_l_jieba).abs() > 0.01).count();
    assert_eq!(far, 0, "of {} rows", see.count());
}

fn data_folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("CADRE_DATA").map_or(beside, PathBuf::from);
    folder.join("superni/qa/test.jsonl").is_file().then_some(folder)
}

/// As `data_rows` of the script.
fn texts(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    if file.extension().is_some_and(|ending| ending == "jsonl") {
        let output = |line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["output"].as_str().unwrap().to_owned()
        };
        return text.lines().filter(|line| !line.trim().is_empty()).map(output).collect();
    }
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let begin = |row: &serde_json::Value| {
        let words: Vec<&str> = row["prompt"].as_str().unwrap().split(super::squad::is_space).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).take(150).collect();
        let begin: String = words.join(" ").chars().take(900).collect();
        format!("{} {begin}", row["answer"].as_str().unwrap())
    };
    rows.iter().map(begin).collect()
}

fn thinned(text: &str) -> String {
    let words = text.split(super::squad::is_space).filter(|word| !word.is_empty()).enumerate();
    words.filter(|(at, _)| at % 3 != 2).map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

#[test]
fn no_references_score_nothing() {
    for entry in METRICS {
        assert_eq!((entry.score)("a", &[]), 0.0, "{}", entry.name);
    }
}

#[test]
fn names_are_found_and_differ() {
    for entry in METRICS {
        assert_eq!(metric(entry.name).unwrap().doc, entry.doc);
    }
    assert!(metric("bleu").is_none());
}

/// 60,000 tokens per side, for which the textbook table would have 3.6 billion cells.
#[test]
fn long_texts_are_fast() {
    let long = |step: usize| (0..60_000).map(|at| format!("w{} ", at * step % 997)).collect::<String>();
    let start = Instant::now();
    let found = score("rouge-l", &long(1), &[long(3)]);
    assert!(found > 0.0 && found < 1.0);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

fn textbook(left: &[&str], right: &[&str]) -> usize {
    let mut row = vec![0; right.len() + 1];
    for a in left {
        let mut corner = 0;
        for (at, b) in right.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if a == b { corner + 1 } else { above.max(row[at]) };
            corner = above;
        }
    }
    row[right.len()]
}

fn token_list() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn subsequence_is_the_textbook_one(left in token_list(), right in token_list()) {
        prop_assert_eq!(subsequence::common_subsequence(&left, &right), textbook(&left, &right));
    }

    #[test]
    fn scores_are_shares_and_more_references_never_hurt(prediction in "\\PC{0,40}", one in "\\PC{0,40}", two in "[a-c ]{0,12}") {
        for entry in METRICS {
            let single = (entry.score)(&prediction, std::slice::from_ref(&one));
            let both = (entry.score)(&prediction, &[one.clone(), two.clone()]);
            prop_assert!((0.0..=1.0).contains(&single), "{} is {}", entry.name, single);
            prop_assert!(both >= single);
            let same = (entry.score)(&two, std::slice::from_ref(&two));
            prop_assert!(same > 0.999_999 || two.trim().is_empty(), "{} of {:?} with itself is {}", entry.name, two, same);
        }
    }
}
