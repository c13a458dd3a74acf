//! General instructions: many small skills over words, lists, sentences and reviews, and some small talk. The backbone
//! is pretrained on them; none of them is a task of the stream. Kinds that are `far` are for pretraining and for the
//! out-of-distribution split, which consists of them; no expert must see one, not even as a pseudo-negative.

mod lists;
mod sentences;
mod talk;
mod words;

use super::draw::Draw;
use super::phrasing;
use super::tasks::Row;

/// A kind of general instruction.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Whether the kind is reserved for pretraining and the out-of-distribution split.
    pub(super) far: bool,
    make: fn(&mut Draw) -> Row,
}

impl Kind {
    const fn near(name: &'static str, make: fn(&mut Draw) -> Row) -> Self {
        Self { name, far: false, make }
    }

    const fn far(name: &'static str, make: fn(&mut Draw) -> Row) -> Self {
        Self { name, far: true, make }
    }

    /// Draws an instruction of this kind.
    pub(super) fn row(&self, draw: &mut Draw) -> Row {
        (self.make)(draw)
    }
}

/// All kinds, file by file.
pub(super) fn kinds() -> impl Iterator<Item = &'static Kind> {
    [lists::KINDS, words::KINDS, sentences::KINDS, talk::KINDS].into_iter().flatten()
}

/// A row whose instruction has one of these cores.
fn row(draw: &mut Draw, cores: &[&str], input: String, output: impl Into<String>) -> Row {
    Row { instruction: phrasing::instruction(draw, cores), input, output: output.into() }
}

/// A row without input, whose instruction has this core.
fn ask(draw: &mut Draw, core: &str, output: impl Into<String>) -> Row {
    Row { instruction: phrasing::word(draw, core), input: String::new(), output: output.into() }
}
