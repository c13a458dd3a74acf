//! Gates: how the experts of a site share each token.

pub mod adamole;
pub mod arrow;
pub mod loramoe;
pub mod molora;
pub mod phatgoose;
pub mod x_lora;

use cadre_method_sdk::export_methods;

export_methods! {
    "phatgoose" => phatgoose::Phatgoose,
    "arrow" => arrow::Arrow,
    "loramoe" => loramoe::LoraMoe,
    "adamole" => adamole::AdaMole,
    "molora" => molora::Molora,
    "x-lora" => x_lora::XLora,
}
