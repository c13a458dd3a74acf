//! `merge/…`: merges the experts trained so far into the weights of the backbone. The merge is a method: it is traced
//! once per shape (and per fact that it asks for), and its program runs for every weight.

use std::sync::Arc;

use cadre_contract::program::{ExpertType, Program, Source};
use cadre_contract::{Hook, HookCall, HookExpert};
use cadre_nn::{HostTensor, MergedTensor, evaluate, merge_experts};
use cadre_policy::Methods;
use cadre_scheduler::{MergeWork, StageFacts, StageJob, StageKind};
use serde_json::json;

use super::inputs::{all, first_input, task_of};
use crate::error::EngineError;
use crate::planned_files::read_backbone;
use crate::resources::{Resources, copy_tokenizer};

pub(super) fn merge(
    work: &MergeWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let backbone = first_input(job, StageKind::Backbone)?;
    let experts = all(job, StageKind::Train);
    let names: Vec<&str> = experts.iter().map(|input| task_of(&input.name)).collect();
    let folders: Vec<_> = experts.iter().map(|input| input.artifact.folder()).collect();
    let methods = executor.method(&work.merge)?;
    let mut merger =
        Merger { methods: &methods, work, names: &names, seed: job.spec.seed(), programs: Vec::new() };
    let to = job.draft.folder();
    let merged = read_backbone(backbone, work.checkpoint.as_ref(), &executor.digests, |folder| {
        let mut done = 0;
        let merged = merge_experts(folder, &folders, to, &mut |tensor, total, base, deltas| {
            if job.stop.is_requested() {
                return Err(EngineError::Interrupted);
            }
            done += 1;
            job.progress(done, u64::try_from(total).unwrap_or(u64::MAX), "weights");
            merger.merged(tensor, base, deltas)
        })?;
        copy_tokenizer(folder, to)?;
        Ok(merged)
    })?;
    let programs = merger.programs.len();
    Ok(json!({ "experts": names.len(), "merged-tensors": merged, "programs": programs }))
}

/// Traces a merge and runs its programs.
struct Merger<'a> {
    methods: &'a Methods,
    work: &'a MergeWork,
    names: &'a [&'a str],
    seed: cadre_store::Seed,
    /// Programs with the calls they hold for.
    programs: Vec<(HookCall, Arc<Program>)>,
}

impl Merger<'_> {
    fn merged(
        &mut self,
        tensor: &MergedTensor,
        base: HostTensor,
        deltas: Vec<HostTensor>,
    ) -> Result<Vec<f32>, EngineError> {
        // Files hold weights `[out, in]`; the contract has them `[in, out]`.
        let given: Vec<HostTensor> =
            std::iter::once(base).chain(deltas).map(HostTensor::transposed).collect();
        let program = self.program(tensor, &given[0])?;
        let seed = self.seed.derive(&tensor.name).0;
        let mut outputs = evaluate(&program, given, seed, false)?.outputs;
        let merged = outputs.pop().map(|output| output.transposed().into_floats()).unwrap_or_default();
        match merged.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(EngineError::NotFinite {
                method: self.work.merge.policy.clone(),
                what: format!("element {at} of {}", tensor.name),
                value: merged[at],
            }),
            None => Ok(merged),
        }
    }

    /// The program for a weight: a known one if the shape and the facts that it was traced with are the same.
    fn program(&mut self, tensor: &MergedTensor, base: &HostTensor) -> Result<Arc<Program>, EngineError> {
        let call = call(self.work, self.names, tensor, base);
        let fits = |known: &HookCall| {
            known.inputs == call.inputs
                && known.facts.iter().all(|(name, value)| call.facts.get(name) == Some(value))
        };
        if let Some((_, program)) = self.programs.iter().find(|(known, _)| fits(known)) {
            return Ok(Arc::clone(program));
        }
        let traced = self.methods.trace(&call)?;
        let program = Arc::new(traced.program);
        // Only the facts that the hook asked for are part of what the program depends on.
        self.programs.push((HookCall { facts: traced.facts, ..call }, Arc::clone(&program)));
        Ok(program)
    }
}

/// The call of the hook for a weight.
fn call(work: &MergeWork, names: &[&str], tensor: &MergedTensor, base: &HostTensor) -> HookCall {
    let kind = base.kind();
    let sizes = ExpertType { input: kind.shape[0], output: kind.shape[1] };
    let mut call = HookCall::new(&work.merge.policy, Hook::Merge, work.merge.settings.clone());
    call.inputs.push((Source::Base, kind.clone()));
    for (index, name) in names.iter().enumerate() {
        let expert = u16::try_from(index).unwrap_or(u16::MAX);
        call.inputs.push((Source::Expert { expert, name: "delta".to_owned() }, kind.clone()));
        call.experts.push(HookExpert { name: (*name).to_owned(), sizes, scale: None });
    }
    call.facts = [
        ("layer", tensor.layer.to_string()),
        ("layers", tensor.layers.to_string()),
        ("target", format!("{:?}", tensor.target).to_lowercase()),
        ("tensor", tensor.name.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    call
}
