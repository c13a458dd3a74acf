//! Data for the learner: dataset formats and their tasks, prompt templates, token ids with their loss mask, batches,
//! and the replay buffer. Must not depend on tensors or recipes.

#![forbid(unsafe_code)]

mod batching;
mod contained;
mod draw;
mod encoder;
mod error;
mod example;
mod format;
mod hub;
mod indicator_tokens;
mod rehearsal_memory;
mod row_files;
mod shown_tokens;
mod stream;
mod template;
mod token_example;
mod tokenizer;

pub use draw::{Looked, draw_source, look_through};
pub use example::{Example, Split, Task, Turn, TurnRole, sample};
pub use format::{FORMATS, FieldMap, FormatEntry, Note, Sink, SourceSpec, WholeSource, format};
pub use hub::{Hub, HubSettings, HubUse, is_hub_name};
pub use stream::{OrderChoice, load_source, load_source_noted, load_task, source_files, task_order};

pub use rehearsal_memory::{Origin, RehearsalMemory, Remembered};
pub use row_files::{TrainingRow, read_examples, read_training_rows, write_examples, write_training_rows};

pub use encoder::{Encoder, EncodingLimits, Target};
pub use indicator_tokens::{IndicatorForm, IndicatorTokens};
pub use template::{ChatTemplate, FileTemplate, Rendered, Template};
pub use tokenizer::{MIN_VOCABULARY, SPECIAL_TOKENS, Tokenizer};

pub use batching::{Batches, StepRows};
pub use shown_tokens::{ShownToken, shown_tokens};
pub use token_example::TokenExample;

pub use contained::contains_panics;
pub use error::DataError;
