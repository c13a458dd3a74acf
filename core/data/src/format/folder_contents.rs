//! Describes the contents of a folder in which something else was expected: the names, and what to do with such files.
//! Does not open any file.

use std::path::Path;

use super::opened;
use super::rows::ENDINGS;
use super::task_folders::entries;

/// Maximum number of names in a message.
const LISTED: usize = 12;
/// Maximum number of subfolders to search.
const LOOKED: usize = 100;

/// Endings of compressed files and archives that are not supported.
const ARCHIVES: [&str; 10] = ["bz2", "xz", "zip", "tar", "tgz", "lz4", "7z", "rar", "br", "lzma"];
/// Endings of table formats that are not supported.
const TABLES: [&str; 8] = ["arrow", "feather", "xlsx", "xls", "pkl", "npy", "h5", "avro"];

/// Describes the contents of a folder without files of a split, and what to do with them; `None` if it is empty.
pub(super) fn describe(folder: &Path, endings: &[&str]) -> Option<String> {
    let names = names(folder);
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<&str> {
        names.iter().map(String::as_str).filter(|name| wanted(name)).collect()
    };
    let ending_of = |name: &str| opened::ending(Path::new(name)).map(str::to_lowercase);
    let last_of = |name: &str| name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    let is_of = |name: &str, endings: &[&str]| {
        ending_of(name).is_some_and(|ending| endings.contains(&ending.as_str()))
    };
    let readable = of(&|name| is_of(name, endings));
    if !readable.is_empty() {
        return Some(format!("{}, none of which is named train or test", listed(&readable)));
    }
    let others = of(&|name| is_of(name, ENDINGS));
    if !others.is_empty() {
        return Some(format!(
            "{}, which this format does not read: {}",
            listed(&others),
            format_for(&others)
        ));
    }
    let packed = of(&|name| last_of(name).is_some_and(|ending| ARCHIVES.contains(&ending.as_str())));
    if !packed.is_empty() {
        let advice = "which are not supported: decompress them (.gz and .zst can be read directly)";
        return Some(format!("{}, {advice}", listed(&packed)));
    }
    let tables = of(&|name| last_of(name).is_some_and(|ending| TABLES.contains(&ending.as_str())));
    if !tables.is_empty() {
        return Some(format!(
            "{}, which are not supported: convert them to Parquet or JSON lines",
            listed(&tables)
        ));
    }
    let all = of(&|_| true);
    (!all.is_empty()).then(|| listed(&all))
}

/// The formats that read such files.
fn format_for(names: &[&str]) -> &'static str {
    if names.iter().all(|name| name.to_lowercase().ends_with(".parquet")) {
        "`parquet`, `alpaca` and `chat` read Parquet"
    } else {
        "`jsonl`, `alpaca` and `chat` read JSON lines, JSON arrays and CSV"
    }
}

/// Relative names of the files in a folder and its subfolders, without hidden ones.
fn names(folder: &Path) -> Vec<String> {
    let Ok(inside) = entries(folder, String::new) else { return Vec::new() };
    let mut names = Vec::new();
    let name_of =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut looked = 0;
    for entry in inside {
        let name = name_of(&entry);
        if name.starts_with('.') {
            continue;
        }
        if !entry.is_dir() {
            names.push(name);
        } else if looked < LOOKED {
            looked += 1;
            let deeper = entries(&entry, String::new).unwrap_or_default();
            let files = deeper.iter().filter(|file| file.is_file()).map(|file| name_of(file));
            names.extend(files.filter(|file| !file.starts_with('.')).map(|file| format!("{name}/{file}")));
        }
    }
    names
}

fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut text = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(", {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::describe;

    fn described(files: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for name in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            std::fs::write(file, "").expect("written");
        }
        describe(folder.path(), &["jsonl", "json"])
    }

    #[test]
    fn the_contents_of_a_folder_are_described() {
        assert_eq!(described(&[]), None);
        assert_eq!(described(&[".git/config", ".hidden"]), None);
        assert_eq!(
            described(&["README.md", "data/train_sft.jsonl", "data/Test.jsonl.gz"]).as_deref(),
            Some("data/Test.jsonl.gz, data/train_sft.jsonl, none of which is named train or test")
        );
        let parquet = described(&["t/train.parquet", "x.md"]).expect("named");
        assert!(
            parquet.starts_with("t/train.parquet, which this format does not read: `parquet`"),
            "{parquet}"
        );
        let csv = described(&["t/train.csv"]).expect("named");
        assert!(csv.starts_with("t/train.csv, which this format does not read: `jsonl`"), "{csv}");
        let packed = described(&["train.jsonl.bz2"]).expect("named");
        assert!(packed.starts_with("train.jsonl.bz2, which are not supported"), "{packed}");
        let arrow = described(&["data-00000-of-00001.arrow", "state.json.lock"]).expect("named");
        assert!(arrow.contains("convert them to Parquet"), "{arrow}");
        assert_eq!(described(&["notes/readme.txt"]).as_deref(), Some("notes/readme.txt"));
        let many: Vec<String> = (0..20).map(|number| format!("{number:02}.txt")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(described(&many).expect("named").ends_with("11.txt, 8 more"));
    }
}
