//! How an instruction is worded: an opening, the core that says what to do, a closing. Openings and
//! closings are shared by all tasks and by the general instructions, and every choice is made without a
//! look at the answer, so that no wording tells one. Never makes inputs or answers.

use super::draw::Draw;

/// Openings; the empty one twice as likely.
pub(super) const OPENINGS: &[&str] = &["", "", "Please ", "Now ", "Next, "];
/// Openings of questions.
pub(super) const QUESTION_OPENINGS: &[&str] = &["", "", "Now: ", "Next: "];
/// Closings; the empty one twice as likely.
pub(super) const CLOSINGS: &[&str] =
    &["", "", " Answer briefly.", " Write nothing else.", " Give only the answer."];

/// An instruction whose core is one of `cores` (no capital, no full stop).
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

/// The text with its first letter a capital.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
