//! Which rows go where. Every input belongs to one part of the language, by its own text: what a test
//! split holds is in no training split, of no task, nor in the pretraining corpus. Pure: the same seed and
//! split give the same rows in the same order.

use std::collections::HashSet;

use cadre_store::Seed;

use super::draw::Draw;
use super::general::{Kind, kinds};
use super::tasks::{Row, SyntheticTask};

/// Rows of a task's training split, as in SSR's set-up.
pub(super) const TRAIN_ROWS: usize = 2000;
/// Rows of a task's test split.
pub(super) const TEST_ROWS: usize = 500;
/// Rows of the pretraining corpus.
pub(super) const GENERAL_ROWS: usize = 60_000;
/// Rows kept back from the corpus for pseudo-negatives.
pub(super) const PSEUDO_NEGATIVE_ROWS: usize = 2000;
/// Rows of the out-of-distribution split.
pub(super) const OUT_OF_DISTRIBUTION_ROWS: usize = 500;

/// A part of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Training splits and the pretraining corpus.
    Learnt,
    /// Pseudo-negatives.
    HeldBack,
    /// Test splits and the out-of-distribution split.
    Tested,
}

/// The part that a text belongs to, whoever asks: seven tenths, one tenth, two tenths.
pub(super) fn part(text: &str) -> Part {
    match Seed(0).derive(text).0 % 10 {
        0 | 1 => Part::Tested,
        2 => Part::HeldBack,
        _ => Part::Learnt,
    }
}

/// The part of a general row: by its whole prompt, for many have no input.
fn part_of_prompt(row: &Row) -> Part {
    part(&format!("{}\n{}", row.instruction, row.input))
}

/// A split of a task. No input comes twice.
pub(super) fn task_rows(seed: u64, task: &SyntheticTask, test: bool) -> Vec<Row> {
    let (wanted, rows) = if test { (Part::Tested, TEST_ROWS) } else { (Part::Learnt, TRAIN_ROWS) };
    let mut draw = Draw::new(seed, &format!("synthetic/{}/{test}", task.name));
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(rows);
    while kept.len() < rows {
        let row = task.row(&mut draw, kept.len());
        if part(&row.input) == wanted && seen.insert(row.input.clone()) {
            kept.push(row);
        }
    }
    kept
}

/// The pretraining corpus, or rows to test a backbone with: every kind, drawn with equal chance. A prompt may
/// come again within a split, as short ones do in any corpus.
pub(super) fn general_rows(seed: u64, test: bool) -> Vec<(&'static str, Row)> {
    let all: Vec<&'static Kind> = kinds().collect();
    if test {
        drawn(seed, "general/test", &all, TEST_ROWS, |row| part_of_prompt(row) == Part::Tested)
    } else {
        drawn(seed, "general", &all, GENERAL_ROWS, |row| {
            part_of_prompt(row) == Part::Learnt && (row.input.is_empty() || part(&row.input) != Part::Tested)
        })
    }
}

/// General instructions of the near kinds that the corpus does not hold.
pub(super) fn pseudo_negative_rows(seed: u64) -> Vec<(&'static str, Row)> {
    let near: Vec<&'static Kind> = kinds().filter(|kind| !kind.far).collect();
    drawn(seed, "pseudo-negatives", &near, PSEUDO_NEGATIVE_ROWS, |row| {
        part_of_prompt(row) == Part::HeldBack && (row.input.is_empty() || part(&row.input) != Part::Tested)
    })
}

/// General instructions of the far kinds that the corpus does not hold.
pub(super) fn out_of_distribution_rows(seed: u64) -> Vec<(&'static str, Row)> {
    let far: Vec<&'static Kind> = kinds().filter(|kind| kind.far).collect();
    drawn(seed, "out-of-distribution", &far, OUT_OF_DISTRIBUTION_ROWS, |row| {
        part_of_prompt(row) == Part::Tested
    })
}

fn drawn(
    seed: u64,
    label: &str,
    kinds: &[&'static Kind],
    rows: usize,
    wanted: fn(&Row) -> bool,
) -> Vec<(&'static str, Row)> {
    let mut draw = Draw::new(seed, &format!("synthetic/{label}"));
    let mut kept = Vec::with_capacity(rows);
    while kept.len() < rows {
        let kind = kinds[draw.below(kinds.len())];
        let row = kind.row(&mut draw);
        if wanted(&row) {
            kept.push((kind.name, row));
        }
    }
    kept
}
