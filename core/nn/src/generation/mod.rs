//! Scoring and generation of answers, token by token, without gradients.

mod cache;
mod choose;
mod decode;
mod spec;

pub(crate) use cache::KvCache;
pub(crate) use choose::log_softmax_at;
pub(crate) use decode::generate;

pub use spec::{Answerer, Decoding, Generated, Row, ScoredRow, Strategy};

#[cfg(test)]
mod tests;
