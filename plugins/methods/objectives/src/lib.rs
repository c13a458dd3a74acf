//! Objectives: terms of the loss, and which weights a step changes.

pub mod ewc;
pub mod hft;
pub mod o_lora;

use cadre_method_sdk::export_methods;

export_methods! {
    "o-lora" => o_lora::OLora,
    "ewc" => ewc::Ewc,
    "hft" => hft::Hft,
}
