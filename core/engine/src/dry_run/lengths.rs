//! Dry run of a recipe's rows: they are drawn as in the run, tokenised, and compared with the maximum lengths of
//! prompts and responses; also compares the steps of a training with its warm-up. Of many rows only a sample is
//! checked, and the warning says so.

use std::path::Path;

use cadre_data::{
    DataError, Encoder, EncodingLimits, Example, IndicatorForm, IndicatorTokens, Split, Target, Tokenizer,
};
use cadre_recipe::{Loaded, Recipe, RecipeError};
use cadre_scheduler::{
    Answering, Budget, ComposeWork, IndicatorWork, Length, Plan, PrepareWork, StageSpec, StageWork,
    TemplateWork, TrainWork, TrainingWork, ValidationWork, indicator_form,
};
use cadre_store::chain;
use serde_json::json;

use super::Tried;
use super::adapters::opened;
use super::room::{Notes, Room};
use crate::error::EngineError;
use crate::stage::{backbone_sizes, draw_examples, draw_task, learned, planned_tokenizer, template};

/// Maximum number of rows to tokenise per split of a task.
const MAX_ROWS: usize = 1000;
/// Maximum bytes of text to tokenise per split of a task.
const MAX_BYTES: usize = 4 << 20;
/// Sources with larger files (in bytes) are not read before their `prepare` stage.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Longer than any row: no truncation.
const UNBOUNDED: usize = 1 << 40;

/// Recipe key of a backbone's pretraining corpus.
const CORPUS: &str = "backbone.pretrain.corpus";
/// Recipe key of queries that no expert answers.
const PSEUDO_NEGATIVES: &str = "rehearsal.pseudo-negatives";

/// The parts of a recipe that the lengths depend on, except for its seed.
pub(super) fn measured_by(recipe: &Recipe) -> String {
    let expert = recipe.expert.as_ref();
    let training = |training: &cadre_recipe::Training| {
        json!([
            training.epochs,
            training.batch,
            training.accumulate,
            training.warmup,
            training.max_prompt,
            training.max_response
        ])
    };
    json!([
        recipe.stream,
        recipe.backbone,
        recipe.indicator,
        recipe.rehearsal,
        recipe.evaluation.out_of_distribution,
        recipe.evaluation.validation,
        recipe.evaluation.decoding.max_new_tokens,
        expert.map(|expert| (expert.per, training(&expert.training))),
    ])
    .to_string()
}

/// Checks the rows that the plan will read.
pub(super) fn measured(loaded: &Loaded, plan: &Plan, store: &Path) -> Result<Tried, EngineError> {
    let rows = vec![None; plan.stages.len()];
    let mut measure = Measure { loaded, plan, rows, notes: Notes::default(), tried: Tried::default() };
    measure.all(store)?;
    let Measure { notes, mut tried, .. } = measure;
    tried.warnings.extend(notes.placed(loaded));
    Ok(tried)
}

/// Rows of one kind, as in the run.
struct Drawn {
    /// Display name.
    name: String,
    split: Split,
    examples: Vec<Example>,
    /// Their key in the recipe.
    key: String,
}

struct Measure<'a> {
    loaded: &'a Loaded,
    plan: &'a Plan,
    /// Number of rows of each stage, if known.
    rows: Vec<Option<u64>>,
    notes: Notes,
    tried: Tried,
}

