//! The table of predictions: worst first, with the common beginning of prompts (the system prompt) folded.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::figures::{score, visible};
use crate::{PredictionRow, Report};

/// The predictions of the page.
#[derive(Serialize)]
pub(super) struct Predictions {
    rows: Vec<PredictionLine>,
    /// Text of each folded beginning; rows refer to them by index.
    preambles: Vec<String>,
    /// Rows per page.
    page: usize,
}

#[derive(Serialize)]
struct PredictionLine {
    id: String,
    task: String,
    /// Value of the task filter: the task's index, or `ood`.
    group: String,
    /// Number of the folded beginning, from 1.
    preamble: Option<usize>,
    prompt: String,
    long_prompt: bool,
    prompt_begin: String,
    references: Vec<String>,
    prediction: String,
    score: String,
    /// `full`, `part`, `none` or `unscored`.
    grade: &'static str,
    answerer: String,
    /// `right` or `wrong`.
    routed: &'static str,
    claims: String,
    /// Place in the order of evaluation, from 0.
    place: usize,
    /// Whether the row is on a later page.
    later: bool,
}

/// Rows per page.
const PAGE: usize = 25;
/// Longer prompts are folded, in characters.
const PROMPT_BEGIN: usize = 180;
/// Shortest beginning worth folding, in characters.
const MIN_PREAMBLE: usize = 60;
/// Rows of a task that make a common beginning more than chance.
const MIN_ROWS: usize = 3;
/// Begin and end of a system prompt in common chat templates.
const SYSTEM: [(&str, &str); 5] = [
    ("<|im_start|>system", "<|im_end|>\n"),
    ("<|start_header_id|>system<|end_header_id|>", "<|eot_id|>"),
    ("<<SYS>>", "<</SYS>>"),
    ("<|system|>", "<|user|>"),
    ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
];

impl Predictions {
    pub(super) fn of(report: &Report, rows: &[PredictionRow]) -> Self {
        let common = common_beginnings(rows);
        let mut order: Vec<(usize, &PredictionRow)> = rows.iter().enumerate().collect();
        order.sort_by(|(_, one), (_, other)| badness(one).total_cmp(&badness(other)));
        let mut preambles: Vec<String> = Vec::new();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let lines = order.into_iter().enumerate().map(|(at, (place, row))| {
            let length =
                system_prompt(&row.prompt).unwrap_or_else(|| common.get(&row.task).copied().unwrap_or(0));
            let (preamble, prompt) = row.prompt.split_at(length);
            let number = (!preamble.is_empty()).then(|| {
                *numbers.entry(preamble).or_insert_with(|| {
                    preambles.push(visible(preamble.trim_end()));
                    preambles.len()
                })
            });
            line(report, row, prompt, number, (place, at >= PAGE))
        });
        Self { rows: lines.collect(), preambles, page: PAGE }
    }

    pub(super) fn any(&self) -> bool {
        !self.rows.is_empty()
    }
}

/// Sort key: scored rows by score, wrongly routed ones first among equals; rows without a score last.
fn badness(row: &PredictionRow) -> f64 {
    let routed = if row.expert == row.task { 0.5 } else { 0.0 };
    row.score.filter(|score| score.is_finite()).map_or(1e4, |score| score * 2.0) + routed
}

/// Length of the system prompt at the beginning of a prompt, markers included.
fn system_prompt(prompt: &str) -> Option<usize> {
    let found = SYSTEM.iter().find_map(|(begin, end)| {
        // Only tokens like <s> or [INST] may precede it.
        let start = prompt.find(begin).filter(|start| *start <= 40)?;
        let stop = start + prompt[start..].find(end)?;
        // The marker of the user's turn belongs to the rest.
        Some(if *end == "<|user|>" { stop } else { stop + end.len() })
    });
    found.filter(|length| prompt.len() > *length)
}

/// For each task, the length in bytes of what all its prompts begin with, cut at the end of a line; tasks with a short common
/// beginning, few rows, or a prompt without anything else are left out.
fn common_beginnings(rows: &[PredictionRow]) -> BTreeMap<Option<usize>, usize> {
    let mut tasks: BTreeMap<Option<usize>, Vec<&str>> = BTreeMap::new();
    for row in rows {
        tasks.entry(row.task).or_default().push(&row.prompt);
    }
    let common = |(task, prompts): (Option<usize>, Vec<&str>)| {
        let first = *prompts.first()?;
        let shared = |prompt: &&str| first.bytes().zip(prompt.bytes()).take_while(|(a, b)| a == b).count();
        let shared = prompts.iter().map(shared).min()?;
        // After a line feed, so on a character boundary.
        let length = first.as_bytes()[..shared].iter().rposition(|byte| *byte == b'\n')? + 1;
        let rest = prompts.iter().all(|prompt| !prompt[length..].trim().is_empty());
        let long = first[..length].trim().chars().count() >= MIN_PREAMBLE;
        (rest && long && prompts.len() >= MIN_ROWS).then_some((task, length))
    };
    tasks.into_iter().filter_map(common).collect()
}

