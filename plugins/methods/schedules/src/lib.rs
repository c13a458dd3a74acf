//! Schedules: what is trained for each task, in what order. No tensors.

pub mod cola;

use cadre_method_sdk::export_methods;

export_methods! {
    "cola" => cola::Cola,
}
