//! Assigns rows to splits. Every input belongs to one part of the language, determined by its own text: an input in a
//! test split must not occur in a training split of any task or in the pretraining corpus. The same seed and split must
//! give the same rows in the same order.

use std::collections::HashSet;

use cadre_store::Seed;

use super::draw::Draw;
use super::general::{Kind, kinds};
use super::tasks::{Row, SyntheticTask};

/// Number of rows in a task's training split, as in SSR's set-up.
pub(super) const TRAIN_ROWS: usize = 2000;
/// Number of rows in a task's test split.
pub(super) const TEST_ROWS: usize = 500;
/// Number of rows in the pretraining corpus.
pub(super) const GENERAL_ROWS: usize = 60_000;
/// Number of pseudo-negatives, which are held back from the corpus.
pub(super) const PSEUDO_NEGATIVE_ROWS: usize = 2000;
/// Number of rows in the out-of-distribution split.
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

/// The part that a text belongs to: 70% learnt, 10% held back, 20% tested. Depends on the text alone.
pub(super) fn part(text: &str) -> Part {
    match Seed(0).derive(text).0 % 10 {
        0 | 1 => Part::Tested,
        2 => Part::HeldBack,
        _ => Part::Learnt,
    }
}

/// The part of a general row, by its whole prompt, because many have no input.
fn part_of_prompt(row: &Row) -> Part {
    part(&format!("{}\n{}", row.instruction, row.input))
}

/// A split of a task. All inputs are distinct.
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

/// The pretraining corpus, or rows to test a backbone with: all kinds with equal probability. Prompts may repeat within
/// a split, as short ones do in any corpus.
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

/// General instructions of the near kinds that are not in the corpus.
pub(super) fn pseudo_negative_rows(seed: u64) -> Vec<(&'static str, Row)> {
    let near: Vec<&'static Kind> = kinds().filter(|kind| !kind.far).collect();
    drawn(seed, "pseudo-negatives", &near, PSEUDO_NEGATIVE_ROWS, |row| {
        part_of_prompt(row) == Part::HeldBack && (row.input.is_empty() || part(&row.input) != Part::Tested)
    })
}

/// General instructions of the far kinds that are not in the corpus.
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
