//! The destination of a source's rows: counts them, keeps them all, or keeps those that a draw needs. Collects notes
//! for the user and limits the memory of the rows that are held.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use super::bounds::{MAX_HELD, PER_EXAMPLE, size};
use crate::error::DataError;
use crate::example::Example;

/// A part of a file that is ignored, or read differently than its author may expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file.
    pub file: PathBuf,
    /// The first location, as `:12` or `, row 12`; empty for the file as a whole.
    pub place: String,
    /// Number of further rows with the same note.
    pub more: usize,
    /// What was found, and how it is treated.
    pub what: String,
}

impl fmt::Display for Note {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "{}{}: {}", self.file.display(), self.place, self.what)?;
        match self.more {
            0 => Ok(()),
            1 => write!(to, " (and in 1 more row)"),
            more => write!(to, " (and in {more} more rows)"),
        }
    }
}

/// Maximum number of notes per source.
const MAX_NOTES: usize = 100;

/// What to do with the rows.
enum Mode {
    /// Keep all rows. With `spill`, drop them all as soon as they exceed that many bytes, and only count from then on.
    Keep { spill: Option<usize> },
    /// Only count the rows, and stop reading when they exceed `most` bytes.
    Count { most: usize },
    /// Keep the rows with these indices; each value is the position in the result.
    Pick(HashMap<usize, usize>),
}

/// Receives the rows of a source.
pub struct Sink {
    mode: Mode,
    seen: usize,
    bytes: usize,
    most: usize,
    spilled: bool,
    kept: Vec<Option<Example>>,
    with_turns: Option<Example>,
    only: Vec<String>,
    tasks: BTreeSet<String>,
    notes: Vec<Note>,
    omitted: usize,
}

impl fmt::Debug for Sink {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.debug_struct("Sink").field("seen", &self.seen).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Sink {
    fn new(mode: Mode) -> Self {
        Self {
            mode,
            seen: 0,
            bytes: 0,
            most: MAX_HELD,
            spilled: false,
            kept: Vec::new(),
            with_turns: None,
            only: Vec::new(),
            tasks: BTreeSet::new(),
            notes: Vec::new(),
            omitted: 0,
        }
    }

    /// A sink that keeps every row.
    pub(crate) fn keep() -> Self {
        Self::new(Mode::Keep { spill: None })
    }

    /// A sink that keeps every row and fails when they exceed `most` bytes.
    #[cfg(test)]
    pub(crate) fn keep_within(most: usize) -> Self {
        Self { most, ..Self::keep() }
    }

    /// A sink that keeps rows up to `spill` bytes; when they exceed that, it drops them and only counts.
    pub(crate) fn keep_up_to(spill: usize) -> Self {
        Self::new(Mode::Keep { spill: Some(spill) })
    }

    /// A sink that keeps no rows and is full when they exceed `most` bytes.
    pub(crate) fn count(most: usize) -> Self {
        Self::new(Mode::Count { most })
    }

    /// A sink that keeps the rows with these indices, in this order.
    pub(crate) fn pick(places: &[usize]) -> Self {
        let mut sink =
            Self::new(Mode::Pick(places.iter().enumerate().map(|(slot, place)| (*place, slot)).collect()));
        sink.kept = vec![None; places.len()];
        sink
    }

    /// Restricts the sink to rows of these tasks, if any are given.
    pub(crate) fn of_tasks(mut self, tasks: &[String]) -> Self {
        self.only = tasks.to_vec();
        self
    }

    /// Whether reading can stop.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.mode, Mode::Count { most } if self.bytes > most)
    }

    /// Takes a row of this file.
    pub(crate) fn take(&mut self, file: &Path, example: Example) -> Result<(), DataError> {
        if !self.only.is_empty() {
            if !self.tasks.contains(&example.task) {
                self.tasks.insert(example.task.clone());
            }
            if !self.only.contains(&example.task) {
                return Ok(());
            }
        }
        let place = self.seen;
        self.seen += 1;
        if self.with_turns.is_none() && !example.turns.is_empty() {
            self.with_turns = Some(example.clone());
        }
        match &self.mode {
            Mode::Count { .. } => self.bytes += bytes_of(&example),
            Mode::Keep { .. } if self.spilled => {}
            Mode::Keep { spill } => {
                self.bytes += bytes_of(&example);
                if spill.is_some_and(|most| self.bytes > most) {
                    self.spilled = true;
                    self.kept = Vec::new();
                } else {
                    self.kept.push(Some(example));
                }
            }
            Mode::Pick(slots) => {
                if let Some(slot) = slots.get(&place) {
                    self.bytes += bytes_of(&example);
                    self.kept[*slot] = Some(example);
                }
            }
        }
        if self.bytes > self.most && !matches!(self.mode, Mode::Count { .. }) {
            return Err(DataError::Bound {
                place: file.display().to_string(),
                found: format!(
                    "the rows up to number {} take more than {} of memory",
                    place + 1,
                    size(self.most)
                ),
                limit: format!(
                    "{}; set `limits` (or `limit`) in the recipe, or split the files",
                    size(self.most)
                ),
            });
        }
        Ok(())
    }

