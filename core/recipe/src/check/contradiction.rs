//! Contradictions and missing requirements between parts of a recipe. Values of the wrong type are skipped: the schema
//! check reports them.

use serde_json::{Value, json};

use crate::check::backbone_fit;
use crate::check::validate::{Finding, either, table_name};
use crate::diagnostics::expectation::listed;
use crate::diagnostics::mistake::Mistake;
use crate::read::key_path::KeyPath;
use crate::section::expert::AdapterKind;
use crate::section::indicator::Indicator;
use crate::section::source::FieldMap;

/// Maximum size of a policy's settings, in bytes of JSON.
const LARGEST_SETTINGS: usize = 64 << 10;

/// All contradictions of a recipe.
pub(crate) fn find(value: &Value) -> Vec<Finding> {
    let mut checker = ContradictionChecker { recipe: value, findings: Vec::new() };
    checker.alternatives();
    checker.roles();
    checker.indicators();
    checker.adapter();
    checker.warm_up();
    checker.settings();
    checker.validation();
    checker.rehearsal();
    checker.merge();
    checker.keys_that_do_not_apply();
    checker.findings.extend(backbone_fit::find(value));
    checker.findings
}

struct ContradictionChecker<'a> {
    recipe: &'a Value,
    findings: Vec<Finding>,
}

