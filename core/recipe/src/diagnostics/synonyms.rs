//! Names that other training frameworks use, mapped to the recipe's keys and words. Used only for suggestions.

/// What to suggest for a key that recipes do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Synonym {
    /// The last part of a key; the table that contains it is looked up.
    Key(&'static str),
    /// A whole dotted key.
    Path(&'static str),
    /// An explanation, where no key corresponds.
    Note(&'static str),
}

use Synonym::{Key, Note, Path};

/// Keys of Hugging Face's trainer, PEFT, TRL, Axolotl and plain PyTorch scripts, with `-` for `_`.
const KEYS: &[(&str, Synonym)] = &[
    // Training.
    ("lr", Key("learning-rate")),
    ("rate", Key("learning-rate")),
    ("max-lr", Key("learning-rate")),
    ("peak-lr", Key("learning-rate")),
    ("bs", Key("batch")),
    ("batch-size", Key("batch")),
    ("batchsize", Key("batch")),
    ("per-device-train-batch-size", Key("batch")),
    ("train-batch-size", Key("batch")),
    ("micro-batch-size", Key("micro-batch")),
    ("epoch", Key("epochs")),
    ("num-epochs", Key("epochs")),
    ("n-epochs", Key("epochs")),
    ("num-train-epochs", Key("epochs")),
    ("max-epochs", Key("epochs")),
    ("step", Key("steps")),
    ("max-steps", Key("steps")),
    ("num-steps", Key("steps")),
    ("num-train-steps", Key("steps")),
    ("iterations", Key("steps")),
    ("iters", Key("steps")),
    ("gradient-accumulation-steps", Key("accumulate")),
    ("gradient-accumulation", Key("accumulate")),
    ("grad-accum", Key("accumulate")),
    ("accumulation-steps", Key("accumulate")),
    ("accumulation", Key("accumulate")),
    ("warmup-steps", Key("warmup")),
    ("warm-up", Key("warmup")),
    ("num-warmup-steps", Key("warmup")),
    ("warmup-ratio", Note("`warmup` counts steps: a ratio of 0.1 over 500 steps is `warmup = 50`")),
    ("grad-clip", Key("gradient-clip")),
    ("clip", Key("gradient-clip")),
    ("max-grad-norm", Key("gradient-clip")),
    ("gradient-clipping", Key("gradient-clip")),
    ("gradient-clip-val", Key("gradient-clip")),
    ("clip-grad-norm", Key("gradient-clip")),
    ("wd", Key("weight-decay")),
    ("decay", Key("weight-decay")),
    ("scheduler", Key("schedule")),
    ("lr-scheduler", Key("schedule")),
    ("lr-scheduler-type", Key("schedule")),
    ("lr-schedule", Key("schedule")),
    ("save-steps", Key("checkpoint-every")),
    ("save-every", Key("checkpoint-every")),
    ("checkpoint-steps", Key("checkpoint-every")),
    ("max-len", Note("prompt and response are bounded separately: `max-prompt` and `max-response`")),
    ("max-length", Note("prompt and response are bounded separately: `max-prompt` and `max-response`")),
    ("max-seq-len", Note("prompt and response are bounded separately: `max-prompt` and `max-response`")),
    ("max-seq-length", Note("prompt and response are bounded separately: `max-prompt` and `max-response`")),
    ("seq-len", Note("prompt and response are bounded separately: `max-prompt` and `max-response`")),
    ("cutoff-len", Note("prompt and response are bounded separately: `max-prompt` and `max-response`")),
    ("max-prompt-length", Key("max-prompt")),
    ("max-source-length", Key("max-prompt")),
    ("max-response-length", Key("max-response")),
    ("max-completion-length", Key("max-response")),
    ("max-target-length", Key("max-response")),
    (
        "optimizer",
        Note("the optimizer is AdamW; its settings are `learning-rate`, `schedule` and `weight-decay`"),
    ),
    (
        "optim",
        Note("the optimizer is AdamW; its settings are `learning-rate`, `schedule` and `weight-decay`"),
    ),
    // Adapters.
    ("r", Key("rank")),
    ("lora-r", Key("rank")),
    ("lora-rank", Key("rank")),
    ("lora-alpha", Key("alpha")),
    ("scaling", Key("alpha")),
    ("lora-dropout", Key("dropout")),
    ("target-modules", Key("targets")),
    ("lora-target-modules", Key("targets")),
    ("lora-target", Key("targets")),
    ("modules", Key("targets")),
    ("peft-type", Path("expert.adapter.kind")),
    ("adapter-type", Path("expert.adapter.kind")),
    ("lora", Path("expert.adapter")),
    ("peft", Path("expert.adapter")),
    ("peft-config", Path("expert.adapter")),
    // Models.
    ("model", Path("backbone.checkpoint")),
    ("model-name", Path("backbone.checkpoint")),
    ("model-path", Path("backbone.checkpoint")),
    ("model-id", Path("backbone.checkpoint")),
    ("model-name-or-path", Path("backbone.checkpoint")),
    ("base-model", Path("backbone.checkpoint")),
    ("pretrained", Path("backbone.checkpoint")),
    ("hidden-size", Key("hidden")),
    ("d-model", Key("hidden")),
    ("num-hidden-layers", Key("layers")),
    ("num-layers", Key("layers")),
    ("n-layers", Key("layers")),
    ("num-attention-heads", Key("heads")),
    ("num-heads", Key("heads")),
    ("n-heads", Key("heads")),
    ("num-key-value-heads", Key("kv-heads")),
    ("num-kv-heads", Key("kv-heads")),
    ("intermediate-size", Key("feed-forward")),
    ("ffn-dim", Key("feed-forward")),
    ("d-ff", Key("feed-forward")),
    ("max-position-embeddings", Key("context")),
    ("context-length", Key("context")),
    ("tie-word-embeddings", Key("tied")),
    ("vocab-size", Path("backbone.pretrain.tokenizer.train-bpe")),
    // Devices.
    ("gpu", Path("device.backend")),
    ("cuda", Path("device.backend")),
    ("accelerator", Path("device.backend")),
    ("dtype", Path("device.precision")),
    ("torch-dtype", Path("device.precision")),
    ("fp16", Path("device.precision")),
    ("bf16", Path("device.precision")),
    ("num-threads", Key("threads")),
    ("num-workers", Key("threads")),
    ("workers", Key("threads")),
    // Data.
    ("data", Path("stream")),
    ("dataset", Path("stream")),
    ("datasets", Path("stream")),
    ("dataset-name", Path("stream.path")),
    ("dataset-path", Path("stream.path")),
    ("data-path", Path("stream.path")),
    ("data-dir", Path("stream.path")),
    ("train-file", Path("stream.path")),
    ("tasks", Path("stream.order")),
    ("task-order", Path("stream.order")),
    ("prompt-template", Path("stream.template")),
    ("chat-template", Path("stream.template")),
    ("max-samples", Path("stream.limits.train")),
    ("max-train-samples", Path("stream.limits.train")),
    ("max-eval-samples", Path("stream.limits.test")),
    // Methods and evaluation.
    ("replay", Path("rehearsal")),
    ("replay-buffer", Path("rehearsal")),
    ("buffer", Path("rehearsal")),
    ("memory", Path("rehearsal")),
    ("buffer-size", Path("rehearsal.selector.count")),
    ("replay-ratio", Path("rehearsal.selector.share")),
    ("router", Path("routing.router")),
    ("gate", Path("routing.router")),
    ("eval", Path("evaluation")),
    ("metric", Path("evaluation.metrics")),
    ("generation", Path("evaluation.decoding")),
    ("max-tokens", Key("max-new-tokens")),
    ("max-length-generation", Key("max-new-tokens")),
    ("do-sample", Path("evaluation.decoding.strategy")),
    ("temperature", Path("evaluation.decoding.strategy")),
    ("top-p", Path("evaluation.decoding.strategy")),
    ("eval-batch-size", Path("evaluation.decoding.batch")),
    ("per-device-eval-batch-size", Path("evaluation.decoding.batch")),
    // The head.
    ("random-seed", Path("seed")),
    ("rng-seed", Path("seed")),
    ("seeds", Path("sweep.seeds")),
    ("grid", Path("sweep.grid")),
    ("extends", Path("inherit")),
    ("base", Path("inherit")),
    ("include", Path("inherit")),
    ("defaults", Path("inherit")),
    ("title", Path("name")),
    ("experiment", Path("name")),
    ("run-name", Path("name")),
    ("description", Path("summary")),
];

/// Values, lower case, with `-` for `_`. A word is suggested only where its key takes it.
const WORDS: &[(&str, &str)] = &[
    ("gpu", "cuda"),
    ("nvidia", "cuda"),
    ("rocm", "cpu"),
    ("mps", "cpu"),
    ("fp32", "f32"),
    ("float32", "f32"),
    ("float", "f32"),
    ("32", "f32"),
    ("bfloat16", "bf16"),
    ("fp16", "bf16"),
    ("f16", "bf16"),
    ("float16", "bf16"),
    ("half", "bf16"),
    ("16", "bf16"),
    ("cosine-with-restarts", "cosine"),
    ("cosine-annealing", "cosine"),
    ("cosine-with-min-lr", "cosine"),
    ("none", "constant"),
    ("constant-with-warmup", "constant"),
    ("q-proj", "q"),
    ("k-proj", "k"),
    ("v-proj", "v"),
    ("o-proj", "o"),
    ("query", "q"),
    ("key", "k"),
    ("value", "v"),
    ("output", "o"),
    ("gate-proj", "gate"),
    ("up-proj", "up"),
    ("down-proj", "down"),
    ("multi-task", "union"),
    ("multitask", "union"),
    ("joint", "union"),
    ("all", "union"),
    ("sequential", "stream"),
    ("single", "stream"),
    ("per-task", "task"),
    ("scratch", "backbone"),
    ("last", "previous"),
    ("reject", "negative"),
    ("replay", "positive"),
    ("argmax", "greedy"),
    ("each", "each-task"),
    ("always", "each-task"),
    ("final", "end"),
    ("special-token", "new-token"),
    ("new", "new-token"),
    ("existing", "existing-token"),
    ("accuracy", "exact-match"),
    ("acc", "exact-match"),
    ("em", "exact-match"),
    ("exact", "exact-match"),
    ("rouge", "rouge-l"),
    ("rougel", "rouge-l"),
    ("f1", "token-f1"),
    ("squad", "exact-match-squad"),
    ("json", "jsonl"),
    ("sharegpt", "chat"),
    ("messages", "chat"),
    ("huggingface", "parquet"),
    ("hf", "parquet"),
];

/// A key or word as the tables spell it: lower case, `-` between words.
pub(crate) fn spelled(word: &str) -> String {
    word.trim().to_lowercase().replace(['_', ' '], "-")
}

/// What another framework's key is called in a recipe.
pub(crate) fn of_key(key: &str) -> Option<Synonym> {
    let key = spelled(key);
    KEYS.iter().find(|(alias, _)| *alias == key).map(|(_, synonym)| *synonym)
}

/// The word among `choices` that another framework's value corresponds to.
pub(crate) fn of_word<'a>(word: &str, choices: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = spelled(word);
    let alias = WORDS.iter().find(|(alias, _)| *alias == word).map(|(_, meant)| *meant);
    let mut choices = choices;
    choices.find(|choice| *choice == word || Some(*choice) == alias)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{KEYS, Synonym, WORDS, spelled};
    use crate::generate::schema::all_keys;

    #[test]
    fn synonyms_lead_to_keys_that_exist() {
        let keys: HashSet<String> = all_keys().iter().map(ToString::to_string).collect();
        let ends: HashSet<&str> = keys.iter().filter_map(|key| key.rsplit('.').next()).collect();
        for (alias, synonym) in KEYS {
            match synonym {
                Synonym::Key(key) => assert!(ends.contains(key), "{alias}: {key}"),
                Synonym::Path(path) => assert!(keys.contains(*path) || *path == "inherit", "{alias}: {path}"),
                Synonym::Note(note) => assert!(note.contains('`'), "{alias}"),
            }
        }
    }

    #[test]
    fn each_alias_is_listed_once_and_spelled_as_it_is_looked_up() {
        for aliases in [
            KEYS.iter().map(|(alias, _)| *alias).collect::<Vec<_>>(),
            WORDS.iter().map(|(alias, _)| *alias).collect::<Vec<_>>(),
        ] {
            let distinct: HashSet<&str> = aliases.iter().copied().collect();
            assert_eq!(distinct.len(), aliases.len());
            assert!(aliases.iter().all(|alias| spelled(alias) == *alias));
        }
    }
}