    /// Adds a note for the user; equal notes are merged per file.
    pub(crate) fn note(&mut self, file: &Path, place: String, what: &str) {
        let is_full = self.notes.len() >= MAX_NOTES;
        match self.notes.iter_mut().find(|note| note.file == file && note.what == what) {
            Some(note) => note.more += 1,
            None if is_full => self.omitted += 1,
            None => {
                self.notes.push(Note { file: file.to_owned(), place, more: 0, what: what.to_owned() });
            }
        }
    }

    /// Number of rows taken.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    /// Whether the rows were dropped because they exceeded the limit.
    pub(crate) fn spilled(&self) -> bool {
        self.spilled
    }

    /// The tasks of all rows, if the sink is restricted to tasks; otherwise empty.
    pub(crate) fn tasks(&self) -> Vec<String> {
        self.tasks.iter().cloned().collect()
    }

    /// The first row that has turns before its query.
    pub(crate) fn with_turns(&mut self) -> Option<Example> {
        self.with_turns.take()
    }

    /// All notes. If there were more than the maximum, the last one gives their number.
    pub(crate) fn notes(&mut self) -> Vec<Note> {
        let mut notes = std::mem::take(&mut self.notes);
        if let Some(last) = notes.last().filter(|_| self.omitted > 0) {
            let what = format!("{} more notes were omitted", self.omitted);
            notes.push(Note { file: last.file.clone(), place: String::new(), more: 0, what });
        }
        notes
    }

    /// The rows that were kept, in order.
    pub(crate) fn rows(self) -> Vec<Example> {
        self.kept.into_iter().flatten().collect()
    }
}

fn bytes_of(example: &Example) -> usize {
    let turns: usize = example.turns.iter().map(|turn| turn.content.len() + 32).sum();
    let references: usize = example.references.iter().map(|text| text.len() + 24).sum();
    PER_EXAMPLE
        + example.id.len()
        + example.task.len()
        + example.instruction.len()
        + example.input.len()
        + example.output.len()
        + turns
        + references
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Sink;
    use crate::example::Example;

    fn example(id: usize) -> Example {
        Example {
            id: id.to_string(),
            task: "t".into(),
            turns: Vec::new(),
            instruction: String::new(),
            input: String::new(),
            output: "x".repeat(100),
            references: Vec::new(),
        }
    }

    fn filled(mut sink: Sink) -> Sink {
        for id in 0..10 {
            if !sink.is_full() {
                sink.take(Path::new("f"), example(id)).expect("room");
            }
        }
        sink
    }

    #[test]
    fn only_what_is_drawn_is_kept_in_the_order_of_the_draw() {
        let ids: Vec<String> = filled(Sink::pick(&[7, 0, 3])).rows().into_iter().map(|row| row.id).collect();
        assert_eq!(ids, ["7", "0", "3"]);
    }

    #[test]
    fn rows_that_take_too_much_are_counted_only() {
        let spilled = filled(Sink::keep_up_to(1000));
        assert!(spilled.spilled() && spilled.seen() == 10 && spilled.rows().is_empty());
        assert_eq!(filled(Sink::keep()).rows().len(), 10);
        let counted = filled(Sink::count(1000));
        assert!(counted.is_full() && counted.seen() == 2, "{counted:?}");
    }

    #[test]
    fn a_note_is_made_once_for_a_file() {
        let mut sink = Sink::keep();
        for row in 2..5 {
            sink.note(Path::new("a.jsonl"), format!(":{row}"), "`weight` is 0");
        }
        let notes: Vec<String> = sink.notes().iter().map(ToString::to_string).collect();
        assert_eq!(notes, ["a.jsonl:2: `weight` is 0 (and in 2 more rows)"]);
        for row in 0..150 {
            sink.note(Path::new("a.jsonl"), String::new(), &row.to_string());
        }
        let notes = sink.notes();
        assert_eq!(notes.len(), 101);
        assert_eq!(notes[100].to_string(), "a.jsonl: 50 more notes were omitted");
    }
}
