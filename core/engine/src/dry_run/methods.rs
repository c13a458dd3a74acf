//! Dry runs of methods: their hooks are traced, so that a wrong shape or an unknown fact is an error of the recipe.

use cadre_contract::Hook;
use cadre_policy::{Methods, PolicyError, SampleShape, Sandbox};
use cadre_recipe::{Loaded, RecipeError};
use cadre_scheduler::MergeWork;
use cadre_store::chain;

/// Traces the merges of a plan, each with its number of experts, for weights as wide as the backbone.
///
/// # Errors
/// The method cannot be loaded, or its hook fails.
pub(super) fn merges(
    loaded: &Loaded,
    sandbox: &Sandbox,
    merges: &[(&MergeWork, usize)],
    width: usize,
) -> Result<(), Box<RecipeError>> {
    let Some((first, _)) = merges.first() else { return Ok(()) };
    let at = |problem: PolicyError| Box::new(loaded.mistake("routing.merge.plugin", chain(&problem)));
    let methods = sandbox.load(&first.merge.path).and_then(|plugin| plugin.methods()).map_err(at)?;
    for (work, experts) in merges {
        let told = |problem: PolicyError| {
            let what = match experts {
                1 => "1 expert".to_owned(),
                several => format!("{several} experts"),
            };
            Box::new(loaded.mistake("routing.merge.plugin", format!("with {what}: {}", chain(&problem))))
        };
        merge(&methods, work, *experts, width).map_err(told)?;
    }
    Ok(())
}

fn merge(methods: &Methods, work: &MergeWork, experts: usize, width: usize) -> Result<(), PolicyError> {
    let policy = methods.policy(&work.merge.policy)?;
    let size = u32::try_from(width).unwrap_or(u32::MAX);
    let experts = u32::try_from(experts).unwrap_or(u32::MAX);
    let shape = SampleShape { input: size, output: size, experts, ..SampleShape::default() };
    match methods.sample(policy, Hook::Merge, &work.merge.settings, shape)? {
        Some(call) => methods.trace(&call).map(drop),
        None => Ok(()),
    }
}
