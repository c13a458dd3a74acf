//! General instructions: many small skills over the same words, lists, sentences and reviews, and some
//! talk. The backbone is pretrained on them; none of them is a task of the stream. Some kinds are `far`:
//! the backbone learns them, no expert ever sees one (not even as a pseudo-negative), and the
//! out-of-distribution split consists of them.

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
    /// Kept for the out-of-distribution split and for pretraining.
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

    /// One instruction of this kind.
    pub(super) fn row(&self, draw: &mut Draw) -> Row {
        (self.make)(draw)
    }
}

/// All kinds, by the file they are in.
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