fn line(
    report: &Report,
    row: &PredictionRow,
    prompt: &str,
    preamble: Option<usize>,
    (place, later): (usize, bool),
) -> PredictionLine {
    let name = |task: usize| {
        report.tasks.get(task).map_or_else(|| format!("task {}", task + 1), |name| visible(name))
    };
    let prompt = visible(prompt);
    let grade = match row.score {
        None => "unscored",
        Some(score) if score >= 99.95 => "full",
        Some(score) if score >= 0.05 => "part",
        Some(_) => "none",
    };
    let claims: Vec<String> =
        row.claims.iter().map(|(expert, claim)| format!("{} {claim:.2}", name(*expert))).collect();
    PredictionLine {
        id: visible(&row.id),
        task: row.task.map_or_else(|| "out of distribution".to_owned(), name),
        group: row.task.map_or_else(|| "ood".to_owned(), |task| task.to_string()),
        preamble,
        long_prompt: prompt.chars().count() > PROMPT_BEGIN + 40,
        prompt_begin: prompt.chars().take(PROMPT_BEGIN).collect(),
        prompt,
        references: row.references.iter().map(|reference| visible(reference)).collect(),
        prediction: visible(&row.prediction),
        score: score(row.score),
        grade,
        answerer: row.expert.map_or_else(|| "backbone".to_owned(), name),
        routed: if row.expert == row.task { "right" } else { "wrong" },
        claims: claims.join(" → "),
        place,
        later,
    }
}

#[cfg(test)]
mod tests {
    use super::{badness, common_beginnings, system_prompt};
    use crate::PredictionRow;

    fn row(prompt: &str, score: Option<f64>, expert: Option<usize>) -> PredictionRow {
        PredictionRow {
            id: String::new(),
            task: Some(0),
            prompt: prompt.to_owned(),
            references: Vec::new(),
            prediction: String::new(),
            expert,
            score,
            claims: Vec::new(),
        }
    }

    #[test]
    fn system_prompts_of_chat_templates_are_found() {
        let rest = |prompt: &str| system_prompt(prompt).map(|length| prompt[length..].to_owned());
        let chat = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nAdd: 1 + 1<|im_end|>\n";
        assert_eq!(rest(chat).unwrap(), "<|im_start|>user\nAdd: 1 + 1<|im_end|>\n");
        assert_eq!(rest("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]").unwrap(), "\n\nHi [/INST]");
        assert_eq!(rest("<|system|>\nBe brief.</s>\n<|user|>\nHi").unwrap(), "<|user|>\nHi");
        for none in ["Add: 1 + 1", "<|im_start|>user\nHi<|im_end|>\n", "<|im_start|>system\nopen", ""] {
            assert_eq!(system_prompt(none), None, "{none}");
        }
    }

    #[test]
    fn the_common_beginning_of_a_task_ends_with_a_line() {
        let preamble = "Below is an instruction that describes a task. Write a réponse.\n\n";
        let of = |ends: &[&str]| {
            let rows: Vec<_> = ends.iter().map(|end| row(&format!("{preamble}{end}"), None, None)).collect();
            common_beginnings(&rows).get(&Some(0)).copied()
        };
        assert_eq!(of(&["same a", "same b", "same c"]), Some(preamble.len()));
        assert_eq!(of(&["a", "b"]), None, "two rows agree by chance");
        assert_eq!(of(&["a", "b", ""]), None, "nothing would be left");
    }

    #[test]
    fn wrong_answers_precede_right_ones() {
        let key = |score, expert| badness(&row("", score, expert));
        let keys = [key(Some(0.0), None), key(Some(0.0), Some(0)), key(Some(57.0), None)];
        assert!(keys.is_sorted() && keys[2] < key(Some(100.0), Some(0)));
        assert!(key(Some(100.0), Some(0)) < key(None, None) && key(Some(f64::NAN), None) > 1e3);
    }
}
