//! Every error that this crate finds, with its exact message.

use super::{Case, WHOLE, golden};

/// The recipe with one piece replaced must get the message kept under `name`.
fn wrong(name: &str, from: &str, to: &str) {
    golden(name, &Case::changed(from, to).mistakes());
}

#[test]
fn unknown_key() {
    wrong("unknown-key", "batch = 32", "bacth = 32");
    wrong("unknown-key-snake-case", "batch = 32", "learning_rate = 1e-3");
    wrong("unknown-key-of-another-section", "[indicator]", "[indicator]\nrank = 3");
    wrong("unknown-key-like-no-other", "[indicator]", "[indicator]\nxylophone = 3");
}

#[test]
fn unknown_section() {
    wrong("unknown-section", "[routing]", "[ruoting]");
    wrong("unknown-head-key", "name = \"study\"", "sed = 1");
}

#[test]
fn wrong_type() {
    wrong("wrong-type-number", "rank = 8", "rank = \"eight\"");
    wrong("wrong-type-fraction", "rank = 8", "rank = 8.5");
    golden(
        "wrong-type-section",
        &Case::changed("name = \"study\"", "seed = [1]\ndevice = \"cpu\"").mistakes(),
    );
    wrong("wrong-type-list", "format = \"synthetic\"", "format = \"synthetic\"\norder = 3");
    wrong("wrong-type-in-list", "format = \"synthetic\"", "format = \"synthetic\"\norder = [\"qa\", 3]");
    wrong("wrong-word", "role = \"negative\"", "role = \"negativ\"");
    wrong("wrong-backend", "[indicator]", "[indicator]\n[device]\nbackend = \"cuda:one\"");
}

#[test]
fn out_of_range() {
    wrong("out-of-range", "rank = 8", "rank = 0");
    wrong("out-of-range-share", "share = 0.1", "share = 1.5");
    wrong("out-of-range-below-zero", "[indicator]", "[indicator]\n[device]\nthreads = -1");
    wrong("out-of-range-dropout", "alpha = 32", "alpha = 32, dropout = 1.0");
    wrong("out-of-range-empty-list", "alpha = 32", "alpha = 32, targets = []");
    wrong("twice-in-a-list", "alpha = 32", "alpha = 32, targets = [\"q\", \"v\", \"q\"]");
    wrong("not-finite", "alpha = 32", "alpha = nan");
    wrong("a-date", "name = \"study\"", "name = 2026-01-01");
}

#[test]
fn something_missing() {
    wrong("missing-section", "[stream]\nformat = \"synthetic\"", "");
    wrong("missing-key", "training = { epochs = 3, batch = 32 }", "");
    wrong("missing-length", "epochs = 3, ", "");
    wrong("missing-plugin-name", "plugin = \"see\", ", "");
}

#[test]
fn not_toml() {
    wrong("not-toml", "role = \"negative\"", "role = negative\nx = = 1");
}

#[test]
fn two_alternatives() {
    wrong("warmup-of-all-steps", "epochs = 3, batch = 32", "steps = 30, warmup = 30");
    wrong("both-lengths", "epochs = 3", "epochs = 3, steps = 100");
    wrong("both-budgets", "share = 0.1", "share = 0.1, count = 20");
    wrong("no-budget", ", share = 0.1", "");
    wrong("no-backbone", "checkpoint = \"/models/llama\"", "");
    wrong(
        "both-backbones",
        "checkpoint = \"/models/llama\"",
        &format!("checkpoint = \"/models/llama\"\n{PRETRAIN}"),
    );
}

const PRETRAIN: &str = r#"[backbone.pretrain]
architecture = { hidden = 64, layers = 2, heads = 4, kv-heads = 2, feed-forward = 128, context = 2048 }
tokenizer = { train-bpe = 512 }
corpus = [{ format = "synthetic", tasks = ["general"] }]
training = { steps = 10 }"#;

#[test]
fn a_backbone_that_does_not_fit() {
    let pretrained = |from: &str, to: &str| {
        let pretrain = PRETRAIN.replacen(from, to, 1);
        assert_ne!(pretrain, PRETRAIN);
        Case::changed("[backbone]\ncheckpoint = \"/models/llama\"", &pretrain).mistakes()
    };
    golden("heads-do-not-divide", &pretrained("heads = 4, kv-heads = 2", "heads = 6, kv-heads = 4"));
    golden("context-too-short", &pretrained("context = 2048", "context = 256"));
    golden("two-tokenizers", &pretrained("train-bpe = 512", "train-bpe = 512, file = \"t.json\""));
    golden("unknown-tokenizer", &pretrained("train-bpe = 512", "train-bqe = 512"));
    golden("count-in-a-corpus", &pretrained("tasks = [\"general\"]", "count = 3"));
    let chat =
        Case::changed("[backbone]\ncheckpoint = \"/models/llama\"", PRETRAIN).set("stream.template=chat");
    golden("chat-without-template", &chat.mistakes());
}

