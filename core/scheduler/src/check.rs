//! Checks of a recipe that read data and files: tasks, orders, folders, tokenizers, and rows (`row_check`).

pub(crate) mod row_check;
pub(crate) mod tokenizers;

use std::path::Path;

use cadre_checkpoint::CheckpointFolder;
use cadre_contract::Slot;
use cadre_data::{DataError, Hub, IndicatorTokens, SourceSpec, Tokenizer};
use cadre_recipe::{
    Backend, IndicatorWords, Loaded, Order, PluginCatalog, Precision, Pretrain, Recipe, RecipeError, Source,
    Template, TokenizerSource,
};
use cadre_store::chain;

use crate::planning::files::{data_split, indicator_form, source_spec, stream_spec, wrong_lengths};
use crate::planning::hub_names::resolve;
use crate::planning::memory::{bytes, machine_memory, need};
use crate::planning::planner::order_choice;
use row_check::Rows;
use tokenizers::opened;

/// The results of the checks, each located at a value of the recipe.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Errors.
    pub(crate) mistakes: Vec<RecipeError>,
    /// Warnings.
    pub(crate) warnings: Vec<RecipeError>,
}

/// All errors and warnings that require reading data and files.
#[must_use]
pub(crate) fn check(loaded: &Loaded, catalog: &PluginCatalog, hub: &Hub) -> Checked {
    let (recipe, unresolved) = resolve(&loaded.recipe, hub);
    let mut checker = Checker {
        loaded,
        catalog,
        recipe: &recipe,
        mistakes: Vec::new(),
        warnings: Vec::new(),
        rows: Vec::new(),
    };
    checker.stream();
    checker.sources();
    checker.rows();
    checker.template();
    checker.backbone();
    checker.memory();
    // An unresolved name is reported once, not again as a missing folder.
    checker.mistakes.retain(|mistake| unresolved.iter().all(|name| name.key != mistake.key));
    let names = unresolved.into_iter().map(|name| loaded.mistake(&name.key, name.problem));
    let mut warnings = loaded.plugin_notes();
    warnings.append(&mut checker.warnings);
    Checked { mistakes: names.chain(checker.mistakes).collect(), warnings }
}

struct Checker<'a> {
    loaded: &'a Loaded,
    catalog: &'a PluginCatalog,
    /// The recipe with Hub names resolved to folders.
    recipe: &'a Recipe,
    mistakes: Vec<RecipeError>,
    warnings: Vec<RecipeError>,
    /// Rows to check.
    rows: Vec<Rows>,
}

