//! Decoders: next-token logits out of those of several models.

pub mod arithmetic;
pub mod contrast;
pub mod emulated;

use cadre_method_sdk::export_methods;

export_methods! {
    "emulated" => emulated::Emulated,
    "contrast" => contrast::Contrast,
}