#[test]
fn sections_that_contradict() {
    let routed = "[expert]\nper = \"stream\"";
    wrong("routing-with-one-adapter", "[expert]", routed);
    let unrouted = WHOLE.split("[routing]").next().unwrap();
    golden("no-routing", &Case::new().file("study.toml", unrouted).mistakes());
    wrong("negatives-without-indicator", "[indicator]\n", "");
    wrong(
        "words-of-no-new-token",
        "[indicator]\n",
        "[indicator]\nkind = \"text\"\nstart-from = { accept = \"Yes\", reject = \"No\" }\n",
    );
    wrong("indicator-of-no-weight", "[indicator]\n", "[indicator]\nloss-weight = 0\n");
    wrong("positives-with-indicator", "role = \"negative\"", "role = \"positive\"");
    wrong(
        "nothing-trained",
        "[expert]\nadapter = { rank = 8, alpha = 32 }\ntraining = { epochs = 3, batch = 32 }\n",
        "",
    );
    let adapter = "adapter = { rank = 8, alpha = 32 }";
    wrong("rank-of-factors", adapter, "adapter = { kind = \"ia3\", rank = 8, targets = [\"k\"] }");
    wrong("factors-without-targets", adapter, "adapter = { kind = \"ia3\" }");
    wrong("density-of-low-rank", adapter, "adapter = { rank = 8, density = 0.1 }");
    wrong("sparse-without-density", adapter, "adapter = { kind = \"sparse-delta\" }");
    wrong("unknown-kind-of-adapter", adapter, "adapter = { kind = \"vera\" }");
    wrong("one-indicator", "[indicator]", "[indicator]\naccept = \"<x>\"\nreject = \"<x>\"");
    wrong("router-with-a-budget", "threshold = 0.5", "threshold = 0.5, share = 0.1");
    wrong(
        "fields-of-another-format",
        "format = \"synthetic\"",
        "format = \"synthetic\"\nfields = { input = \"text\" }",
    );
}

#[test]
fn a_setting_of_another_router_is_its_own() {
    // `threshold` of a router that compares embeddings: no claim is asked for, so no indicator is needed.
    let without =
        "[indicator]\n\n[rehearsal]\nselector = { plugin = \"random\", share = 0.1 }\nrole = \"negative\"\n";
    let loaded = Case::changed(without, "").load();
    assert_eq!(loaded.recipe.routing.unwrap().router.as_ref().unwrap().settings["threshold"], 0.5);
    let shorter = Case::changed("epochs = 3, batch = 32", "steps = 30, warmup = 29").load();
    assert_eq!(shorter.recipe.expert.unwrap().training.warmup, 29);
}

#[test]
fn one_adapter_has_its_own_rules() {
    let union = "[expert]\nper = \"union\"\nstart = \"previous\"";
    let text = WHOLE.replace("[expert]", union);
    let text = text.split("[indicator]").next().unwrap().to_owned()
        + "[rehearsal]\nselector = { plugin = \"random\", share = 0.1 }\nrole = \"positive\"\nnegatives-keep-response = true\npseudo-negatives = { format = \"text\", path = \"x\" }\n";
    golden("union-with-previous", &Case::new().file("study.toml", &text).mistakes());
    let stream =
        text.replace("union", "stream").replace("previous", "backbone").replace("positive", "negative");
    golden("stream-with-negatives", &Case::new().file("study.toml", &stream).mistakes());
}

#[test]
fn a_sweep_over_what_is_not_there() {
    let sweep = r#"[sweep]
grid = { "routing.ruter.threshold" = [0.1], "expert.adapter.rank" = [4, 0, "x"], "threshold" = [1], "name" = ["a"], "seed" = [] }
seeds = [1, 1]
orders = { O1 = ["a", "a"] }

[routing]"#;
    wrong("sweep", "[routing]", sweep);
}

#[test]
fn several_at_once() {
    let text = WHOLE
        .replace("name = \"study\"", "name = \"my study\"\nsead = 1")
        .replace("rank = 8", "rnk = 8")
        .replace("epochs = 3", "epochs = \"three\"")
        .replace("share = 0.1", "share = 0.1, count = 5")
        .replace("threshold", "share = 2, threshold");
    golden("several", &Case::new().file("study.toml", &text).mistakes());
}

