//! The operations of a decoder, each in two forms: fused on burn-flex with a hand-written backward, and composed of
//! burn's own operations for every other backend. The composed form is also the reference that the fused form is tested
//! against. Activations are `[tokens, width]`: sequences are packed without padding, so only attention depends on where
//! one ends. On burn-flex a frozen matrix may be bfloat16; activations are f32 there.

mod attention;
mod attention_composed;
mod attention_rows;
mod cross_entropy;
pub(crate) mod fused;
mod gated;
mod gather;
pub(crate) mod gemm;
mod half;
mod linear;
mod rms_norm;
mod rotary;
pub(crate) mod simd;
mod transpose;

pub(crate) use attention::{HeadShape, Segment, attention};
pub(crate) use attention_composed::{attention_padded, pack, pad};
pub(crate) use attention_rows::attend_cached;
pub(crate) use cross_entropy::cross_entropy;
pub(crate) use gated::gated;
pub(crate) use gather::gather;
pub(crate) use gemm::UNDIVIDED;
pub(crate) use linear::{linear, linear_by_row};
pub(crate) use rms_norm::rms_norm;
pub(crate) use rotary::{RotaryTable, rotate};

/// Number of rows of this width per parallel job.
fn rows_per_job(width: usize) -> usize {
    (32_768 / width.max(1)).max(1)
}

#[cfg(test)]
mod tests;