impl Measure<'_> {
    fn all(&mut self, store: &Path) -> Result<(), EngineError> {
        let backbone = self.plan.stages.iter().find_map(|stage| match &stage.work {
            StageWork::Backbone(work) => Some(backbone_sizes(work)),
            _ => None,
        });
        let Some(sizes) = backbone.transpose()? else { return Ok(()) };
        let drawn = self.draw();
        self.held_out();
        self.steps();
        let Some(room) = self.room(sizes.context) else { return Ok(()) };
        // A token has at least one byte: if no text has more bytes than there is room for tokens, the tokenizer is not
        // needed. (One that is trained by the run would have to be trained here first.)
        let around = if room.prompt.template == TemplateWork::Plain { 8 } else { 512 };
        let tight = drawn
            .iter()
            .any(|set| set.examples.iter().any(|row| bytes(row) + around > room.smallest_limit(set.split)));
        let trains = self.loaded.recipe.backbone.pretrain.is_some();
        if trains && !tight {
            return Ok(());
        }
        let tokenizer = match planned_tokenizer(self.plan, opened(store)?.as_ref(), &|| {}) {
            Ok(Some(tokenizer)) => tokenizer,
            Ok(None) => return Ok(()),
            Err(EngineError::Data(problem)) => {
                let key = if trains { "backbone.pretrain.tokenizer" } else { "backbone.checkpoint" };
                self.tried.errors.push(self.loaded.mistake(key, problem));
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        let rows = sizes.vocabulary.unwrap_or(tokenizer.vocabulary() as usize);
        self.tokens(&tokenizer, rows, &room, &drawn)
    }

    /// Draws the rows of all `prepare` stages. An unreadable source is an error of the recipe; one that is too large is
    /// skipped, with a warning.
    fn draw(&mut self) -> Vec<Drawn> {
        let mut all = Vec::new();
        for (index, stage) in self.plan.stages.iter().enumerate() {
            let StageWork::Prepare(work) = &stage.work else { continue };
            let (key, files) = self.source_of(stage, work);
            let length = |file: &std::path::PathBuf| std::fs::metadata(file).map_or(0, |facts| facts.len());
            let bytes: u64 = files.iter().map(length).sum();
            if bytes > MAX_FILE_BYTES {
                let problem = format!(
                    "the files of `{}` have {} MB: files of more than {} MB are not checked before `{}` reads them",
                    name_of(stage),
                    bytes >> 20,
                    MAX_FILE_BYTES >> 20,
                    stage.name
                );
                self.tried.warnings.push(self.loaded.mistake(&key, problem));
                continue;
            }
            let found = match work {
                PrepareWork::Task(work) => [Split::Train, Split::Test]
                    .into_iter()
                    .map(|split| Ok((split, draw_task(work, split)?)))
                    .collect::<Result<Vec<_>, EngineError>>(),
                PrepareWork::Examples(work) => {
                    let split =
                        if stage.name.ends_with("out-of-distribution") { Split::Test } else { Split::Train };
                    draw_examples(work).map(|examples| vec![(split, examples)])
                }
            };
            match found {
                Err(problem) => {
                    self.tried.errors.push(self.loaded.mistake(&key, plain(problem)));
                }
                Ok(found) => {
                    self.rows[index] = found.first().map(|(_, examples)| examples.len() as u64);
                    // A pretraining corpus has texts of any length; cutting them is expected.
                    if key == CORPUS {
                        continue;
                    }
                    let (name, key) = (name_of(stage), key.clone());
                    let drawn = |(split, examples)| Drawn {
                        name: name.to_owned(),
                        split,
                        examples,
                        key: key.clone(),
                    };
                    all.extend(found.into_iter().map(drawn));
                }
            }
        }
        all
    }

    /// The recipe key of a stage's source, and its files.
    fn source_of(&self, stage: &StageSpec, work: &PrepareWork) -> (String, Vec<std::path::PathBuf>) {
        let files = |source: &cadre_scheduler::SourceWork| {
            source.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>()
        };
        match work {
            PrepareWork::Task(work) => ("stream.path".to_owned(), files(&work.source)),
            PrepareWork::Examples(work) => {
                let key = match name_of(stage) {
                    "corpus" => CORPUS,
                    "pseudo-negatives" => PSEUDO_NEGATIVES,
                    _ => "evaluation.out-of-distribution",
                };
                (key.to_owned(), work.sources.iter().flat_map(|part| files(&part.source)).collect())
            }
        }
    }

    /// Validation splits that leave a task nothing to learn.
    fn held_out(&mut self) {
        let trains = self.plan.stages.iter().any(|stage| matches!(stage.work, StageWork::Train(_)));
        if self.loaded.recipe.evaluation.validation.is_some() && !trains {
            let problem = "every expert is imported: none is trained, and nothing is held out";
            self.tried.errors.push(self.loaded.mistake("evaluation.validation", problem));
        }
        for stage in &self.plan.stages {
            let StageWork::Compose(ComposeWork { held_out: Some(count), .. }) = &stage.work else { continue };
            for input in &stage.inputs {
                let StageWork::Prepare(PrepareWork::Task(task)) = &self.plan.stages[*input].work else {
                    continue;
                };
                let Some(rows) = self.rows[*input] else { continue };
                if let Err(problem) = learned(&task.task, rows as usize, *count) {
                    let mistake = self.loaded.mistake("evaluation.validation.count", problem);
                    self.tried.errors.push(mistake);
                }
            }
        }
    }

    /// Checks for warm-ups that are as long as the training, and for validation settings that cannot act in so few steps.
    fn steps(&mut self) {
        for index in 0..self.plan.stages.len() {
            let stage = &self.plan.stages[index];
            self.rows[index] = self.rows[index].or_else(|| self.rows_of(stage));
            let (training, key, rows) = match &stage.work {
                StageWork::Train(work) => (
                    &work.training,
                    "expert.training",
                    stage.inputs.get(1).and_then(|input| self.rows[*input]),
                ),
                StageWork::Backbone(cadre_scheduler::BackboneWork::Pretrain(work)) => (
                    &work.training,
                    "backbone.pretrain.training",
                    stage.inputs.first().and_then(|input| self.rows[*input]),
                ),
                _ => continue,
            };
            let Some((rows, steps)) = rows.and_then(|rows| Some((rows, steps(training, rows)?))) else {
                continue;
            };
            if training.warmup > 0 && u64::from(training.warmup) >= steps {
                let what = format!("`warmup` = {} is no shorter than the training", training.warmup);
                let one = format!("`{}`: {steps} steps of {rows} rows", stage.name);
                self.notes.add(&format!("{key}.warmup"), what, one);
            }
            if let StageWork::Train(TrainWork { validation: Some(validation), .. }) = &stage.work
                && let Some((key, what)) = without_effect(validation, steps)
            {
                let one = format!("`{}`: {steps} steps of {rows} rows", stage.name);
                self.notes.add(&format!("evaluation.validation.{key}"), what, one);
            }
        }
    }

    /// Number of rows of a stage that combines rows of others; an upper bound if it samples.
    fn rows_of(&self, stage: &StageSpec) -> Option<u64> {
        match &stage.work {
            StageWork::Remember(work) => {
                let task = self.rows[*stage.inputs.get(1)?]?;
                Some(match work.budget {
                    Budget::Share(share) => (task as f64 * share).ceil() as u64,
                    Budget::Count(count) => task.min(count.into()),
                })
            }
            StageWork::Compose(work) => {
                let mut all = 0_u64;
                for input in &stage.inputs {
                    let given = &self.plan.stages[*input];
                    let rows = match &given.work {
                        StageWork::Prepare(_) | StageWork::Remember(_) => self.rows[*input]?,
                        _ => continue,
                    };
                    let count = work.pseudo_negatives.as_ref().and_then(|pseudo| pseudo.count);
                    let examples = matches!(given.work, StageWork::Prepare(PrepareWork::Examples(_)));
                    let held_out = match &given.work {
                        StageWork::Prepare(PrepareWork::Task(_)) => u64::from(work.held_out.unwrap_or(0)),
                        _ => 0,
                    };
                    all += match count.filter(|_| examples) {
                        Some(count) => rows.min(count as u64),
                        None => rows.saturating_sub(held_out),
                    };
                }
                Some(all)
            }
            _ => None,
        }
    }

    /// Maximum lengths of prompts and responses. `None`, and an error, if the context leaves no room for a prompt.
    fn room(&mut self, context: usize) -> Option<Room> {
        let training = self.plan.stages.iter().find_map(|stage| match &stage.work {
            StageWork::Train(work) => Some(work),
            _ => None,
        });
        let evaluation = self.plan.stages.iter().find_map(|stage| match &stage.work {
            StageWork::Evaluate(work) => Some(work),
            _ => None,
        })?;
        let indicator = match &evaluation.answering {
            Answering::Routed(routing) => routing.indicator.clone(),
            Answering::Backbone | Answering::Adapter | Answering::Merged => None,
        };
        let room = Room {
            prompt: evaluation.prompt.clone(),
            indicator,
            context,
            learnt: training.map(|work| work.max_response as usize),
            answer: evaluation.decoding.max_new_tokens as usize,
        };
        let parts = [
            (room.learnt, "expert.training.max-response"),
            (Some(room.answer), "evaluation.decoding.max-new-tokens"),
        ];
        for (response, key) in parts {
            if let Some(response) = response
                && room.longest_prompt(response, 0).0 < 2
            {
                let problem = EngineError::NoRoom { context, response }.to_string();
                self.tried.errors.push(self.loaded.mistake(key, problem));
                return None;
            }
        }
        Some(room)
    }

    fn tokens(
        &mut self,
        tokenizer: &Tokenizer,
        rows: usize,
        room: &Room,
        drawn: &[Drawn],
    ) -> Result<(), EngineError> {
        let template = match template(&room.prompt.template, tokenizer) {
            Ok(template) => template,
            Err(problem) => {
                self.tried.errors.push(self.loaded.mistake("stream.template", plain(problem)));
                return Ok(());
            }
        };
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let (tokenizer, indicators) = match &room.indicator {
            None => (tokenizer.clone(), None),
            Some(IndicatorWork { accept, reject, kind }) => {
                let form: IndicatorForm = indicator_form(*kind);
                match IndicatorTokens::new(tokenizer, form, accept, reject, rows) {
                    Ok((tokenizer, indicators)) => (tokenizer, Some(indicators)),
                    Err(problem) => {
                        self.tried.errors.push(self.indicator(problem, reject));
                        return Ok(());
                    }
                }
            }
        };
        let marks =
            indicators.as_ref().map_or(0, |indicators| indicators.accept.len().max(indicators.reject.len()));
        let limits = EncodingLimits { max_prompt: UNBOUNDED, max_response: UNBOUNDED };
        let unbounded = Encoder::new(tokenizer, template, None, limits);
        for set in drawn {
            let Some(response) = room.response(set.split) else { continue };
            let checked = part(&set.examples);
            let rows: Vec<(&Example, Target)> = checked.iter().map(|row| (row, Target::Plain)).collect();
            let lengths = unbounded.prompt_ids_all(checked).and_then(|prompts| {
                let whole = unbounded.encode_all(&rows)?;
                let both = prompts.iter().zip(&whole);
                Ok(both.map(|(prompt, whole)| (prompt.len(), whole.len() - prompt.len())).collect::<Vec<_>>())
            });
            let lengths = match lengths {
                Ok(lengths) => lengths,
                Err(problem) => {
                    let key =
                        if matches!(problem, DataError::Template { .. } | DataError::TurnsNotShown { .. }) {
                            "stream.template"
                        } else {
                            &set.key
                        };
                    self.tried.errors.push(self.loaded.mistake(key, problem));
                    continue;
                }
            };
            let of = if checked.len() < set.examples.len() {
                format!("{} checked rows, of {} in all", checked.len(), set.examples.len())
            } else {
                set.examples.len().to_string()
            };
            let kind = if set.split == Split::Train { "training" } else { "test" };
            let (limit, key) = room.longest_prompt(response, marks);
            let long: Vec<usize> =
                lengths.iter().map(|(prompt, _)| *prompt).filter(|one| *one > limit).collect();
            if let Some(longest) = long.iter().max() {
                let why = match key {
                    "backbone" => format!(
                        "the {limit} that the backbone's context of {} leaves beside a response of {response}",
                        room.context
                    ),
                    _ => format!("`max-prompt` = {limit}"),
                };
                let what = format!("{kind} prompts have more tokens than {why} and are cut");
                let one = format!("`{}`: {} of {of} (the longest has {longest})", set.name, long.len());
                self.notes.add(key, what, one);
            }
            if set.split == Split::Test || (set.key == PSEUDO_NEGATIVES && !self.learns_rejected()) {
                continue;
            }
            let long: Vec<usize> =
                lengths.iter().map(|(_, response)| *response).filter(|one| *one > response).collect();
            if let Some(longest) = long.iter().max() {
                let what = format!(
                    "{kind} responses have more tokens than `max-response` = {response}, end token counted, and are cut"
                );
                let one = format!("`{}`: {} of {of} (the longest has {longest})", set.name, long.len());
                self.notes.add("expert.training.max-response", what, one);
            }
        }
        Ok(())
    }

    /// Whether the response of a rejected query is learned too.
    fn learns_rejected(&self) -> bool {
        self.plan.stages.iter().any(|stage| match &stage.work {
            StageWork::Compose(work) => !work.marked || work.negatives_keep_response == Some(true),
            _ => false,
        })
    }

    /// The location of a problem with an indicator.
    fn indicator(&self, problem: DataError, reject: &str) -> RecipeError {
        let wrong = match &problem {
            DataError::SplitToken { token, .. } | DataError::TokenExists { token, .. } if token == reject => {
                "indicator.reject"
            }
            _ => "indicator.accept",
        };
        self.loaded.mistake(wrong, problem)
    }
}

/// What a stage prepares: a task, or a set beside the stream.
fn name_of(stage: &StageSpec) -> &str {
    match &stage.work {
        StageWork::Prepare(PrepareWork::Task(work)) => &work.task,
        // `prepare`, a separator, and the name.
        _ => stage.name.strip_prefix("prepare").and_then(|name| name.get(1..)).unwrap_or(&stage.name),
    }
}

/// The error and its causes, without the words that a stage puts in front of errors of data.
fn plain(problem: EngineError) -> String {
    match problem {
        EngineError::Data(problem) => chain(&problem),
        other => chain(&other),
    }
}

/// Number of steps of a training over this number of rows; `None` if the recipe sets it.
fn steps(training: &TrainingWork, rows: u64) -> Option<u64> {
    let Length::Epochs(epochs) = training.length else { return None };
    let a_step = u64::from(training.batch) * u64::from(training.accumulate);
    Some(rows.div_ceil(a_step.max(1)) * u64::from(epochs))
}

/// The validation key that has no effect in a training of at most this many steps, and why.
fn without_effect(validation: &ValidationWork, steps: u64) -> Option<(&'static str, String)> {
    let every = u64::from(validation.every);
    if every >= steps {
        return Some((
            "every",
            format!("`every` = {every}: the held-out loss is measured only after the last step"),
        ));
    }
    let measured = steps.div_ceil(every);
    let patience = u64::from(validation.patience?);
    // The first measurement is the lowest so far, and stopping after the last one is no earlier than planned.
    (patience + 1 >= measured).then(|| {
        (
            "patience",
            format!("`patience` = {patience} can never stop a training early with so few measurements"),
        )
    })
}

/// Bytes of a row's text.
fn bytes(row: &Example) -> usize {
    let said: usize = row.turns.iter().map(|turn| turn.content.len()).sum();
    said + row.instruction.len() + row.input.len() + row.output.len()
}

/// The rows to check. Rows are in drawing order, so a prefix is a random sample.
fn part(examples: &[Example]) -> &[Example] {
    let mut room = MAX_BYTES;
    let fits = |row: &&Example| {
        let fits = room > 0;
        room = room.saturating_sub(bytes(row));
        fits
    };
    let count = examples.iter().take(MAX_ROWS).take_while(fits).count();
    &examples[..count]
}
