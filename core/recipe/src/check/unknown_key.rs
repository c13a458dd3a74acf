//! Suggestions for keys that recipes do not have: typing errors, other frameworks' names, keys below another table,
//! dotted keys with their parts in another order or with parts left out.

use crate::diagnostics::expectation::{did_you_mean, listed, nearest};
use crate::diagnostics::synonyms::{self, Synonym, spelled};
use crate::generate::schema::all_keys;
use crate::read::key_path::{KeyPath, Step};

/// Keys above the first table of a file.
const HEAD: [&str; 5] = ["name", "reference", "summary", "seed", "inherit"];
/// Tables that are listed for a key that several of them have.
const MAX_TABLES: usize = 3;

/// The suggestion for `key`, which the table at `path` does not have; `siblings` are the keys it has.
pub(crate) fn suggestion(key: &str, path: &KeyPath, siblings: &[&'static str]) -> Option<String> {
    let written = spelled(key);
    if let Some(sibling) = siblings.iter().find(|sibling| **sibling == written) {
        return Some(did_you_mean(sibling));
    }
    match synonyms::of_key(key) {
        Some(Synonym::Key(meant)) if siblings.contains(&meant) => return Some(did_you_mean(meant)),
        Some(Synonym::Key(meant)) => {
            let key = best(&with_end(meant), path)?;
            return Some(did_you_mean(&key.to_string()));
        }
        // A table below the one at hand is named from it.
        Some(Synonym::Path(meant)) if !head_below_table(meant, path) => return Some(did_you_mean(meant)),
        Some(Synonym::Note(note)) => return Some(note.to_owned()),
        Some(Synonym::Path(_)) | None => {}
    }
    if HEAD.contains(&written.as_str()) && !path.is_root() {
        return Some(format!("`{written}` is a key of the recipe itself: move it above the first `[table]`"));
    }
    if let Some(near) = nearest(key, siblings.iter().copied()) {
        return Some(did_you_mean(near));
    }
    belongs(&written, path)
}

fn head_below_table(meant: &str, path: &KeyPath) -> bool {
    HEAD.contains(&meant) && !path.is_root()
}

/// The tables that a key belongs to, those nearest to `path` first.
fn belongs(key: &str, path: &KeyPath) -> Option<String> {
    let mut keys = with_end(key);
    if path.is_root() {
        return best(&keys, path).map(|key| did_you_mean(&key.to_string()));
    }
    if let Some(table) = keys.iter().find(|known| known.parent().is_root()) {
        return Some(format!("`{table}` is a table of the recipe itself: begin it with a line `[{table}]`"));
    }
    keys.sort_by_key(|known| distance(known, path));
    let tables: Vec<String> =
        keys.iter().take(MAX_TABLES).map(|known| format!("[{}]", known.parent())).collect();
    match tables.is_empty() {
        true => None,
        false => Some(format!("`{key}` belongs to {}", listed(tables.iter().map(String::as_str), "or"))),
    }
}

/// The dotted key that was meant by one whose parts are in another order, left out, or spelled as elsewhere.
pub(crate) fn reordered(parts: &[&str]) -> Option<String> {
    let parts: Vec<String> = parts.iter().map(|part| spelled(part)).collect();
    let (last, above) = parts.split_last()?;
    let ends = match synonyms::of_key(last) {
        Some(Synonym::Key(meant)) => vec![last.as_str(), meant],
        Some(Synonym::Path(meant)) if above.is_empty() && !HEAD.contains(&meant) => {
            return Some(meant.to_owned());
        }
        _ => vec![last.as_str()],
    };
    let has = |known: &KeyPath, part: &str| known.0.contains(&Step::Key(part.to_owned()));
    let fits = |known: &&KeyPath| {
        let whole = parts.len() == known.0.len() && parts.iter().all(|part| has(known, part));
        let end = matches!(known.0.last(), Some(Step::Key(end)) if ends.contains(&end.as_str()));
        whole || (end && above.iter().all(|part| has(known, part)))
    };
    let found: Vec<&KeyPath> = all_keys().iter().filter(fits).collect();
    best(&found, &KeyPath::default()).map(ToString::to_string)
}

/// All keys with this last part.
fn with_end(key: &str) -> Vec<&'static KeyPath> {
    let end = Step::Key(key.to_owned());
    all_keys().iter().filter(|known| known.0.last() == Some(&end)).collect()
}

