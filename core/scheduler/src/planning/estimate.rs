//! Cost estimates of stages, from file sizes and the recipe, before any data is loaded. Estimates are only displayed;
//! no stage must read one.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::planning::files::data_split;
use crate::stages::{
    BackboneWork, Budget, ComposeWork, Estimate, ExamplesWork, Length, PSEUDO_NEGATIVES, PrepareWork,
    PretrainWork, RememberWork, StageSpec, StageWork, TrainWork, TrainingWork,
};

/// Bytes of text per token, a rough mean over the tokenizers in use.
const BYTES_PER_TOKEN: f64 = 4.0;
/// Bytes per row of the built-in stream, within about a third.
const BUILT_IN_ROW: f64 = 100.0;
/// Bytes of a file that are read.
const LOOK: usize = 1 << 16;

/// Number and length of rows, if known.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    rows: Option<f64>,
    tokens_per_row: Option<f64>,
}

/// Estimates stages in the order of a plan.
#[derive(Debug, Default)]
pub(crate) struct Estimator {
    sizes: HashMap<usize, Size>,
}

impl Estimator {
    pub(crate) fn estimate(&mut self, work: &StageWork, inputs: &[usize], stages: &[StageSpec]) -> Estimate {
        let size = self.size(work, inputs, stages);
        self.sizes.insert(stages.len(), size);
        let training_tokens = match work {
            StageWork::Train(TrainWork { training, prompt, max_response, .. }) => {
                let longest = f64::from(prompt.max_prompt.unwrap_or(u32::MAX)) + f64::from(*max_response);
                tokens(size, training, longest)
            }
            StageWork::Backbone(BackboneWork::Pretrain(PretrainWork { training, architecture, .. })) => {
                tokens(size, training, f64::from(architecture.context))
            }
            _ => None,
        };
        Estimate { examples: size.rows.map(|rows| rows.round() as u64), training_tokens }
    }

    fn size(&self, work: &StageWork, inputs: &[usize], stages: &[StageSpec]) -> Size {
        match work {
            StageWork::Prepare(PrepareWork::Task(work)) => {
                let source = ExamplesWork {
                    source: work.source.clone(),
                    tasks: vec![work.task.clone()],
                    split: cadre_recipe::Split::Train,
                    limit: work.limits.train,
                };
                size_of(&source)
            }
            StageWork::Prepare(PrepareWork::Examples(work)) => work.sources.iter().map(size_of).fold(
                Size { rows: Some(0.0), tokens_per_row: None },
                |all, one| Size {
                    rows: all.rows.zip(one.rows).map(|(all, one)| all + one),
                    tokens_per_row: mean(all, one),
                },
            ),
            StageWork::Backbone(BackboneWork::Pretrain(_)) => self.of(inputs.first()),
            StageWork::Train(_) => self.of(inputs.get(1)),
            StageWork::Remember(work) => self.remembered(work, inputs),
            StageWork::Compose(work) => self.composed(work, inputs, stages),
            StageWork::Backbone(BackboneWork::Checkpoint(_))
            | StageWork::Import(_)
            | StageWork::Describe(_)
            | StageWork::Merge(_)
            | StageWork::Evaluate(_)
            | StageWork::OutOfDistribution(_)
            | StageWork::Report(_) => Size::default(),
        }
    }

    fn of(&self, place: Option<&usize>) -> Size {
        place.and_then(|place| self.sizes.get(place)).copied().unwrap_or_default()
    }

    fn remembered(&self, work: &RememberWork, inputs: &[usize]) -> Size {
        let task = self.of(inputs.get(1));
        let rows = match work.budget {
            Budget::Share(share) => task.rows.map(|rows| rows * share),
            Budget::Count(count) => Some(f64::from(count)),
        };
        Size { rows, tokens_per_row: task.tokens_per_row }
    }

    fn composed(&self, work: &ComposeWork, inputs: &[usize], stages: &[StageSpec]) -> Size {
        let mut all = Size { rows: Some(0.0), tokens_per_row: None };
        for place in inputs {
            let mut one = match &stages[*place].work {
                StageWork::Prepare(_) | StageWork::Remember(_) => self.of(Some(place)),
                _ => continue,
            };
            if let StageWork::Prepare(PrepareWork::Task(_)) = &stages[*place].work {
                let held_out = f64::from(work.held_out.unwrap_or(0));
                one.rows = one.rows.map(|rows| (rows - held_out).max(0.0));
            }
            if stages[*place].name == PSEUDO_NEGATIVES
                && let Some(count) = work.pseudo_negatives.as_ref().and_then(|pseudo| pseudo.count)
            {
                one.rows = Some(one.rows.unwrap_or(f64::INFINITY).min(count as f64));
            }
            all = Size {
                tokens_per_row: mean(all, one),
                rows: all.rows.zip(one.rows).map(|(all, one)| all + one),
            };
        }
        all
    }
}

