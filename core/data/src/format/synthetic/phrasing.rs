//! Phrases an instruction: an opening, a core that states what to do, a closing. All tasks and the general instructions
//! share openings and closings. Choices must not depend on the answer, so that the phrasing does not reveal it.

use super::draw::Draw;

/// Openings; the empty one has twice the probability.
pub(super) const OPENINGS: &[&str] = &["", "", "Please ", "Now ", "Next, "];
/// Openings of questions.
pub(super) const QUESTION_OPENINGS: &[&str] = &["", "", "Now: ", "Next: "];
/// Closings; the empty one has twice the probability.
pub(super) const CLOSINGS: &[&str] =
    &["", "", " Answer briefly.", " Write nothing else.", " Give only the answer."];

/// An instruction with one of `cores` (written without a capital or a full stop).
pub(super) fn instruction(draw: &mut Draw, cores: &[&str]) -> String {
    let core = draw.pick(cores);
    word(draw, core)
}

/// An instruction with this core.
pub(super) fn word(draw: &mut Draw, core: &str) -> String {
    let question = core.ends_with('?');
    let opening = draw.pick(if question { QUESTION_OPENINGS } else { OPENINGS });
    let closing = draw.pick(CLOSINGS);
    let core = if opening.is_empty() || question { capitalised(core) } else { core.to_owned() };
    let stop = if question { "" } else { "." };
    format!("{opening}{core}{stop}{closing}")
}

/// The text with its first letter capitalised.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