fn best<'a>(keys: &[&'a KeyPath], path: &KeyPath) -> Option<&'a KeyPath> {
    keys.iter().copied().min_by_key(|known| distance(known, path))
}

/// How far a key is from the table at `path`: steps that are not shared. Of equally near ones, the expert's training
/// comes before the pretraining of the backbone.
fn distance(known: &KeyPath, path: &KeyPath) -> (usize, bool) {
    let table = known.parent();
    let shared = table.0.iter().zip(&path.0).take_while(|(one, other)| one == other).count();
    let pretrain = known.0.contains(&Step::Key("pretrain".to_owned()));
    (table.0.len() + path.0.len() - 2 * shared + usize::from(pretrain), pretrain)
}

#[cfg(test)]
mod tests {
    use super::{reordered, suggestion};
    use crate::generate::schema::{lookup, properties, resolved};
    use crate::read::key_path::KeyPath;

    fn suggested(key: &str, table: &str) -> String {
        let path = KeyPath::of(table);
        let keys = lookup(&path).and_then(|node| properties(resolved(node)));
        let siblings: Vec<&str> = keys.into_iter().flat_map(|keys| keys.keys()).map(String::as_str).collect();
        suggestion(key, &path, &siblings).unwrap_or_default()
    }

    #[test]
    fn names_of_other_frameworks_lead_to_keys() {
        let training = |key: &str| suggested(key, "expert.training");
        for (key, meant) in [
            ("lr", "learning-rate"),
            ("learning_rate", "learning-rate"),
            ("batch_size", "batch"),
            ("bs", "batch"),
            ("epoch", "epochs"),
            ("num_epochs", "epochs"),
            ("warmup_steps", "warmup"),
            ("weight_decay", "weight-decay"),
            ("grad_clip", "gradient-clip"),
            ("bacth", "batch"),
            ("lora_rank", "expert.adapter.rank"),
            ("r", "expert.adapter.rank"),
            ("lora_alpha", "expert.adapter.alpha"),
            ("target_modules", "expert.adapter.targets"),
            ("model", "backbone.checkpoint"),
            ("dataset", "stream"),
            ("seeds", "sweep.seeds"),
        ] {
            assert_eq!(training(key), format!("did you mean `{meant}`?"), "{key}");
        }
        assert!(training("max_len").contains("`max-prompt` and `max-response`"));
        assert!(training("optimizer").contains("AdamW"));
        assert_eq!(suggested("learning_rate", "backbone.pretrain.training"), "did you mean `learning-rate`?");
        assert_eq!(suggested("xylophone", "expert.training"), "");
    }

    #[test]
    fn a_key_below_another_table_is_given_its_own() {
        assert_eq!(suggested("rank", "expert"), "`rank` belongs to `[expert.adapter]`");
        let batch = suggested("batch", "expert.adapter");
        assert!(batch.starts_with("`batch` belongs to `[expert.training]`, "), "{batch}");
        let stream = suggested("stream", "expert");
        assert_eq!(stream, "`stream` is a table of the recipe itself: begin it with a line `[stream]`");
        let seed = suggested("seed", "expert");
        assert_eq!(seed, "`seed` is a key of the recipe itself: move it above the first `[table]`");
    }

    #[test]
    fn dotted_keys_in_another_order_or_with_parts_left_out_are_found() {
        for (written, meant) in [
            ("adapter.expert.rank", "expert.adapter.rank"),
            ("training.expert.learning-rate", "expert.training.learning-rate"),
            ("rank.expert.adapter", "expert.adapter.rank"),
            ("training.batch", "expert.training.batch"),
            ("learning-rate", "expert.training.learning-rate"),
            ("expert.lr", "expert.training.learning-rate"),
            ("pretrain.training.lr", "backbone.pretrain.training.learning-rate"),
        ] {
            let parts: Vec<&str> = written.split('.').collect();
            assert_eq!(reordered(&parts).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(reordered(&["ruter", "threshold"]), None);
    }
}