#[test]
fn every_layer_that_touched_a_value_is_named() {
    let case = Case::new()
        .file("base/low.toml", "[expert.adapter]\nrank = 4\n")
        .file("study.toml", &format!("inherit = [\"base/low.toml\"]\n{WHOLE}"))
        .env("CADRE__EXPERT__ADAPTER__RANK", "16")
        .set("expert.adapter.rank=many");
    golden("layers", &case.mistakes());
}

#[test]
fn mistakes_on_the_command_line_and_in_the_environment() {
    let case = Case::new()
        .file("study.toml", WHOLE)
        .set("seed")
        .set("expert..rank=3")
        .set("seed=")
        .set("stream.order=[\"qa\"")
        .set("inherit=x")
        .env("CADRE____X", "1");
    golden("command-line", &case.mistakes());
    let case = Case::new()
        .file("study.toml", WHOLE)
        .set("expert.adapter.rnak=3")
        .set("seed=1.5")
        .env("CADRE__STREAM__FORMATT", "superni");
    golden("command-line-values", &case.mistakes());
    let case =
        Case::new().file("study.toml", WHOLE).set("expert.training.steps=10").set("expert.training.epochs=2");
    golden("command-line-twice", &case.mistakes());
}

#[test]
fn inheritance_goes_wrong() {
    let inherits = |list: &str| format!("inherit = [{list}]\n{WHOLE}");
    let case = Case::new()
        .file("base/tiny.toml", "")
        .file("study.toml", &inherits("\"base/tinny.toml\", \"nowhere.toml\", 3"));
    golden("inherit-missing", &case.mistakes());
    let case = Case::new()
        .file("a.toml", "inherit = [\"b.toml\"]")
        .file("b.toml", "inherit = [\"a.toml\"]")
        .file("study.toml", &inherits("\"a.toml\""));
    golden("inherit-cycle", &case.mistakes());
    let case = Case::new()
        .file("a.toml", "inherit = [\"c.toml\"]")
        .file("b.toml", "inherit = [\"c.toml\"]")
        .file("c.toml", "")
        .file("study.toml", &inherits("\"a.toml\", \"b.toml\""));
    golden("inherit-diamond", &case.mistakes());
    golden("inherit-form", &Case::new().file("study.toml", "inherit = \"a.toml\"\n").mistakes());
    golden("no-such-recipe", &Case::new().mistakes());
}

#[test]
fn variables_that_are_not_set() {
    let case =
        Case::changed("format = \"synthetic\"", "format = \"superni\"\npath = \"$CADRE_DATA/superni\"");
    golden("no-data", &case.mistakes());
    let case = Case::changed("/models/llama", "$MODLES/llama").env("MODELS", "/models");
    golden("no-variable", &case.mistakes());
}

#[test]
fn long_lines_and_odd_letters_are_shown_around_the_mistake() {
    let list = (0..60).map(|at| format!("\"tâche-{at}\"")).collect::<Vec<_>>().join(", ");
    let case = Case::changed(
        "format = \"synthetic\"",
        &format!("format = \"synthetic\"\norder = [{list}, 7, \"Ω\"]"),
    );
    golden("long-line", &case.mistakes());
}

#[test]
fn the_library_gives_the_parts_of_a_mistake() {
    let case = Case::changed("rank = 8", "rank = 0");
    let errors = case.load_file("study.toml").unwrap_err();
    let [error] = errors.errors() else { panic!("{errors}") };
    assert_eq!(case.relative(&error.file), "study.toml");
    assert_eq!((error.line, error.column, error.key.as_str()), (10, 20, "expert.adapter.rank"));
    assert_eq!(error.message(), "`expert.adapter.rank` is out of range: 0");
    assert_eq!(error.expected.as_deref(), Some("a whole number from 1 to 4096"));
    assert_eq!(case.relative(&error.layer), "study.toml:10");
    assert!(errors.render(true).contains("\u{1b}[1m\u{1b}[31merror"), "{:?}", errors.render(true));
}

#[test]
fn other_parts_of_cadre_place_their_own_mistakes() {
    let case = Case::changed("format = \"synthetic\"", "format = \"superni\"\norder = [\"qa\", \"trns\"]");
    let loaded = case.load();
    let problem = "the stream has no task `trns`";
    let error = loaded.wrong_choice("stream.order[1]", problem, "trns", &["qa", "sa", "trans"]);
    golden("task-name", &case.relative(&error.to_string()));
    let error = loaded.mistake("evaluation.decoding.batch", "too large for this machine");
    assert_eq!(case.relative(&error.to_string()), "error: too large for this machine\n --> study.toml\n");
}
