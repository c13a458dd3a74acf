//! Resolves sources, templates, checkpoints and plugins of a recipe to files with digests. Records every file for the
//! provenance section of the report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cadre_contract::{PolicyDeclaration, SettingKind, Slot};
use cadre_data::{FieldMap, IndicatorForm, SourceSpec};
use cadre_recipe::{
    IndicatorKind, MethodUse, PluginCatalog, PluginEntry, PluginKind, PluginUse, Source, Stream, Template,
};
use cadre_store::{Digest, FileDigests, StoreError};
use serde_json::{Map, Value};

use crate::error::PlanError;
use crate::stages::{
    CHECKPOINT_READING, CheckpointWork, ExamplesWork, FileUse, PluginWork, PolicyWork, SourceWork,
    TemplateWork, TokenizerWork, UsedData, UsedPlugin,
};

/// Files of a checkpoint, other than weights, that affect its output.
const CHECKPOINT_FILES: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// Files beside a `tokenizer.json` that affect its output: special tokens, stop tokens, the chat template.
const BESIDE_TOKENIZER: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// Names of the files of a checkpoint folder that affect its output: weights, configuration, tokenizer.
///
/// # Errors
/// When the folder cannot be listed.
pub fn checkpoint_file_names(folder: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".safetensors") || CHECKPOINT_FILES.contains(&name.as_str()) {
            names.insert(name);
        }
    }
    Ok(names)
}

/// The files of a tokenizer: its `tokenizer.json`, and the related files beside it.
#[must_use]
pub fn tokenizer_files(file: &Path) -> Vec<PathBuf> {
    let beside = BESIDE_TOKENIZER.iter().map(|name| file.with_file_name(name));
    std::iter::once(file.to_path_buf()).chain(beside.filter(|path| path.is_file())).collect()
}

/// The files of a task of a stream, those of both splits.
///
/// # Errors
/// When they cannot be listed.
pub fn task_files(spec: &SourceSpec, task: &str) -> Result<Vec<PathBuf>, cadre_data::DataError> {
    let tasks = [task.to_owned()];
    let mut paths = Vec::new();
    for split in [cadre_data::Split::Train, cadre_data::Split::Test] {
        paths.extend(cadre_data::source_files(spec, &tasks, split)?);
    }
    Ok(paths)
}

/// Finds and digests files during planning.
pub(crate) struct Files<'a> {
    digests: &'a FileDigests,
    catalog: &'a PluginCatalog,
    data: BTreeMap<PathBuf, Digest>,
    plugins: BTreeSet<(String, String, Digest)>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(catalog: &'a PluginCatalog, digests: &'a FileDigests) -> Self {
        Self { digests, catalog, data: BTreeMap::new(), plugins: BTreeSet::new() }
    }

    /// Every data file found so far.
    pub(crate) fn used_data(&self) -> Vec<UsedData> {
        self.data.iter().map(|(file, digest)| UsedData { file: file.clone(), digest: *digest }).collect()
    }

    /// Every plugin found so far.
    pub(crate) fn used_plugins(&self) -> Vec<UsedPlugin> {
        let used = |(name, version, digest): &(String, String, Digest)| UsedPlugin {
            name: name.clone(),
            version: version.clone(),
            digest: *digest,
        };
        self.plugins.iter().map(used).collect()
    }

    /// One task of a stream, with the files of both splits.
    pub(crate) fn task(&mut self, stream: &Stream, task: &str) -> Result<SourceWork, PlanError> {
        let spec = stream_spec(stream);
        let paths =
            task_files(&spec, task).map_err(|source| PlanError::Data { key: "stream".to_owned(), source })?;
        self.source(spec, paths, "stream")
    }

    /// Examples from outside the stream.
    pub(crate) fn examples(&mut self, source: &Source, key: &str) -> Result<ExamplesWork, PlanError> {
        let spec = source_spec(source);
        let paths = cadre_data::source_files(&spec, &source.tasks, data_split(source.split))
            .map_err(|problem| PlanError::Data { key: key.to_owned(), source: problem })?;
        Ok(ExamplesWork {
            source: self.source(spec, paths, key)?,
            tasks: source.tasks.clone(),
            split: source.split,
            limit: source.limit,
        })
    }

    fn source(&mut self, spec: SourceSpec, paths: Vec<PathBuf>, key: &str) -> Result<SourceWork, PlanError> {
        let files = paths.iter().map(|path| self.file(path, key)).collect::<Result<_, _>>()?;
        let version = cadre_data::format(&spec.format)
            .map_err(|source| PlanError::Data { key: key.to_owned(), source })?
            .version;
        Ok(SourceWork { format: spec.format, version, path: spec.path, fields: spec.fields, files })
    }

    pub(crate) fn template(&mut self, template: &Template) -> Result<TemplateWork, PlanError> {
        Ok(match template {
            Template::Plain => TemplateWork::Plain,
            Template::Alpaca => TemplateWork::Alpaca,
            Template::Chat => TemplateWork::Chat,
            Template::File(path) => TemplateWork::File(self.file(path, "stream.template")?),
        })
    }

    /// The configuration, weights and tokenizer of a checkpoint.
    pub(crate) fn checkpoint(&mut self, folder: &Path) -> Result<CheckpointWork, PlanError> {
        const KEY: &str = "backbone.checkpoint";
        let names = checkpoint_file_names(folder).map_err(|source| PlanError::File {
            key: KEY.to_owned(),
            source: StoreError::Read { path: folder.to_path_buf(), source },
        })?;
        let files = names.iter().map(|name| self.file(&folder.join(name), KEY)).collect::<Result<_, _>>()?;
        Ok(CheckpointWork { path: folder.to_path_buf(), files, reading: CHECKPOINT_READING })
    }

    /// The tokenizer file of a pretrained backbone.
    pub(crate) fn tokenizer(&mut self, file: &Path, key: &str) -> Result<TokenizerWork, PlanError> {
        let files =
            tokenizer_files(file).iter().map(|path| self.file(path, key)).collect::<Result<_, _>>()?;
        Ok(TokenizerWork { path: file.to_path_buf(), files })
    }

    pub(crate) fn plugin(
        &mut self,
        kind: PluginKind,
        used: &PluginUse,
        key: &str,
    ) -> Result<PluginWork, PlanError> {
        let found = self.catalog.find(&used.plugin).filter(|entry| entry.kind == kind);
        let entry: &PluginEntry = found.ok_or_else(|| PlanError::NoPlugin {
            key: key.to_owned(),
            kind: kind.name(),
            name: used.plugin.clone(),
            known: self.catalog.of_kind(kind).map(|entry| entry.name.clone()).collect(),
        })?;
        self.plugins.insert((entry.name.clone(), entry.version.clone().unwrap_or_default(), entry.digest));
        Ok(PluginWork {
            plugin: entry.name.clone(),
            path: entry.file.clone(),
            digest: entry.digest,
            settings: used.settings.clone(),
        })
    }

    /// A method of a collection, with its complete settings for the first `experts` experts. A list of numbers per expert
    /// must have one per task.
    pub(crate) fn method(
        &mut self,
        slot: Slot,
        used: &MethodUse,
        (experts, tasks): (usize, usize),
        key: &str,
    ) -> Result<PolicyWork, PlanError> {
        let (entry, policy) = self.catalog.policy(slot, &used.plugin).ok_or_else(|| PlanError::NoPlugin {
            key: key.to_owned(),
            kind: slot.name(),
            name: used.plugin.clone(),
            known: self.catalog.of_slot(slot).map(|(_, policy)| policy.name.clone()).collect(),
        })?;
        let wrong =
            |setting: &str, problem: String| PlanError::Setting { key: format!("{key}.{setting}"), problem };
        let mut settings =
            policy.complete(&used.settings).map_err(|problems| match problems.into_iter().next() {
                Some(problem) => wrong(problem.name(), problem.to_string()),
                None => wrong("", String::new()),
            })?;
        if let Some((setting, problem)) = wrong_lengths(policy, &settings, tasks).next() {
            return Err(wrong(setting, problem));
        }
        for name in per_expert(policy) {
            if let Some(list) = settings.get_mut(name).and_then(Value::as_array_mut) {
                list.truncate(experts);
            }
        }
        let version = entry.version.clone().unwrap_or_default();
        self.plugins.insert((policy.name.clone(), version, entry.digest));
        Ok(PolicyWork {
            policy: policy.name.clone(),
            path: entry.file.clone(),
            digest: entry.digest,
            settings,
        })
    }

    pub(crate) fn file(&mut self, path: &Path, key: &str) -> Result<FileUse, PlanError> {
        let digest =
            self.digests.of(path).map_err(|source| PlanError::File { key: key.to_owned(), source })?;
        self.data.insert(path.to_path_buf(), digest);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(FileUse { path: path.to_path_buf(), name, digest })
    }
}