impl Checker<'_> {
    fn stream(&mut self) {
        let stream = &self.recipe.stream;
        let spec = stream_spec(stream);
        match cadre_data::task_order(&spec, &order_choice(&stream.order)) {
            Err(problem) => self.data("stream", "stream.order", problem),
            Ok(tasks) => {
                let splits = [cadre_data::Split::Train, cadre_data::Split::Test];
                let found = splits.iter().try_for_each(|split| {
                    cadre_data::source_files(&spec, &tasks, *split).and_then(|files| readable(&files))
                });
                match found {
                    Err(problem) => self.data("stream", "stream.order", problem),
                    Ok(()) => splits.iter().for_each(|split| {
                        for task in &tasks {
                            self.look_at(&spec, std::slice::from_ref(task), *split, "stream");
                        }
                    }),
                }
                self.metrics(&tasks);
                self.imports(&tasks);
                self.trained(&tasks);
                self.merge(&tasks);
            }
        }
    }

    /// Metrics exist, and task-specific metrics belong to tasks of the stream.
    fn metrics(&mut self, tasks: &[String]) {
        let known: Vec<&str> = tasks.iter().map(String::as_str).collect();
        let metrics = &self.recipe.evaluation.metrics;
        for task in metrics.tasks.keys().filter(|task| !tasks.contains(*task)) {
            let key = format!("evaluation.metrics.{task}");
            let problem = format!("the stream has no task `{task}`");
            self.mistakes.push(self.loaded.wrong_choice(&key, problem, task, &known));
        }
        let in_table = self.loaded.origin_of("evaluation.metrics.default") != "default";
        let default = if in_table { "evaluation.metrics.default" } else { "evaluation.metrics" };
        let lists = metrics.tasks.iter().map(|(task, names)| (format!("evaluation.metrics.{task}"), names));
        for (key, names) in std::iter::once((default.to_owned(), &metrics.default)).chain(lists) {
            for (place, name) in names.iter().enumerate() {
                if cadre_eval::metric(name).is_none() {
                    let known: Vec<&str> = cadre_eval::METRICS.iter().map(|entry| entry.name).collect();
                    let problem = format!("there is no metric `{name}`");
                    let at = format!("{key}[{place}]");
                    self.mistakes.push(self.loaded.wrong_choice(&at, problem, name, &known));
                }
            }
        }
    }

    /// Imported adapters exist and belong to distinct tasks of the stream.
    fn imports(&mut self, tasks: &[String]) {
        let known: Vec<&str> = tasks.iter().map(String::as_str).collect();
        let imports = self.recipe.expert.iter().flat_map(|expert| &expert.import);
        let mut seen: Vec<&str> = Vec::new();
        for (place, import) in imports.enumerate() {
            let at = |key: &str| format!("expert.import[{place}].{key}");
            if !tasks.contains(&import.task) {
                let problem = format!("the stream has no task `{}`", import.task);
                self.mistakes.push(self.loaded.wrong_choice(&at("task"), problem, &import.task, &known));
            }
            if seen.contains(&import.task.as_str()) {
                let problem = format!("task `{}` has an expert already", import.task);
                self.mistakes.push(self.loaded.mistake(&at("task"), problem));
            }
            seen.push(&import.task);
            for name in ["adapter_config.json", "adapter_model.safetensors"] {
                let file = import.adapter.join(name);
                if let Err(problem) = std::fs::File::open(&file) {
                    let problem = format!("cannot read {}: {problem}", file.display());
                    let mistake = self.loaded.mistake(&at("adapter"), problem);
                    self.mistakes.push(mistake.expected("a folder of a PEFT adapter"));
                }
            }
        }
    }

    /// Lists of a merge's settings have one number per expert.
    fn merge(&mut self, tasks: &[String]) {
        let Some(merge) = self.recipe.routing.as_ref().and_then(|routing| routing.merge.as_ref()) else {
            return;
        };
        // A method that is not there was reported when the recipe was read.
        let Some((_, policy)) = self.catalog.policy(Slot::Merge, &merge.plugin) else { return };
        for (setting, problem) in wrong_lengths(policy, &merge.settings, tasks.len()) {
            self.mistakes.push(self.loaded.mistake(&format!("routing.merge.{setting}"), problem));
        }
    }

    /// Tasks without an imported adapter are trained, which requires a length of training.
    fn trained(&mut self, tasks: &[String]) {
        let Some(expert) = self.recipe.expert.as_ref().filter(|expert| !expert.import.is_empty()) else {
            return;
        };
        let taken = |task: &&String| expert.import.iter().any(|import| import.task == **task);
        let length = expert.training.epochs.or(expert.training.steps);
        if let (None, Some(task)) = (length, tasks.iter().find(|task| !taken(task))) {
            let problem = format!(
                "`import` has no expert for task `{task}`, which must then be trained, but no length of training is set"
            );
            let mistake = self.loaded.mistake("expert.import", problem);
            self.mistakes
                .push(mistake.expected("`epochs` or `steps` in `training`, or an adapter for the task"));
        }
    }

    fn sources(&mut self) {
        let recipe = self.recipe;
        if let Some(pretrain) = &recipe.backbone.pretrain {
            for (place, source) in pretrain.corpus.iter().enumerate() {
                self.source(source, &format!("backbone.pretrain.corpus[{place}]"));
            }
        }
        if let Some(source) =
            recipe.rehearsal.as_ref().and_then(|rehearsal| rehearsal.pseudo_negatives.as_ref())
        {
            self.source(source, "rehearsal.pseudo-negatives");
        }
        if let Some(source) = &recipe.evaluation.out_of_distribution {
            self.source(source, "evaluation.out-of-distribution");
        }
    }

    fn source(&mut self, source: &Source, key: &str) {
        let spec: SourceSpec = source_spec(source);
        let found = cadre_data::source_files(&spec, &source.tasks, data_split(source.split))
            .and_then(|files| readable(&files));
        let tasks = format!("{key}.tasks");
        match found {
            Err(problem) => self.data(key, &tasks, problem),
            Ok(()) => self.look_at(&spec, &source.tasks, data_split(source.split), key),
        }
    }

    /// Adds rows to check, except those of built-in formats.
    fn look_at(&mut self, spec: &SourceSpec, tasks: &[String], split: cadre_data::Split, section: &str) {
        if spec.path.is_some() {
            let (spec, tasks) = (spec.clone(), tasks.to_vec());
            self.rows.push(Rows { section: section.to_owned(), spec, tasks, split });
        }
    }

    /// Every row can be read, and the template renders earlier turns if rows have them.
    fn rows(&mut self) {
        let template = match &self.recipe.stream.template {
            Template::Plain => Some(cadre_data::Template::Plain),
            Template::Alpaca => Some(cadre_data::Template::Alpaca),
            Template::Chat => None,
            // An unreadable template is reported elsewhere.
            Template::File(path) => cadre_data::Template::file(path).ok(),
        };
        let template = template.filter(|template| !template.shows_turns());
        let found = row_check::look(&self.rows);
        for (rows, found) in self.rows.iter().zip(found) {
            if let Some(problem) = found.mistake {
                self.mistakes.push(self.loaded.mistake(&format!("{}.path", rows.section), problem));
            }
            let reported = self.mistakes.iter().any(|mistake| mistake.key == "stream.template");
            let example = found.with_turns.as_ref().filter(|_| !reported);
            if let Some(problem) = example.zip(template.as_ref()).and_then(|(row, of)| of.prompt(row).err()) {
                self.mistakes.push(self.loaded.mistake("stream.template", problem));
            }
            for note in found.notes {
                let warning = self.loaded.mistake(&format!("{}.path", rows.section), note);
                // Two sections can refer to the same file.
                if self.warnings.iter().all(|known| known.message() != warning.message()) {
                    self.warnings.push(warning);
                }
            }
        }
    }

    fn template(&mut self) {
        if let Template::File(path) = &self.recipe.stream.template
            && let Err(problem) = cadre_data::Template::file(path)
        {
            self.mistakes.push(self.loaded.mistake("stream.template.file", problem));
        }
    }

    fn backbone(&mut self) {
        let backbone = &self.recipe.backbone;
        if let Some(folder) = &backbone.checkpoint {
            self.checkpoint(folder);
        }
        if let Some(Pretrain { tokenizer: TokenizerSource::File(path), .. }) = &backbone.pretrain {
            self.tokenizer(path, "backbone.pretrain.tokenizer.file", None);
        }
    }

    /// The lower bound of the memory must fit this machine. The memory of an accelerator is not known here.
    fn memory(&mut self) {
        let held = match self.recipe.device.backend {
            Backend::Cpu | Backend::NdArray => machine_memory(),
            Backend::Cuda { .. } => None,
        };
        let Some((need, held)) = need(self.recipe).zip(held).filter(|(need, held)| need.least > *held) else {
            return;
        };
        let problem = format!(
            "the backbone and the trained weights need {} of memory, but this machine has {}",
            bytes(need.least),
            bytes(held)
        );
        let mut mistake = self.loaded.mistake("backbone", problem);
        if self.recipe.device.precision == Precision::F32 && self.recipe.backbone.checkpoint.is_some() {
            mistake = mistake.suggest("`device.precision = \"bf16\"` halves the backbone");
        }
        self.mistakes.push(mistake);
    }

    fn checkpoint(&mut self, folder: &Path) {
        const KEY: &str = "backbone.checkpoint";
        if !folder.is_dir() {
            let problem = format!("there is no folder {}", folder.display());
            let place = self.loaded.mistake(KEY, problem);
            let mut error = place.expected("a folder with config.json, *.safetensors and tokenizer.json");
            error.suggestion = hub_name(folder).map(|name| format!("a model of the Hub is named `{name}`"));
            self.mistakes.push(error);
            return;
        }
        let lacks = |name: &str| !folder.join(name).exists();
        if lacks("config.json") && lacks("tokenizer.json") {
            let problem = format!(
                "{} holds no checkpoint: it has neither config.json nor tokenizer.json",
                folder.display()
            );
            let mistake = self.loaded.mistake(KEY, problem);
            self.mistakes
                .push(mistake.expected("a folder with config.json, *.safetensors and tokenizer.json"));
            return;
        }
        let rows = match CheckpointFolder::open(folder) {
            Ok(checkpoint) => {
                let remarks = checkpoint.remarks.into_iter().map(|remark| self.loaded.mistake(KEY, remark));
                self.warnings.extend(remarks);
                u32::try_from(checkpoint.shape.vocabulary).ok()
            }
            Err(problem) => {
                let mistake = self.loaded.mistake(KEY, problem);
                self.mistakes.push(mistake.expected("a checkpoint folder in Hugging Face layout"));
                None
            }
        };
        self.tokenizer(folder, KEY, rows);
    }

    /// The tokenizer is readable and satisfies the recipe. `rows` is the number of rows of the backbone's embedding.
    fn tokenizer(&mut self, path: &Path, key: &str, rows: Option<u32>) {
        let recipe = self.recipe;
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_path_buf() };
        if let Err(problem) = std::fs::File::open(&file) {
            self.mistakes
                .push(self.loaded.mistake(key, format!("cannot read {}: {problem}", file.display())));
            return;
        }
        let rows_of = |tokenizer: Tokenizer| match rows {
            Some(rows) => tokenizer.with_rows(rows),
            None => Ok(tokenizer),
        };
        let tokenizer = match opened(path).and_then(rows_of) {
            Ok(tokenizer) => tokenizer,
            Err(problem) => {
                self.mistakes.push(self.loaded.mistake(key, problem));
                return;
            }
        };
        for remark in tokenizer.remarks() {
            self.warnings.push(self.loaded.mistake(key, remark));
        }
        let marks = recipe.indicator.as_ref();
        let chats = recipe.stream.template == Template::Chat;
        if chats && let Err(problem) = cadre_data::Template::chat(&tokenizer) {
            self.mistakes.push(self.loaded.mistake("stream.template", problem));
        }
        if let Some(words) = recipe.indicator.as_ref().and_then(|indicator| indicator.start_from.as_ref()) {
            self.start_words(&tokenizer, words);
        }
        if let Some(indicator) = marks {
            let form = indicator_form(indicator.kind);
            let rows = rows.unwrap_or_else(|| tokenizer.vocabulary());
            if let Err(problem) =
                IndicatorTokens::new(&tokenizer, form, &indicator.accept, &indicator.reject, rows)
            {
                let wrong = match &problem {
                    DataError::SplitToken { token, .. } | DataError::TokenExists { token, .. }
                        if *token == indicator.reject =>
                    {
                        "indicator.reject"
                    }
                    _ => "indicator.accept",
                };
                self.mistakes.push(self.loaded.mistake(wrong, problem));
            }
        }
    }

    /// The tokenizer has tokens for the words that initialise new tokens.
    fn start_words(&mut self, tokenizer: &Tokenizer, words: &IndicatorWords) {
        let words =
            [("indicator.start-from.accept", &words.accept), ("indicator.start-from.reject", &words.reject)];
        for (key, word) in words {
            let problem = match tokenizer.encode(word) {
                Ok(ids) if !ids.is_empty() => continue,
                Ok(_) => format!("the tokenizer has no token for {word:?}"),
                Err(problem) => chain(&problem),
            };
            self.mistakes.push(self.loaded.mistake(key, problem));
        }
    }

    /// Locates an error of `cadre-data` in the source in `section`, whose tasks are listed in the key `tasks`.
    fn data(&mut self, section: &str, tasks: &str, problem: DataError) {
        let message = problem.to_string();
        let loaded = self.loaded;
        let mistake = match &problem {
            DataError::UnknownFormat { name, known } => {
                loaded.wrong_choice(&format!("{section}.format"), problem_line(&message), name, known)
            }
            DataError::UnknownTask { task, known, .. } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                loaded.wrong_choice(&self.place_of(tasks, task), problem_line(&message), task, &known)
            }
            DataError::UnknownOrder { order, known, .. } => {
                let error = loaded.wrong_choice("stream.order", problem_line(&message), order, known);
                match self.task_as_order(order) {
                    Some(hint) => error.suggest(hint),
                    None => error,
                }
            }
            DataError::TaskTwice { task } => loaded.mistake(&self.place_of(tasks, task), problem),
            DataError::PathNeeded { .. } => loaded.mistake(section, problem),
            _ => {
                let error = loaded.mistake(&format!("{section}.path"), problem);
                match loaded.data_note(&message) {
                    Some(note) => error.suggest(note),
                    None => error,
                }
            }
        };
        self.mistakes.push(mistake);
    }

    /// What to write where the name of an order is that of a task, or nearly so.
    fn task_as_order(&self, word: &str) -> Option<String> {
        let alone = cadre_data::OrderChoice::Tasks(vec![word.to_owned()]);
        match cadre_data::task_order(&stream_spec(&self.recipe.stream), &alone) {
            Ok(_) => Some(format!("`{word}` is a task; tasks are given as a list: `order = [\"{word}\"]`")),
            Err(DataError::UnknownTask { known, .. }) => {
                // The nearest comes first.
                let begins_alike = |task: &&String| {
                    task.chars().zip(word.chars()).take_while(|(one, other)| one == other).count()
                };
                let near = known.first().filter(|task| 2 * begins_alike(task) > word.chars().count())?;
                Some(format!(
                    "did you mean the task `{near}`? Tasks are given as a list: `order = [\"{near}\"]`"
                ))
            }
            Err(_) => None,
        }
    }

    /// The key of a task: its last index in the list of tasks, if the recipe has such a list.
    fn place_of(&self, tasks: &str, task: &str) -> String {
        let recipe = self.recipe;
        let list: &[String] = match (tasks, &recipe.stream.order) {
            ("stream.order", Order::Tasks(list)) => list,
            ("stream.order", Order::Named(_)) => return tasks.to_owned(),
            _ => &[],
        };
        match list.iter().rposition(|name| name == task) {
            Some(place) => format!("{tasks}[{place}]"),
            None => tasks.to_owned(),
        }
    }
}

/// The Hub name for a path like `ORG/NAME` if neither folder exists.
fn hub_name(folder: &Path) -> Option<String> {
    let (parent, name) = (folder.parent()?, folder.file_name()?.to_str()?);
    let organisation = parent.file_name()?.to_str()?;
    let beside = parent.parent().is_some_and(Path::is_dir);
    (beside && !parent.exists()).then(|| format!("hf://{organisation}/{name}"))
}

/// The error without the list of available names, which is part of the expected value.
fn problem_line(message: &str) -> String {
    message.split("; ").next().unwrap_or(message).to_owned()
}

fn readable(files: &[std::path::PathBuf]) -> Result<(), DataError> {
    files.iter().try_for_each(|file| {
        std::fs::File::open(file).map(drop).map_err(|source| DataError::Read { file: file.clone(), source })
    })
}

#[cfg(test)]
mod tests;
