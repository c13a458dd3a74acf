//! Errors of this crate: invalid figures, unreadable reports, failed rendering.

/// An error of a score, a report or its rendering.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A score is not a finite number in 0..=100.
    #[error("take the score {score} of task {task} after stage {stage}: not in 0..=100")]
    ScoreOutOfRange {
        /// Row, counted from 0.
        stage: usize,
        /// Column, counted from 0.
        task: usize,
        /// The rejected value.
        score: f64,
    },
    /// A row or column index is outside the matrix.
    #[error("set the score of task {task} after stage {stage}: the score matrix has {tasks} tasks")]
    OutsideMatrix {
        /// Row, counted from 0.
        stage: usize,
        /// Column, counted from 0.
        task: usize,
        /// Columns of the matrix.
        tasks: usize,
    },
    /// A row of a score matrix does not have one value per task.
    #[error("read the score matrix: row {row} has {found} values, {expected} expected")]
    RowLength {
        /// Row, counted from 0.
        row: usize,
        /// Its length.
        found: usize,
        /// The length of the first row.
        expected: usize,
    },
    /// A score matrix has more rows (stages) than columns (tasks).
    #[error("read the score matrix: {rows} rows for {tasks} tasks")]
    TooManyRows {
        /// Rows found.
        rows: usize,
        /// Columns.
        tasks: usize,
    },
    /// A routing decision names a task or expert outside the stream.
    #[error("count a routing decision: {what} {index}, but the stream has {tasks} tasks")]
    OutsideStream {
        /// `task` or `expert`.
        what: &'static str,
        /// The index, counted from 0.
        index: usize,
        /// Tasks of the stream.
        tasks: usize,
    },
    /// The text is not a report.
    #[error("read the report")]
    Malformed(#[source] serde_json::Error),
    /// The report was written by a newer Cadre.
    #[error(
        "read the report: it has format-version {found}, this cadre reads up to {known}; use a newer cadre"
    )]
    NewerFormat {
        /// `format-version` of the file.
        found: u64,
        /// The newest that this crate reads.
        known: u32,
    },
    /// A part of a report does not match the number of tasks.
    #[error("read the report: {part} has {found} entries for {expected} tasks")]
    Mismatch {
        /// The key of the part.
        part: &'static str,
        /// Its length.
        found: usize,
        /// The number of tasks.
        expected: usize,
    },
    /// A point of a sweep cannot be compared with the others.
    #[error("compare the points of a sweep: `{point}`: {problem}")]
    UnfitPoint {
        /// Name of the point.
        point: String,
        /// The problem.
        problem: &'static str,
    },
    /// The baseline of a sweep is not one of its settings.
    #[error("compare the points of a sweep: the baseline `{baseline}` is not one of its settings")]
    UnknownBaseline {
        /// The name given.
        baseline: String,
    },
    /// Two settings of a sweep have the same name.
    #[error("compare the points of a sweep: two settings are named `{setting}`")]
    SettingTwice {
        /// The name.
        setting: String,
    },
    /// A report could not be written as JSON.
    #[error("write the report as json")]
    Unwritable(#[source] serde_json::Error),
    /// A plot could not be drawn.
    #[error("draw the plot of {plot}: {cause}")]
    Plot {
        /// What the plot shows.
        plot: &'static str,
        /// Message of the plotting library.
        cause: String,
    },
    /// The page template could not be rendered.
    #[error("render the page of the report")]
    Template(#[from] minijinja::Error),
}
