//! The words of a selector, and the trait to implement. Nothing here decides anything.

use std::sync::OnceLock;

pub use crate::Description;
pub use crate::bindings::selector_world::exports::cadre::policy::selector::{
    Candidate, Example, Finding, Generation, Observation, Order, Pick, Probe, Purpose, Role, Source, Step,
};

/// Decides which examples are remembered and what a new expert is trained on. A pure function: its
/// only source of chance is `order.seed`.
pub trait Selector: Sized + Send + Sync + 'static {
    /// What this selector says of itself.
    fn describe() -> Description;

    /// Reads the settings (JSON of the recipe's table, see [`crate::settings`]).
    ///
    /// # Errors
    /// Words for the researcher: which setting is wrong, and what would be right.
    fn open(settings: &str) -> Result<Self, String>;

    /// The next step: ask, or pick. Observations stand in the order in which they were asked for.
    ///
    /// # Errors
    /// Words for the researcher; the stage ends.
    fn select(
        &self,
        order: &Order,
        candidates: &[Candidate],
        observations: &[Observation],
    ) -> Result<Step, String>;
}

/// Picks these candidates as they are, with the role that the recipe gives to rehearsed examples.
pub fn pick_existing(order: &Order, ids: impl IntoIterator<Item = u64>) -> Step {
    Step::Done(
        ids.into_iter()
            .map(|id| Pick { source: Source::Existing(id), role: order.role, weight: 1.0 })
            .collect(),
    )
}

#[doc(hidden)]
pub fn describe<S: Selector>() -> Description {
    crate::keep_last_words();
    S::describe()
}

#[doc(hidden)]
pub fn open<S: Selector>(policy: &OnceLock<S>, settings: &str) -> Result<(), String> {
    crate::keep_last_words();
    let opened = S::open(settings)?;
    policy.set(opened).map_err(|_| "opened a second time".to_owned())
}

#[doc(hidden)]
pub fn select<S: Selector>(
    policy: &OnceLock<S>,
    order: &Order,
    candidates: &[Candidate],
    observations: &[Observation],
) -> Result<Step, String> {
    let policy = policy.get().ok_or("asked before it was opened")?;
    policy.select(order, candidates, observations)
}
