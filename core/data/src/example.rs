//! Examples and tasks, as text.

use cadre_store::Seed;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A query with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Example {
    /// Name of the example, as given by the dataset or `<task>/<split>/<row>`.
    pub id: String,
    /// Task it belongs to.
    pub task: String,
    /// Earlier turns of a conversation: a system message, earlier messages and their answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
    /// The instruction; may be empty.
    pub instruction: String,
    /// The input that the instruction refers to; may be empty.
    pub input: String,
    /// The answer to train on.
    pub output: String,
    /// All correct answers. They include `output`, possibly without surrounding blanks.
    pub references: Vec<String>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Turn {
    /// The author of the message.
    pub role: TurnRole,
    /// The text of the message.
    pub content: String,
}

/// The role of a message in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TurnRole {
    /// An initial instruction on how to answer.
    System,
    /// The one who asks.
    User,
    /// The one who answers.
    Assistant,
}

impl TurnRole {
    /// The role's name in chat templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A task of a stream, with its training and test examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Name of the task, as listed by the format.
    pub name: String,
    /// Examples for training.
    pub train: Vec<Example>,
    /// Examples for evaluation.
    pub test: Vec<Example>,
}

/// Part of a task's examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// For training.
    Train,
    /// For evaluation.
    Test,
}

impl Split {
    /// The split's name in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// At most `limit` examples, drawn by `seed`; without a limit, all of them in a seeded order.
///
/// The examples are shuffled before the cut, because files may list all rows of one label first.
pub fn sample(mut examples: Vec<Example>, limit: Option<usize>, seed: Seed) -> Vec<Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.derive("sample").0);
    examples.shuffle(&mut rng);
    if let Some(limit) = limit {
        examples.truncate(limit);
    }
    examples
}

/// The indices of `count` examples in the order in which [`sample`] puts them.
pub(crate) fn shuffled_places(count: usize, seed: Seed) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.derive("sample").0));
    places
}

#[cfg(test)]
mod tests {
    use super::{Example, sample};
    use cadre_store::Seed;

    fn rows(count: usize) -> Vec<Example> {
        (0..count)
            .map(|row| Example {
                id: row.to_string(),
                task: "t".into(),
                turns: Vec::new(),
                instruction: String::new(),
                input: String::new(),
                output: if row < count / 2 { "yes" } else { "no" }.into(),
                references: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn rows_sorted_by_label_are_mixed_before_the_cut() {
        let few = sample(rows(400), Some(100), Seed(3));
        let yes = few.iter().filter(|row| row.output == "yes").count();
        assert!((30..=70).contains(&yes), "{yes} of 100 are from one half");
    }

    #[test]
    fn one_seed_one_order_and_a_smaller_limit_is_a_prefix() {
        let many = sample(rows(50), None, Seed(1));
        assert_eq!(many, sample(rows(50), None, Seed(1)));
        assert_ne!(many, sample(rows(50), None, Seed(2)));
        assert_eq!(many[..10], sample(rows(50), Some(10), Seed(1))[..]);
        let mut ids: Vec<_> = many.iter().map(|row| row.id.clone()).collect();
        ids.sort_by_key(|id| id.parse::<usize>().unwrap_or(usize::MAX));
        assert_eq!(ids, (0..50).map(|row| row.to_string()).collect::<Vec<_>>());
        assert_eq!(sample(rows(3), Some(10), Seed(1)).len(), 3);
    }
}
