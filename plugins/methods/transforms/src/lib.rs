//! Transforms: a complete expert in, an expert with the same tensors out.

pub mod compeft;

use cadre_method_sdk::export_methods;

export_methods! {
    "compeft" => compeft::Compeft,
}
