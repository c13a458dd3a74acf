//! Layer swapping (Bandarkar et al., arXiv 2410.01335): the merged model is the task's expert, with its lowest and highest
//! layers taken from the language's expert.

use cadre_method_sdk::{Case, Model, Named, Played, Policy, Tensor, fact_number};
use serde::Deserialize;

/// Settings of `layer-swapping`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LayerSwapping {
    task: Option<String>,
    language: Option<String>,
    bottom: u32,
    top: u32,
    transition: u32,
}

/// Where a layer is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Language,
    Mean,
    Task,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Mean => "mean",
            Self::Task => "task",
        }
    }

    fn of(self, task: Tensor, language: Tensor) -> Tensor {
        match self {
            Self::Language => language,
            Self::Mean => (task + language) / 2.0,
            Self::Task => task,
        }
    }
}

impl LayerSwapping {
    fn source(&self, layer: u32, layers: u32) -> Origin {
        let (layer, layers) = (i64::from(layer), i64::from(layers));
        let from_edge = (layer - i64::from(self.bottom)).min(layers - 1 - layer - i64::from(self.top));
        match from_edge {
            _ if from_edge < 0 => Origin::Language,
            _ if from_edge < i64::from(self.transition) => Origin::Mean,
            _ => Origin::Task,
        }
    }
}

/// The expert with this name, or where none is given the one at an index of the stream.
fn find<'a>(models: &'a [Model], name: Option<&str>, index: usize) -> Result<&'a Model, String> {
    let found = match name {
        Some(name) => models.iter().find(|model| model.name == name),
        None => models.get(index),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        match name {
            Some(name) => format!("there is no expert `{name}`; there are: {}", known.join(", ")),
            None => "layer-swapping needs two experts".to_owned(),
        }
    })
}

impl Policy for LayerSwapping {
    fn merge(&self, base: Tensor, models: &[Model]) -> Result<Tensor, String> {
        let task = find(models, self.task.as_deref(), 0)?;
        let language = find(models, self.language.as_deref(), 1)?;
        // Tensors outside the layers (embeddings, head) have no layer; they stay the task's.
        let source = match fact_number("layer") {
            Ok(layer) => self.source(layer, fact_number("layers")?),
            Err(_) => Origin::Task,
        };
        Ok(base + source.of(task.delta, language.delta))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self {
            task: None,
            language: None,
            bottom: case.setting("bottom")?,
            top: case.setting("top")?,
            transition: case.setting("transition")?,
        };
        let layers: u32 = case.setting("layers")?;
        let sources: Vec<Origin> = (0..layers).map(|layer| policy.source(layer, layers)).collect();
        let pairs = case.list("task").into_iter().zip(case.list("language"));
        let merged = sources.iter().zip(pairs).map(|(source, (task, language))| source.of(task, language));
        let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
        Ok(Played::new(Named::new().with_list("merged", merged)).other("source", names))
    }
}

#[cfg(test)]
mod tests {
    use super::{LayerSwapping, Origin};

    #[test]
    fn layers_near_the_swapped_blocks_are_means() {
        let policy = LayerSwapping { task: None, language: None, bottom: 1, top: 2, transition: 1 };
        let sources: Vec<Origin> = (0..7).map(|layer| policy.source(layer, 7)).collect();
        let (l, m, t) = (Origin::Language, Origin::Mean, Origin::Task);
        assert_eq!(sources, [l, m, t, t, m, l, l]);
    }
}
