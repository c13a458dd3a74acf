//! How many tokens prompts and responses may have, and what is said of tasks that have more. Reads no row.

use cadre_data::Split;
use cadre_recipe::{Loaded, RecipeError};
use cadre_scheduler::{IndicatorWork, PromptWork};

/// The most tokens of prompts and responses.
pub(super) struct Room {
    pub(super) prompt: PromptWork,
    pub(super) indicator: Option<IndicatorWork>,
    pub(super) context: usize,
    /// The longest response that is learnt, where something is trained.
    pub(super) learnt: Option<usize>,
    /// The longest answer.
    pub(super) answer: usize,
}

impl Room {
    /// The longest prompt beside a response of so many tokens, and the key that says so.
    pub(super) fn most(&self, response: usize, marks: usize) -> (usize, &'static str) {
        let left = self.context.saturating_sub(response.saturating_add(marks));
        match self.prompt.max_prompt.map(|most| most as usize) {
            Some(most) if most <= left => (most, "expert.training.max-prompt"),
            _ => (left, "backbone"),
        }
    }

    pub(super) fn response(&self, split: Split) -> Option<usize> {
        match split {
            Split::Train => self.learnt,
            Split::Test => Some(self.answer),
        }
    }

    /// The least of what a row of a split may have of anything.
    pub(super) fn least(&self, split: Split) -> usize {
        let Some(response) = self.response(split) else { return usize::MAX };
        let learnt = if split == Split::Train { response } else { usize::MAX };
        self.most(response, 64).0.min(learnt)
    }
}

/// What is to be said of several tasks, by the key that it is about.
#[derive(Default)]
pub(super) struct Notes(Vec<(String, String, Vec<String>)>);

impl Notes {
    pub(super) fn add(&mut self, key: &str, what: String, one: String) {
        match self.0.iter_mut().find(|(at, said, _)| at == key && *said == what) {
            Some((_, _, all)) => all.push(one),
            None => self.0.push((key.to_owned(), what, vec![one])),
        }
    }

    pub(super) fn placed(self, loaded: &Loaded) -> impl Iterator<Item = RecipeError> {
        self.0.into_iter().map(|(key, what, all)| loaded.mistake(&key, format!("{what}: {}", all.join(", "))))
    }
}
