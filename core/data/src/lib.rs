//! Text on its way to the learner: dataset formats and their tasks, prompts and their templates, tokens and
//! their loss mask, batches, and what is kept of earlier tasks. Holds no tensor and knows no recipe.

mod batching;
mod error;
mod example;
mod token_example;

pub use example::{Example, Split, Task, sample};

pub use batching::{Batches, StepRows};
pub use token_example::TokenExample;

pub use error::DataError;
