//! Plain text as a corpus to pretrain on: files are cut into pieces at the ends of paragraphs, sentences or words. Text
//! must not be lost or changed, except for whitespace at the cuts. Cannot be used as a stream.

use std::path::{Path, PathBuf};

use super::sink::Sink;
use super::{SourceSpec, json_rows, opened, path_of, task_folders};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a corpus of plain UTF-8 text (a file, or a folder of .txt files), cut into pieces of at most 512 characters at the end of a paragraph, sentence or word; each piece is an output without a prompt, each file is a task. Both splits give all pieces";

/// Maximum characters per piece: about 170 tokens with a small vocabulary.
const PIECE: usize = 512;

/// Minimum length at which a piece may end with a paragraph or sentence; below it, the end of a word is better than a
/// short piece.
const MIN_PIECE: usize = PIECE / 2;

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    Ok(all_files(spec)?.iter().map(|file| task_folders::name_of(file)).collect())
}

pub(super) fn files(spec: &SourceSpec, task: &str, _split: Split) -> Result<Vec<PathBuf>, DataError> {
    let all = all_files(spec)?;
    match all.iter().find(|file| task_folders::name_of(file) == task) {
        Some(file) => Ok(vec![file.clone()]),
        None => Err(super::unknown_task(
            task,
            path(spec)?.display().to_string(),
            all.iter().map(|file| task_folders::name_of(file)).collect(),
        )),
    }
}

pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    files(spec, task, split)?.iter().try_for_each(|file| read(file, sink))
}

pub(super) fn visit_all(spec: &SourceSpec, sink: &mut Sink) -> Result<(), DataError> {
    all_files(spec)?.iter().try_for_each(|file| read(file, sink))
}

fn read(file: &Path, sink: &mut Sink) -> Result<(), DataError> {
    if sink.is_full() {
        return Ok(());
    }
    let examples = parse(file, &opened::whole(file, "plain text")?)?;
    if examples.is_empty() {
        return Err(DataError::Empty { file: file.to_owned(), expected: "plain text".into() });
    }
    examples.into_iter().try_for_each(|example| sink.take(file, example))
}

pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Vec<Example>, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let whole = &bytes[..error.valid_up_to()];
        let line = whole.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let last = whole.rsplit(|&byte| byte == b'\n').next();
        json_rows::row_error(
            file,
            line,
            "UTF-8 text".into(),
            &String::from_utf8_lossy(last.unwrap_or_default()),
        )
    })?;
    let task = task_folders::name_of(file);
    let text = text.replace("\r\n", "\n");
    Ok(pieces(&text)
        .into_iter()
        .enumerate()
        .map(|(number, piece)| Example {
            id: format!("{task}/{number}"),
            task: task.clone(),
            turns: Vec::new(),
            instruction: String::new(),
            input: String::new(),
            references: vec![piece.to_owned()],
            output: piece.to_owned(),
        })
        .collect())
}

fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = match rest.char_indices().nth(PIECE) {
            None => rest.len(),
            Some((most, _)) => cut(&rest[..most]),
        };
        pieces.push(rest[..end].trim_end());
        rest = rest[end..].trim_start();
    }
    pieces
}

/// Where to cut a text that is too long: after a paragraph, a sentence or a word, or at its end.
fn cut(stretch: &str) -> usize {
    let late = |at: usize| stretch[..at].chars().count() >= MIN_PIECE;
    let after = |mark: &str| stretch.rfind(mark).map(|at| at + mark.len());
    let sentence =
        [". ", ".\n", "! ", "? ", "!\n", "?\n", ".\" ", ".”\n"].iter().filter_map(|mark| after(mark)).max();
    let word = stretch.rfind(char::is_whitespace).filter(|&at| at > 0);
    after("\n\n").filter(|&at| late(at)).or(sentence.filter(|&at| late(at))).or(word).unwrap_or(stretch.len())
}

pub(super) fn all_files(spec: &SourceSpec) -> Result<Vec<PathBuf>, DataError> {
    task_folders::files_with(path(spec)?, &["txt"], "plain text, in .txt files")
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "text", "a text file, or a folder of .txt files")
}

#[cfg(test)]
mod tests {
    use super::{PIECE, pieces};

    #[test]
    fn pieces_end_at_sentences_and_lose_no_word() {
        let text = "One short sentence stands here. ".repeat(100);
        let cut = pieces(&text);
        assert!(cut.len() > 5);
        for piece in &cut {
            assert!(piece.chars().count() <= PIECE && piece.ends_with('.'));
        }
        assert_eq!(cut.join(" "), text.trim());
    }

    #[test]
    fn text_without_space_is_cut_at_the_limit() {
        let text = "ä".repeat(1100);
        let lengths: Vec<_> = pieces(&text).iter().map(|piece| piece.chars().count()).collect();
        assert_eq!(lengths, [512, 512, 76]);
    }
}