impl ContradictionChecker<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        KeyPath::of(key).find(self.recipe)
    }

    fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    fn contradicts(&mut self, at: &str, what: String, against: &str, why: &'static str) {
        let mistake = Mistake::Contradiction { what, against: against.to_owned(), why };
        self.findings.push(Finding::key(KeyPath::of(at), mistake));
    }

    /// Reports something that contradicts `expert.per`.
    fn contradicts_per(&mut self, at: &str, what: String, why: &'static str) {
        let against = format!("`expert.per = \"{}\"`", self.text("expert.per").unwrap_or("task"));
        let mistake = Mistake::Contradiction { what, against, why };
        self.findings.push(Finding::key(KeyPath::of(at), mistake).beside(KeyPath::of("expert.per")));
    }

    fn needs(&mut self, at: &str, what: String, needed: &str, why: &'static str) {
        let mistake = Mistake::Needs { what, needed: needed.to_owned(), why };
        self.findings.push(Finding::key(KeyPath::of(at), mistake));
    }

    /// Tables that take exactly one of several keys.
    fn alternatives(&mut self) {
        const GROUPS: &[(&str, &[&str])] = &[
            ("backbone", &["checkpoint", "pretrain"]),
            ("backbone.pretrain.training", &["epochs", "steps"]),
            ("expert.training", &["epochs", "steps"]),
            ("rehearsal.selector", &["share", "count"]),
            ("routing", &["router", "merge"]),
        ];
        for (table, keys) in GROUPS {
            let imports = *table == "expert.training" && self.has("expert.import");
            let Some(found) = self.get(table).and_then(Value::as_object) else {
                if *table == "expert.training" && self.has("expert") && !imports {
                    let why = "an expert that is not imported is trained";
                    self.needs("expert", "`[expert]`".into(), "`training`", why);
                }
                continue;
            };
            let given: Vec<&str> = keys.iter().copied().filter(|key| found.contains_key(*key)).collect();
            // With imported adapters, the tasks of the stream decide whether anything is left to train.
            if given.len() == 1 || (given.is_empty() && imports) {
                continue;
            }
            let path = KeyPath::of(table);
            let at = given.last().map_or(path.clone(), |last| path.key(last));
            let keys = listed(keys.iter().copied(), "and");
            let mistake = Mistake::ExactlyOne { table: table_name(&path), keys, found: either(&given) };
            self.findings.push(Finding::key(at, mistake));
        }
    }

    /// `expert.per` determines which sections are allowed.
    fn roles(&mut self) {
        if !self.has("expert") {
            for section in ["indicator", "rehearsal", "routing"] {
                if self.has(section) {
                    let why = "nothing is trained, so the backbone answers everything (zero-shot)";
                    self.contradicts(section, format!("`[{section}]`"), "a recipe without `[expert]`", why);
                }
            }
            return;
        }
        let per = self.text("expert.per").unwrap_or("task").to_owned();
        let stated = format!("`expert.per = \"{per}\"`");
        if per != "task" && self.has("expert.import") {
            let why = "there is one adapter for all tasks, and it is trained";
            self.contradicts("expert.import", "`import`".into(), &stated, why);
        }
        match per.as_str() {
            "task" if !self.has("routing") => {
                self.needs(
                    "expert",
                    stated,
                    "`[routing]`",
                    "with several experts, a router must choose the one that answers",
                );
            }
            "stream" | "union" => {
                if self.has("routing") {
                    let why = "there is one adapter, and it answers everything";
                    self.contradicts_per("routing", "`[routing]`".into(), why);
                }
                if self.has("indicator") {
                    let why = "a single adapter has no other expert to claim queries from";
                    self.contradicts_per("indicator", "`[indicator]`".into(), why);
                }
                if per == "union" && self.has("rehearsal") {
                    let why = "all tasks are learned at once, so nothing is rehearsed";
                    self.contradicts_per("rehearsal", "`[rehearsal]`".into(), why);
                }
                let (refused, why) = if per == "stream" {
                    (
                        "backbone",
                        "one adapter is trained on all tasks in turn, so each task starts at the previous",
                    )
                } else {
                    ("previous", "all tasks are learned at once, so there is no previous expert")
                };
                if self.text("expert.start") == Some(refused) {
                    self.contradicts_per("expert.start", format!("`start = \"{refused}\"`"), why);
                }
            }
            _ => {}
        }
    }

    /// The adapter's kind decides which of its keys apply.
    fn adapter(&mut self) {
        const ADAPTER: &str = "expert.adapter";
        if !self.has(ADAPTER) {
            return;
        }
        let at = KeyPath::of(ADAPTER);
        let name = self.text("expert.adapter.kind").unwrap_or("lora");
        let against = format!("`kind = \"{name}\"`");
        // The schema check reports an unknown kind.
        let Ok(kind) = serde_json::from_value::<AdapterKind>(json!(name)) else { return };
        for (key, kinds) in AdapterKind::KEYS {
            if kinds.contains(&kind) || at.key(key).find(self.recipe).is_none() {
                continue;
            }
            let why = match *key {
                "density" => "only adapters of kind `sparse-delta` change a share of the weights",
                _ => "only adapters of the kinds `lora` and `dora` have low-rank updates",
            };
            let mistake = Mistake::Contradiction { what: format!("`{key}`"), against: against.clone(), why };
            self.findings.push(Finding::key(at.key(key), mistake).beside(at.key("kind")));
        }
        if kind == AdapterKind::SparseDelta && !self.has("expert.adapter.density") {
            let why = "it is the share of the weights that are trained";
            self.needs("expert.adapter.kind", against.clone(), "`density`", why);
        }
        if kind == AdapterKind::Ia3 && !self.has("expert.adapter.targets") {
            let why = "the default, `q` and `v`, is for LoRA; PEFT's for Llama is `[\"k\", \"v\", \"down\"]`";
            self.needs("expert.adapter.kind", against, "`targets`", why);
        }
    }

    /// The warm-up must be shorter than the training, or the learning rate never reaches its peak.
    fn warm_up(&mut self) {
        for table in ["backbone.pretrain.training", "expert.training"] {
            let number = |key: &str| self.get(&format!("{table}.{key}")).and_then(Value::as_u64);
            if let (Some(warmup), Some(steps)) = (number("warmup"), number("steps"))
                && warmup >= steps
                && warmup > 0
            {
                let mistake = Mistake::Contradiction {
                    what: format!("`warmup = {warmup}`"),
                    against: format!("`steps = {steps}`"),
                    why: "the learning rate would still be rising when training ends",
                };
                let at = KeyPath::of(table);
                self.findings.push(Finding::value(at.key("warmup"), mistake).beside(at.key("steps")));
            }
        }
    }

    /// A validation split belongs to experts that are trained here, and needs rows that are left to learn.
    fn validation(&mut self) {
        const SPLIT: &str = "evaluation.validation";
        if !self.has(SPLIT) {
            return;
        }
        if !self.has("expert") {
            let why = "there is no `[expert]`, so nothing is trained on the stream";
            self.contradicts(SPLIT, "`validation`".into(), "the recipe", why);
        }
        let number = |key: &str| self.get(key).and_then(Value::as_u64);
        if let (Some(count), Some(limit)) =
            (number("evaluation.validation.count"), number("stream.limits.train"))
            && count >= limit
        {
            let mistake = Mistake::Contradiction {
                what: format!("`count = {count}`"),
                against: format!("`stream.limits.train = {limit}`"),
                why: "all training rows would be held out",
            };
            let at = KeyPath::of(SPLIT).key("count");
            self.findings.push(Finding::value(at, mistake).beside(KeyPath::of("stream.limits").key("train")));
        }
    }

    /// The size of a policy's settings is limited.
    fn settings(&mut self) {
        for table in ["routing.router", "routing.merge", "rehearsal.selector"] {
            let bytes = self.get(table).map_or(0, |settings| settings.to_string().len());
            if bytes > LARGEST_SETTINGS {
                let mistake =
                    Mistake::SettingsTooLarge { table: table.to_owned(), bytes, limit: LARGEST_SETTINGS };
                self.findings.push(Finding::key(KeyPath::of(table), mistake));
            }
        }
    }

    fn indicators(&mut self) {
        if self.has("indicator.start-from")
            && let Some(kind @ ("existing-token" | "text")) = self.text("indicator.kind")
        {
            let against = format!("`kind = \"{kind}\"`");
            let why = "only new tokens have rows to initialise; these tokens belong to the backbone";
            self.contradicts("indicator.start-from", "`start-from`".into(), &against, why);
        }
        if self.has("indicator") {
            let default = Indicator::default();
            let accept = self.text("indicator.accept").unwrap_or(&default.accept);
            if accept == self.text("indicator.reject").unwrap_or(&default.reject) {
                let what = format!("`accept = {accept:?}`");
                let at = if self.has("indicator.accept") { "indicator.accept" } else { "indicator.reject" };
                self.contradicts(
                    at,
                    what,
                    "the same text in `reject`",
                    "accepting and rejecting must differ",
                );
            }
        }
    }

    /// A merged model answers everything: nothing is left for what only routers use.
    fn merge(&mut self) {
        if !self.has("routing.merge") {
            return;
        }
        let against = "`routing.merge`";
        if self.has("indicator") {
            let why = "the merged model answers every query, so experts claim none";
            let mistake =
                Mistake::Contradiction { what: "`[indicator]`".into(), against: against.into(), why };
            self.findings
                .push(Finding::key(KeyPath::of("indicator"), mistake).beside(KeyPath::of("routing.merge")));
        }
        // Defaults say nothing: an expanded recipe contains them.
        for (key, default) in [("grant", json!([])), ("descriptors", json!([])), ("max-rounds", json!(64))] {
            let path = KeyPath::of("routing").key(key);
            if path.find(self.recipe).is_some_and(|value| *value != default) {
                let why = "it is for routers";
                let mistake =
                    Mistake::Contradiction { what: format!("`{key}`"), against: against.into(), why };
                self.findings.push(Finding::key(path, mistake).beside(KeyPath::of("routing.merge")));
            }
        }
    }

    fn rehearsal(&mut self) {
        let role = self.text("rehearsal.role").map(str::to_owned);
        let one_adapter = matches!(self.text("expert.per"), Some("stream" | "union"));
        match role.as_deref() {
            Some("negative") if one_adapter && self.text("expert.per") == Some("stream") => {
                let why = "one adapter answers everything, so it has nothing to reject";
                self.contradicts_per("rehearsal.role", "`role = \"negative\"`".into(), why);
            }
            Some("negative") if self.has("expert") && !one_adapter && !self.has("indicator") => {
                let why = "a negative is learned as the reject indicator";
                self.needs("rehearsal.role", "`role = \"negative\"`".into(), "`[indicator]`", why);
            }
            Some("positive") => {
                if self.has("indicator") && !one_adapter {
                    let why = "an expert that learns earlier tasks' answers would claim their queries";
                    self.contradicts("rehearsal.role", "`role = \"positive\"`".into(), "`[indicator]`", why);
                }
                let why = "it applies only to negatives";
                if self.get("rehearsal.negatives-keep-response") == Some(&Value::Bool(true)) {
                    let key = "rehearsal.negatives-keep-response";
                    self.contradicts(key, "`negatives-keep-response`".into(), "`role = \"positive\"`", why);
                }
                if self.has("rehearsal.pseudo-negatives") {
                    let key = "rehearsal.pseudo-negatives";
                    self.contradicts(key, "`pseudo-negatives`".into(), "`role = \"positive\"`", why);
                }
            }
            _ => {}
        }
    }

    /// Keys of shared structs that do not apply in this table: a budget of a router, `count` and `fields` of sources.
    fn keys_that_do_not_apply(&mut self) {
        for key in ["share", "count"] {
            let path = KeyPath::of("routing.router").key(key);
            if path.find(self.recipe).is_some() {
                let mistake =
                    Mistake::UnknownKey { key: key.to_owned(), table: "`[routing.router]`".to_owned() };
                let note = format!("`{key}` is the budget of a selector: `rehearsal.selector.{key}`");
                self.findings.push(Finding::key(path, mistake).suggest(Some(note)));
            }
        }
        let corpus = self.get("backbone.pretrain.corpus").and_then(Value::as_array).map_or(0, Vec::len);
        let mut sources: Vec<KeyPath> =
            (0..corpus).map(|at| KeyPath::of("backbone.pretrain.corpus").place(at)).collect();
        sources.push(KeyPath::of("evaluation.out-of-distribution"));
        for path in &sources {
            if path.key("count").find(self.recipe).is_some() {
                let mistake = Mistake::UnknownKey { key: "count".to_owned(), table: table_name(path) };
                let note = "`count` is for `pseudo-negatives`; did you mean `limit`?".to_owned();
                self.findings.push(Finding::key(path.key("count"), mistake).suggest(Some(note)));
            }
        }
        sources.extend([KeyPath::of("rehearsal.pseudo-negatives"), KeyPath::of("stream")]);
        for path in &sources {
            let format = path.key("format").find(self.recipe).and_then(Value::as_str);
            let Some(format) = format else { continue };
            let against = || format!("`format = \"{format}\"`");
            let named = FieldMap::of_format(format);
            let fields = path.key("fields").find(self.recipe);
            if named.is_empty() && fields.is_some() {
                let why = "field names apply only to `jsonl`, `parquet` and `chat`";
                let what = "`fields`".to_owned();
                self.findings.push(Finding::key(
                    path.key("fields"),
                    Mistake::Contradiction { what, against: against(), why },
                ));
                continue;
            }
            for name in fields.and_then(Value::as_object).into_iter().flat_map(|fields| fields.keys()) {
                let (of_rows, of_chats) = (FieldMap::of_format("jsonl"), FieldMap::of_format("chat"));
                let why = match name.as_str() {
                    name if named.contains(&name) => continue,
                    name if of_chats.contains(&name) => "only the rows of `chat` are lists of messages",
                    name if of_rows.contains(&name) => "a conversation has messages instead",
                    _ => continue,
                };
                self.findings.push(Finding::key(
                    path.key("fields").key(name),
                    Mistake::Contradiction { what: format!("`{name}`"), against: against(), why },
                ));
            }
        }
        if self.text("stream.template") == Some("chat") && self.has("backbone.pretrain.tokenizer.train-bpe") {
            let why = "a tokenizer that is trained by Cadre has no chat template";
            self.contradicts(
                "stream.template",
                "`template = \"chat\"`".into(),
                "`backbone.pretrain.tokenizer.train-bpe`",
                why,
            );
        }
    }
}
