//! Checks of a pretrained backbone: sizes that must divide each other, and texts that must fit its context. The shape
//! of a checkpoint is not known here.

use serde_json::Value;

use crate::check::validate::Finding;
use crate::diagnostics::mistake::Mistake;
use crate::read::key_path::KeyPath;
use crate::section::evaluation::Decoding;
use crate::section::training::Training;

/// All errors of the shape and of the context.
pub(crate) fn find(recipe: &Value) -> Vec<Finding> {
    let mut fit = Fit { recipe, findings: Vec::new() };
    fit.shapes();
    fit.context();
    fit.findings
}

struct Fit<'a> {
    recipe: &'a Value,
    findings: Vec<Finding>,
}

impl Fit<'_> {
    fn has(&self, key: &str) -> bool {
        KeyPath::of(key).find(self.recipe).is_some()
    }

    fn number(&self, key: &str) -> Option<u64> {
        KeyPath::of(key).find(self.recipe)?.as_u64()
    }

    /// The number of heads divides the width, the number of key-value heads divides the heads; rotary embedding needs
    /// an even head width.
    fn shapes(&mut self) {
        let size = |key: &str| {
            self.number(&format!("backbone.pretrain.architecture.{key}")).filter(|size| *size > 0)
        };
        let (hidden, heads, kv) = (size("hidden"), size("heads"), size("kv-heads"));
        let mut wrong = Vec::new();
        if let (Some(value), Some(heads)) = (hidden, heads)
            && value % heads.saturating_mul(2) != 0
        {
            wrong.push(("hidden", value, "2 · heads", heads.saturating_mul(2)));
        }
        if let (Some(value), Some(divisor)) = (heads, kv)
            && value % divisor != 0
        {
            wrong.push(("heads", value, "kv-heads", divisor));
        }
        for (key, value, of, divisor) in wrong {
            let path = KeyPath::of("backbone.pretrain.architecture").key(key);
            self.findings.push(Finding::value(path, Mistake::NoMultiple { key, value, of, divisor }));
        }
    }

    /// Prompts and responses fit the context of a pretrained backbone.
    fn context(&mut self) {
        let Some(context) = self.number("backbone.pretrain.architecture.context") else {
            return;
        };
        let default = Training::default();
        let begin_and_end = 2;
        let expert = begin_and_end + u64::from(self.has("indicator"));
        let prompt_of =
            |table: &str| self.number(&format!("{table}.max-prompt")).unwrap_or(default.max_prompt.into());
        let response_of = |table: &str| {
            self.number(&format!("{table}.max-response")).unwrap_or(default.max_response.into())
        };
        let answer = self
            .number("evaluation.decoding.max-new-tokens")
            .unwrap_or(Decoding::default().max_new_tokens.into());
        let pretraining = "backbone.pretrain.training";
        let mut sums = vec![(
            pretraining,
            "max-response",
            prompt_of(pretraining),
            response_of(pretraining),
            begin_and_end,
        )];
        if self.has("expert") {
            let prompt = prompt_of("expert.training");
            sums.push(("expert.training", "max-response", prompt, response_of("expert.training"), expert));
            sums.push(("evaluation.decoding", "max-new-tokens", prompt, answer, expert));
        }
        for (table, key, prompt, response, marks) in sums {
            if prompt.saturating_add(response).saturating_add(marks) > context {
                let mistake = Mistake::ContextExceeded { prompt, response, marks, context };
                let note = format!("reduce `{table}.{key}`, or `max-prompt` of the training");
                self.findings.push(Finding::value(KeyPath::of(table).key(key), mistake).suggest(Some(note)));
            }
        }
    }
}