/// Mean tokens per row of both.
fn mean(one: Size, other: Size) -> Option<f64> {
    match (one.tokens_per_row, other.tokens_per_row) {
        (Some(a), Some(b)) => match (one.rows, other.rows) {
            (Some(m), Some(n)) if m + n > 0.0 => Some((a * m + b * n) / (m + n)),
            _ => Some(f64::midpoint(a, b)),
        },
        (a, b) => a.or(b),
    }
}

/// Tokens of training, with rows of at most `longest` tokens.
fn tokens(size: Size, training: &TrainingWork, longest: f64) -> Option<u64> {
    let per_row = size.tokens_per_row?.min(longest);
    let rows = match training.length {
        Length::Epochs(epochs) => size.rows? * f64::from(epochs),
        Length::Steps(steps) => f64::from(steps) * f64::from(training.batch) * f64::from(training.accumulate),
    };
    Some((rows * per_row).round() as u64)
}

fn size_of(work: &ExamplesWork) -> Size {
    let found = if work.source.files.is_empty() { built_in(work) } else { in_files(work) };
    let limit = work.limit.map(|limit| limit as f64);
    Size {
        rows: match (found.rows, limit) {
            (Some(rows), Some(limit)) => Some(rows.min(limit)),
            (rows, limit) => rows.or(limit),
        },
        ..found
    }
}

fn in_files(work: &ExamplesWork) -> Size {
    let spec = work.source.spec();
    let Ok(paths) = cadre_data::source_files(&spec, &work.tasks, data_split(work.split)) else {
        return Size::default();
    };
    let (mut rows, mut bytes) = (0.0, 0.0);
    for path in paths {
        let Some((found, length)) = rows_in(&path) else { return Size::default() };
        rows += found;
        bytes += length;
    }
    if rows < 1.0 {
        return Size::default();
    }
    Size { rows: Some(rows), tokens_per_row: Some(bytes / rows / BYTES_PER_TOKEN) }
}

/// The approximate number of examples in a file, extrapolated from its beginning, and its length in bytes; `None` if it
/// is compressed.
fn rows_in(path: &Path) -> Option<(f64, f64)> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if ["parquet", "gz", "zst"].contains(&ending) {
        return None;
    }
    let mut head = Vec::with_capacity(LOOK);
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len() as f64;
    file.take(LOOK as u64).read_to_end(&mut head).ok()?;
    if head.is_empty() {
        return Some((0.0, 0.0));
    }
    let found = if ["jsonl", "csv", "tsv"].contains(&ending) {
        head.iter().filter(|byte| **byte == b'\n').count()
    } else {
        // JSON files have one of these fields per example; other texts are split into pieces of half a kilobyte.
        let fields: [&[u8]; 2] = [b"\"input\"", b"\"prompt\""];
        let count = |field: &[u8]| head.windows(field.len()).filter(|window| *window == field).count();
        fields.into_iter().map(count).max().filter(|count| *count > 0).unwrap_or(head.len() / 512)
    };
    Some((found.max(1) as f64 * length / head.len() as f64, length))
}

/// A built-in format has no file, and generating its rows would take longer than the rest of the plan.
fn built_in(work: &ExamplesWork) -> Size {
    let tokens_per_row = (work.source.path.is_none()).then_some(BUILT_IN_ROW / BYTES_PER_TOKEN);
    Size { rows: None, tokens_per_row }
}

#[cfg(test)]
mod tests {
    use cadre_data::{SourceSpec, Split, load_source};

    use serde_json::json;

    use super::BUILT_IN_ROW;
    use crate::fixture::{Fixture, set, stage};

    #[test]
    fn held_out_rows_are_not_trained_on() {
        let fixture = Fixture::new();
        let examples = |recipe: &serde_json::Value| {
            let plan = fixture.plan(recipe);
            ["prepare/a", "compose/a", "train/a"].map(|name| stage(&plan, name).estimate.examples)
        };
        let mut recipe = fixture.recipe();
        set(&mut recipe, "stream.limits", json!({ "train": 9, "test": 9 }));
        let [rows, composed, trained] = examples(&recipe);
        set(&mut recipe, "evaluation.validation", json!({ "count": 2, "every": 5 }));
        let fewer = |examples: Option<u64>| examples.map(|examples| examples - 2);
        assert!(composed.is_some_and(|examples| examples > 2));
        assert_eq!(examples(&recipe), [rows, fewer(composed), fewer(trained)]);
    }

    #[test]
    fn rows_of_the_built_in_stream_are_about_as_long_as_guessed() {
        let spec = SourceSpec { format: "synthetic".to_owned(), ..SourceSpec::default() };
        for task in cadre_data::task_order(&spec, &cadre_data::OrderChoice::Default).unwrap() {
            let rows = load_source(&spec, std::slice::from_ref(&task), Split::Test).unwrap();
            let bytes: usize =
                rows.iter().map(|row| row.instruction.len() + row.input.len() + row.output.len()).sum();
            let a_row = bytes as f64 / rows.len() as f64;
            assert!((0.5..2.0).contains(&(a_row / BUILT_IN_ROW)), "{task}: {a_row}");
        }
    }
}
