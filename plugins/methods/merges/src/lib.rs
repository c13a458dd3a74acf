//! Merges: one expert out of several, a tensor at a time.

pub mod averaging;
pub mod breadcrumbs;
pub mod dare;
pub mod layer_swapping;
pub mod model_stock;
pub mod task_arithmetic;
pub mod ties;
mod vote;

use cadre_method_sdk::{Model, Tensor, export_methods};

export_methods! {
    "averaging" => averaging::Averaging,
    "task-arithmetic" => task_arithmetic::TaskArithmetic,
    "ties" => ties::Ties,
    "dare" => dare::Dare,
    "breadcrumbs" => breadcrumbs::Breadcrumbs,
    "model-stock" => model_stock::ModelStock,
    "layer-swapping" => layer_swapping::LayerSwapping,
}

/// What each expert adds.
fn deltas(models: &[Model]) -> Vec<Tensor> {
    models.iter().map(|model| model.delta).collect()
}
