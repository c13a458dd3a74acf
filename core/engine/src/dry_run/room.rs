//! Maximum token counts of prompts and responses, and warnings about tasks that exceed them.

use cadre_data::Split;
use cadre_recipe::{Loaded, RecipeError};
use cadre_scheduler::{IndicatorWork, PromptWork};

/// Maximum token counts of prompts and responses.
pub(super) struct Room {
    pub(super) prompt: PromptWork,
    pub(super) indicator: Option<IndicatorWork>,
    pub(super) context: usize,
    /// Maximum length of a response in training, if something is trained.
    pub(super) learnt: Option<usize>,
    /// Maximum length of an answer.
    pub(super) answer: usize,
}

impl Room {
    /// Maximum length of a prompt beside a response of this length, and the recipe key that sets the limit.
    pub(super) fn longest_prompt(&self, response: usize, marks: usize) -> (usize, &'static str) {
        let left = self.context.saturating_sub(response.saturating_add(marks));
        match self.prompt.max_prompt.map(|limit| limit as usize) {
            Some(limit) if limit <= left => (limit, "expert.training.max-prompt"),
            _ => (left, "backbone"),
        }
    }

    pub(super) fn response(&self, split: Split) -> Option<usize> {
        match split {
            Split::Train => self.learnt,
            Split::Test => Some(self.answer),
        }
    }

    /// The smallest limit that applies to any part of a row in this split.
    pub(super) fn smallest_limit(&self, split: Split) -> usize {
        let Some(response) = self.response(split) else { return usize::MAX };
        let learnt = if split == Split::Train { response } else { usize::MAX };
        self.longest_prompt(response, 64).0.min(learnt)
    }
}

/// Warnings that concern several tasks, grouped by recipe key.
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
