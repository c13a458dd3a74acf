//! What is kept of tasks gone by, and as what. Chooses nothing: selectors do.

use std::path::Path;

use cadre_contract::Role;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::example::Example;
use crate::row_files;

const KIND: &str = "rehearsal-memory";

/// Where a remembered example comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A row of the task's own data.
    Existing,
    /// Written by a selector's generation.
    Synthetic,
    /// A row of no task of the stream, there to be rejected.
    PseudoNegative,
}

/// One example that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Remembered {
    /// The example, with its task.
    pub example: Example,
    /// Whether it is to be answered or to be rejected.
    pub role: Role,
    /// Where it comes from.
    pub origin: Origin,
    /// Factor of its loss; 1 unless the selector says otherwise.
    pub weight: f32,
}

/// The examples kept so far, in the order in which they were kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RehearsalMemory {
    entries: Vec<Remembered>,
}

impl RehearsalMemory {
    /// Keeps one more.
    pub fn keep(&mut self, entry: Remembered) {
        self.entries.push(entry);
    }

    /// Takes over all that another memory keeps, after what is here.
    pub fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Everything that is kept.
    pub fn entries(&self) -> &[Remembered] {
        &self.entries
    }

    /// What is kept of a task.
    pub fn of_task(&self, task: &str) -> impl Iterator<Item = &Remembered> {
        self.entries.iter().filter(move |entry| entry.example.task == task)
    }

    /// Tasks of which something is kept, in the order of their first example.
    pub fn tasks(&self) -> Vec<&str> {
        let mut tasks: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if !tasks.contains(&entry.example.task.as_str()) {
                tasks.push(&entry.example.task);
            }
        }
        tasks
    }

    /// Examples in all.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The memory as a file's bytes: JSON lines under a first line with kind and version.
    pub fn write(&self) -> Vec<u8> {
        row_files::write(KIND, &self.entries)
    }

    /// Reads a file that [`Self::write`] made.
    ///
    /// # Errors
    /// A missing file; another kind or version; a broken row.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        let entries = row_files::read(KIND, file)?;
        Ok(Self { entries })
    }
}

#[cfg(test)]
mod tests {
    use cadre_contract::Role;

    use super::{Origin, RehearsalMemory, Remembered};
    use crate::example::Example;

    const OLD: &str = concat!(
        "{\"format-version\":1,\"kind\":\"rehearsal-memory\"}\n",
        "{\"example\":{\"id\":\"b/0\",\"task\":\"b\",\"instruction\":\"\",\"input\":\"x\",\"output\":\"y\",\"references\":[\"y\"]},",
        "\"role\":\"negative\",\"origin\":\"pseudo-negative\",\"weight\":1.0}\n",
        "{\"example\":{\"id\":\"a/1\",\"task\":\"a\",\"instruction\":\"\",\"input\":\"x\",\"output\":\"y\",\"references\":[\"y\"]},",
        "\"role\":\"positive\",\"origin\":\"existing\",\"weight\":0.25}\n",
    );

    fn entry(task: &str, id: &str, role: Role, origin: Origin, weight: f32) -> Remembered {
        let example = Example {
            id: id.into(),
            task: task.into(),
            turns: Vec::new(),
            instruction: String::new(),
            input: "x".into(),
            output: "y".into(),
            references: vec!["y".into()],
        };
        Remembered { example, role, origin, weight }
    }

    #[test]
    fn a_memory_goes_through_a_file_of_the_first_version() {
        let mut memory = RehearsalMemory::default();
        memory.keep(entry("b", "b/0", Role::Negative, Origin::PseudoNegative, 1.0));
        memory.keep(entry("a", "a/1", Role::Positive, Origin::Existing, 0.25));
        assert_eq!(String::from_utf8(memory.write()).expect("text"), OLD);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("memory.jsonl");
        std::fs::write(&file, OLD).expect("written");
        assert_eq!(RehearsalMemory::read(&file).expect("read"), memory);
        assert_eq!(memory.tasks(), ["b", "a"]);
        assert_eq!(memory.of_task("a").count(), 1);
    }

    #[test]
    fn memories_add_up_in_order() {
        let mut one = RehearsalMemory::default();
        one.keep(entry("a", "a/1", Role::Positive, Origin::Existing, 1.0));
        let mut two = RehearsalMemory::default();
        two.keep(entry("b", "b/1", Role::Positive, Origin::Synthetic, 1.0));
        one.extend(two);
        assert_eq!(one.len(), 2);
        assert_eq!(one.entries()[1].example.task, "b");
    }
}
