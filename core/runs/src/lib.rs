//! Past runs as a database: an index over the run folders, filters, tables, comparison, tags, export, and the set of
//! artifacts the store must keep. The folders are the source of truth; the index can always be rebuilt from them.

#![forbid(unsafe_code)]

mod compare;
mod delete;
mod differences;
mod error;
mod export_csv;
mod export_parquet;
mod export_tensorboard;
mod filter;
mod find;
mod flatten;
mod live;
mod run_index;
mod run_record;
mod select;
mod table;
mod tags;
mod value;

pub use run_index::{INDEX_FORMAT, RunIndex};
pub use select::{DEFAULT_COLUMNS, Selection};

pub use run_record::{Origin, RunRecord};
pub use table::Table;
pub use value::Value;

pub use differences::differing_keys;

pub use compare::{SideBySide, side_by_side};
pub use find::{FolderKind, RUN, SWEEP, find_run, find_runs};
pub use tags::{TAGS_FORMAT, change_tags, read_tags};

pub use export_csv::export_csv;
pub use export_parquet::export_parquet;
pub use export_tensorboard::{TensorboardExport, export_tensorboard};

pub use delete::delete_run;
pub use live::live_keys;

pub use error::RunsError;