fn per_expert(policy: &PolicyDeclaration) -> impl Iterator<Item = &str> {
    let settings = policy.settings.iter().filter(|setting| setting.kind == SettingKind::NumberPerExpert);
    settings.map(|setting| setting.name.as_str())
}

/// The lists of numbers per expert whose length is not the number of tasks, each with what is wrong.
pub(crate) fn wrong_lengths<'a>(
    policy: &'a PolicyDeclaration,
    settings: &'a Map<String, Value>,
    tasks: usize,
) -> impl Iterator<Item = (&'a str, String)> {
    per_expert(policy).filter_map(move |name| {
        let found = settings.get(name)?.as_array()?.len();
        let problem = || format!("it has {found} numbers, but the stream has {tasks} tasks");
        (found != tasks).then(|| (name, problem()))
    })
}

/// The stream as a `cadre-data` source.
pub(crate) fn stream_spec(stream: &Stream) -> SourceSpec {
    SourceSpec {
        format: stream.format.clone(),
        path: stream.path.clone(),
        fields: data_fields(&stream.fields),
    }
}

/// A source as a `cadre-data` source.
pub(crate) fn source_spec(source: &Source) -> SourceSpec {
    SourceSpec {
        format: source.format.clone(),
        path: source.path.clone(),
        fields: data_fields(&source.fields),
    }
}

/// Converts a split to the type of `cadre-data`.
#[must_use]
pub fn data_split(split: cadre_recipe::Split) -> cadre_data::Split {
    match split {
        cadre_recipe::Split::Train => cadre_data::Split::Train,
        cadre_recipe::Split::Test => cadre_data::Split::Test,
    }
}

/// Converts a kind of indicator to the type of `cadre-data`.
#[must_use]
pub fn indicator_form(kind: IndicatorKind) -> IndicatorForm {
    match kind {
        IndicatorKind::NewToken => IndicatorForm::NewToken,
        IndicatorKind::ExistingToken => IndicatorForm::ExistingToken,
        IndicatorKind::Text => IndicatorForm::Text,
    }
}

/// `cadre-data` requires a field in every row if its name is set explicitly; default names do not count as set.
fn data_fields(fields: &cadre_recipe::FieldMap) -> FieldMap {
    let default = cadre_recipe::FieldMap::default();
    let named = |name: &String, default: &String| (name != default).then(|| name.clone());
    FieldMap {
        instruction: named(&fields.instruction, &default.instruction),
        input: named(&fields.input, &default.input),
        output: named(&fields.output, &default.output),
        messages: fields.messages.clone(),
    }
}
