//! The page that says what each stage does, reads and leaves: made from the tables of the code. Never written by hand.

use std::fmt::Write;

use crate::stages::StageKind;
use crate::stages::coverage::{KEY_USES, KeyReader};

/// `docs/stages.md`.
#[must_use]
pub fn stage_reference_markdown() -> String {
    let mut text = String::from(
        "# Stages and the keys they read\n\n\
         Made by `cadre-plan stages > docs/stages.md`; a test compares the two.\n\n\
         A stage's key is a digest of its kind and version, of the recipe values listed here, of the digests of the \
         files and plugins among them, and of the keys of its inputs. Where files lie and how fast a stage runs is in no \
         key. What is the same is done once: a change of a key does the stages again that read it, and those after \
         them.\n",
    );
    for kind in StageKind::ALL {
        let (does, inputs) = about(kind);
        let _ = write!(
            text,
            "\n## {} (version {})\n\n{does}\n\nInputs: {inputs}.\n\nReads: ",
            kind.name(),
            kind.version()
        );
        let keys: Vec<String> = KEY_USES
            .iter()
            .filter(|used| matches!(used.reader, KeyReader::Stages(kinds) if kinds.contains(&kind)))
            .map(|used| format!("`{}`", used.key))
            .collect();
        let _ = writeln!(text, "{}.", keys.join(", "));
    }
    let others: [(KeyReader, &str, &str); 4] = [
        (KeyReader::Plan, "The plan itself", "They decide which stages there are and what they depend on."),
        (
            KeyReader::Pace,
            "No stage's key",
            "They change speed and memory, and no result: on the CPU backend (`cpu`) not one bit of it. Other backends choose \
             their products by the number of rows, so that there the batch of evaluation may change last bits.",
        ),
        (KeyReader::Sweep, "Sweeps", "They make several recipes of one; no single run has them."),
        (
            KeyReader::Refused,
            "Nobody",
            "A table that is shared with others has them; here they are mistakes.",
        ),
    ];
    for (reader, title, why) in others {
        let keys: Vec<String> = KEY_USES
            .iter()
            .filter(|used| used.reader == reader)
            .map(|used| format!("`{}`", used.key))
            .collect();
        let _ = write!(text, "\n## {title}\n\n{why}\n\n{}.\n", keys.join(", "));
    }
    text
}

/// What a stage does, and which stages it reads.
fn about(kind: StageKind) -> (&'static str, &'static str) {
    match kind {
        StageKind::Prepare => (
            "Reads examples from a dataset, shuffles them by a seed and cuts them to their limit. `prepare/<task>` does not \
             know its place in the stream; `prepare-corpus`, `prepare-pseudo-negatives` and \
             `prepare-out-of-distribution` are the others.",
            "none",
        ),
        StageKind::Backbone => (
            "Checks a checkpoint (it stays where it is), or trains a tokenizer and pretrains a small backbone.",
            "`prepare-corpus` for pretraining",
        ),
        StageKind::Remember => (
            "Asks the selector which examples of a task to keep. There is none for the last task.",
            "`backbone`, `prepare/<task>`; `train/…` up to the task where `rehearsal.grant` has `experts`",
        ),
        StageKind::Compose => (
            "Puts a training set together: the task's own examples, what is rehearsed of earlier tasks, outside negatives.",
            "`prepare/<task>`; `backbone` and `remember/…` of earlier tasks where there are some; \
             `prepare-pseudo-negatives`; `train/…` of earlier tasks where granted",
        ),
        StageKind::Train => (
            "Trains an adapter. It does not know which task it learns: only its training set. An adapter that the recipe \
             imports is taken over in its place.",
            "`backbone`, `compose/<task>`; `train/<task before>` where it goes on from it; `backbone` alone for an import",
        ),
        StageKind::Describe => {
            ("Notes descriptors of an expert for routers.", "`backbone`, `prepare/<task>`")
        }
        StageKind::Evaluate => (
            "One row of R: routes, answers and scores the queries of the tasks seen so far (or of all).",
            "`backbone`, `prepare/…` of the queried tasks, `train/…` and `describe/…` of the tasks learned",
        ),
        StageKind::OutOfDistribution => (
            "Routes queries of no task after the last task.",
            "`prepare-out-of-distribution`; with a router also `backbone`, all `train/…` and `describe/…`",
        ),
        StageKind::Report => (
            "Gathers the report. Its key holds the key of the run, so that each run has its own; it also lists the files \
             and plugins that the run was made with, and what its diagnosis judges by: the router with its settings, the \
             form of the indicator, the warm-up.",
            "every other stage",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::stage_reference_markdown;

    #[test]
    fn the_page_is_what_the_code_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/stages.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert!(written == stage_reference_markdown(), "run `cadre-plan stages > docs/stages.md`");
    }
}
