//! `describe/…`: descriptors of an expert, for routers that use them instead of probes.

use cadre_contract::{NamedVector, RouterFinding};
use cadre_recipe::Descriptor;
use cadre_scheduler::{DescribeWork, StageFacts, StageJob, StageKind};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answering::greedy;
use super::encoding::Encoding;
use super::inputs::{TRAIN, examples, first_input};
use super::watch::JobWatch;
use crate::ensemble::{ExpertLibrary, Kind, LearnerProbing, Question, Responder};
use crate::error::EngineError;
use crate::resources::Resources;

/// The descriptors of an expert.
pub(super) const DESCRIPTORS: &str = "descriptors.json";
/// Prompts per embedding batch.
const BATCH_ROWS: usize = 32;

/// Name of a descriptor on an expert's card.
pub(crate) fn descriptor_name(descriptor: Descriptor) -> &'static str {
    match descriptor {
        Descriptor::PromptCentroid => "prompt-centroid",
    }
}

/// Content of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Descriptors {
    pub(super) format_version: u32,
    pub(super) descriptors: Vec<NamedVector>,
}

pub(super) fn describe(
    work: &DescribeWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let mut descriptors = Vec::new();
    for descriptor in &work.descriptors {
        let values = match descriptor {
            Descriptor::PromptCentroid => prompt_centroid(work, executor, job)?,
        };
        descriptors.push(NamedVector { name: descriptor_name(*descriptor).to_owned(), values });
    }
    let names: Vec<&str> = descriptors.iter().map(|descriptor| descriptor.name.as_str()).collect();
    let facts = json!({ "descriptors": names });
    let file = Descriptors { format_version: 1, descriptors };
    let bytes =
        serde_json::to_vec(&file).map_err(|source| EngineError::NoJson { what: "descriptors", source })?;
    job.draft.write(DESCRIPTORS, &bytes)?;
    Ok(facts)
}

/// L2-normalised mean of the backbone's embeddings of the task's training prompts.
fn prompt_centroid(
    work: &DescribeWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<Vec<f32>, EngineError> {
    let model = executor.model(&work.model, first_input(job, StageKind::Backbone)?)?;
    let prompts = examples(first_input(job, StageKind::Prepare)?, TRAIN)?;
    let shape = model.learner.shape();
    let encoding = Encoding::new(&model.tokenizer, shape.vocabulary, shape.context, &work.prompt, None, 1)?;
    let queries = encoding.queries(&prompts, &|_| None)?;
    let library = ExpertLibrary::default();
    let probing = LearnerProbing {
        learner: &model.learner,
        backbone: model.key,
        computed_in: &model.computed_in,
        tokenizer: &model.tokenizer,
        library: &library,
        indicators: None,
        decoding: greedy(BATCH_ROWS),
        seed: job.spec.seed(),
    };
    let question = Question { kind: Kind::Embedding, responder: Responder::Backbone };
    let asked: Vec<_> = queries.iter().map(|query| (question.clone(), query)).collect();
    let found = executor.book.find(&probing, Kind::Embedding, &asked, &JobWatch(job))?;
    let vectors: Vec<Vec<f32>> = found
        .into_iter()
        .filter_map(|finding| match finding {
            RouterFinding::Embedding(vector) => Some(vector),
            _ => None,
        })
        .collect();
    Ok(centroid(&vectors))
}

/// L2-normalised sum of vectors of equal length, accumulated in f64 in order.
fn centroid(vectors: &[Vec<f32>]) -> Vec<f32> {
    let mut sum = vec![0.0_f64; vectors.first().map_or(0, Vec::len)];
    for vector in vectors {
        for (total, value) in sum.iter_mut().zip(vector) {
            *total += f64::from(*value);
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    let scale = if length > 0.0 { length.recip() } else { 0.0 };
    sum.into_iter().map(|value| (value * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::centroid;

    #[test]
    fn a_centroid_has_length_one() {
        assert_eq!(centroid(&[vec![1.0, 0.0], vec![0.0, 1.0]]), [0.5_f32.sqrt(); 2]);
        assert_eq!(centroid(&[vec![1.0, 0.0], vec![-1.0, 0.0]]), [0.0; 2]);
        assert!(centroid(&[]).is_empty());
    }
}
