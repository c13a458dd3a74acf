//! Which layer wins, and what a layer puts away.

use std::path::Path;

use super::{Case, WHOLE};
use crate::{
    Backend, EnvSource, MetricChoice, Order, Per, Recipe, Sampling, Start, Strategy, Template,
    TokenizerSource,
};

#[test]
fn layers_win_in_their_order() {
    let case = Case::new()
        .file(
            "base/low.toml",
            "seed = 1\n[expert.adapter]\nrank = 1\nalpha = 1\ndropout = 0.5\ntargets = [\"o\"]\n",
        )
        .file("base/high.toml", "[expert.adapter]\nalpha = 2\ndropout = 0.4\ntargets = [\"k\", \"v\"]\n")
        .file(
            "study.toml",
            &format!(
                "inherit = [\"base/low.toml\", \"base/high.toml\"]\n{}",
                WHOLE.replace("rank = 8, alpha = 32", "rank = 3")
            ),
        )
        .env("CADRE__EXPERT__ADAPTER__ALPHA", "5")
        .env("CADRE__EXPERT__TRAINING__LEARNING_RATE", "3e-4")
        .set("expert.adapter.alpha=6")
        .set("expert.adapter.alpha=7");
    let recipe = case.load().recipe;
    let expert = recipe.expert.unwrap();
    assert_eq!(recipe.seed, 1);
    assert_eq!(expert.adapter.rank, 3);
    assert_eq!(expert.adapter.alpha, 7.0);
    assert_eq!(expert.adapter.dropout, 0.4);
    assert_eq!(expert.adapter.targets.len(), 2, "lists are replaced, not joined");
    assert_eq!(expert.training.learning_rate, 3e-4);
    assert_eq!(expert.training.schedule, crate::Schedule::Cosine);
}

#[test]
fn inherited_files_are_found_beside_the_recipe_and_in_recipes() {
    let case = Case::new()
        .file("recipes/base/one.toml", "seed = 7\n")
        .file("recipes/baseline/own.toml", "[device]\nthreads = 3\n")
        .file(
            "recipes/baseline/study.toml",
            &format!("inherit = [\"base/one.toml\", \"own.toml\"]\n{WHOLE}"),
        );
    let loaded = case.load_file("recipes/baseline/study.toml").unwrap();
    assert_eq!((loaded.recipe.seed, loaded.recipe.device.threads), (7, 3));
    let files: Vec<_> = loaded.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(files, ["study.toml", "one.toml", "own.toml"]);
    assert!(loaded.origin_of("seed").ends_with("recipes/base/one.toml:1"), "{}", loaded.origin_of("seed"));
}

#[test]
fn names_are_not_inherited_and_default_to_the_file() {
    let case = Case::new()
        .file(
            "see.toml",
            &WHOLE.replace("name = \"study\"", "name = \"see\"\nreference = \"r\"\nsummary = \"s\""),
        )
        .file("my study.toml", "inherit = [\"see.toml\"]\n");
    let recipe = case.load_file("my study.toml").unwrap().recipe;
    assert_eq!((recipe.name.as_str(), recipe.reference, recipe.summary), ("my-study", None, None));
    let named = case.set("name=other").load_file("my study.toml").unwrap().recipe;
    assert_eq!(named.name, "other");
}

#[test]
fn a_layer_that_names_an_alternative_puts_the_other_away() {
    let case = Case::new()
        .file("study.toml", WHOLE)
        .set("expert.training.steps=40")
        .set("rehearsal.selector.count=9")
        .set("routing.router.plugin=nearest")
        .set("rehearsal.selector.plugin=kmeans");
    let recipe = case.load().recipe;
    let training = recipe.expert.unwrap().training;
    assert_eq!((training.epochs, training.steps, training.batch), (None, Some(40), 32));
    let selector = recipe.rehearsal.unwrap().selector;
    assert_eq!((selector.plugin.as_str(), selector.share, selector.count), ("kmeans", None, Some(9)));
    let router = recipe.routing.unwrap().router.unwrap();
    assert!(router.settings.is_empty(), "the threshold was the other router's: {:?}", router.settings);
}

#[test]
fn settings_may_come_before_the_plugin_they_are_for() {
    let case = Case::new()
        .file("study.toml", WHOLE)
        .set("routing.router.min-similarity=0.3")
        .set("routing.router.plugin=nearest");
    let router = case.load().recipe.routing.unwrap().router.unwrap();
    assert_eq!(serde_json::to_string(&router.settings).unwrap(), r#"{"min-similarity":0.3}"#);
}

#[test]
fn the_same_plugin_named_again_keeps_its_settings() {
    let case = Case::new()
        .file("study.toml", WHOLE)
        .set("routing.router={ plugin = \"see\", order = \"oldest-first\" }");
    let router = case.load().recipe.routing.unwrap().router.unwrap();
    assert_eq!(
        serde_json::to_string(&router.settings).unwrap(),
        r#"{"order":"oldest-first","threshold":0.5}"#
    );
}

#[test]
fn a_format_named_anew_brings_its_own_keys() {
    let case = Case::new()
        .file(
            "low.toml",
            "[stream]\nformat = \"superni\"\npath = \"/x\"\norder = [\"qa\"]\nlimits = { train = 5 }\n",
        )
        .file("study.toml", &format!("inherit = [\"low.toml\"]\n{WHOLE}"));
    let stream = case.load().recipe.stream;
    assert_eq!((stream.path, stream.order, stream.limits.train), (None, Order::default(), Some(5)));
}

#[test]
fn values_are_toml_and_bare_words_are_text() {
    let case = Case::new()
        .file("study.toml", WHOLE)
        .set("stream.order=[\"a\", \"b\"]")
        .set("device.backend=cuda:1")
        .set("summary=2026-01-01")
        .set("reference = a = b ")
        .set("evaluation.metrics.\"my task\"=['exact-match']")
        .set("stream.template={ file = \"t.jinja\" }")
        .set("evaluation.decoding.strategy={ sample = { temperature = 1, top-p = 0.6 } }");
    let recipe = case.load().recipe;
    assert_eq!(recipe.stream.order, Order::Tasks(vec!["a".into(), "b".into()]));
    assert_eq!(recipe.device.backend, Backend::Cuda { index: 1 });
    assert_eq!(recipe.summary.as_deref(), Some("2026-01-01"));
    assert_eq!(recipe.reference.as_deref(), Some("a = b"));
    assert_eq!(recipe.stream.template, Template::File(case.path("t.jinja")));
    let metrics = recipe.evaluation.metrics;
    assert_eq!(
        (metrics.of("my task"), metrics.of("x")),
        (&["exact-match".to_owned()][..], &["rouge-l".to_owned()][..])
    );
    let sampling = Sampling { temperature: 1.0, top_p: 0.6, repetition_penalty: 1.0 };
    assert_eq!(recipe.evaluation.decoding.strategy, Strategy::Sample(sampling));
}

#[test]
fn the_environment_reaches_every_key() {
    let case = Case::new()
        .file("study.toml", WHOLE)
        .env("CADRE__SEED", "11")
        .env("CADRE__ROUTING__ROUTER__THRESHOLD", "0.25")
        .env("CADRE__EVALUATION__METRICS", "[\"token-f1\"]")
        .env("CADRE__STREAM__ORDER", "short")
        .env("CADRE_HOME", "ignored");
    let recipe = case.load().recipe;
    assert_eq!(recipe.seed, 11);
    assert_eq!(recipe.routing.unwrap().router.as_ref().unwrap().settings["threshold"], 0.25);
    assert_eq!(
        recipe.evaluation.metrics,
        MetricChoice { default: vec!["token-f1".into()], ..Default::default() }
    );
    assert_eq!(recipe.stream.order, Order::Named("short".into()));
}

#[test]
fn paths_start_at_the_file_that_names_them() {
    let pretrain = "[backbone.pretrain]\narchitecture = { hidden = 64, layers = 2, heads = 4, kv-heads = 2, feed-forward = 128, context = 2048 }\ntokenizer = { file = \"../t/tokenizer.json\" }\ncorpus = [{ format = \"text\", path = \"~/books\" }, { format = \"text\", path = \"${BOOKS}/a$x\" }]\ntraining = { steps = 10 }\n";
    let case = Case::new()
        .file("base/low.toml", pretrain)
        .file(
            "study.toml",
            &format!(
                "inherit = [\"base/low.toml\"]\n{}",
                WHOLE.replace("[backbone]\ncheckpoint = \"/models/llama\"\n", "")
            ),
        )
        .env("HOME", "/home/me")
        .env("BOOKS", "books")
        .env("x", "y")
        .set("evaluation.out-of-distribution={ format = \"text\", path = \"ood\" }");
    let recipe = case.load().recipe;
    let pretrain = recipe.backbone.pretrain.unwrap();
    assert_eq!(pretrain.tokenizer, TokenizerSource::File(case.path("t/tokenizer.json")));
    assert_eq!(pretrain.corpus[0].path.as_deref(), Some(Path::new("/home/me/books")));
    assert_eq!(pretrain.corpus[1].path.as_deref(), Some(case.path("base/books/ay").as_path()));
    assert_eq!(recipe.evaluation.out_of_distribution.unwrap().path, Some(case.path("ood")));
}

#[test]
fn the_data_folder_beside_the_checkout_is_the_default() {
    let text =
        WHOLE.replace("format = \"synthetic\"", "format = \"superni\"\npath = \"$CADRE_DATA/superni\"");
    let case = Case::new().file("shared/data/x", "").file("checkout/recipes/base/study.toml", &text);
    let loaded = case.load_file("checkout/recipes/base/study.toml").unwrap();
    assert_eq!(loaded.recipe.stream.path, Some(case.path("shared/data/superni")));
    let case = case.env("CADRE_DATA", "/data");
    let loaded = case.load_file("checkout/recipes/base/study.toml").unwrap();
    assert_eq!(loaded.recipe.stream.path.as_deref(), Some(Path::new("/data/superni")));
}

#[test]
fn one_adapter_always_starts_at_the_previous() {
    let text = WHOLE.split("[indicator]").next().unwrap().replace("[expert]", "[expert]\nper = \"stream\"");
    let expert = Case::new().file("study.toml", &text).load().recipe.expert.unwrap();
    assert_eq!((expert.per, expert.start), (Per::Stream, Start::Previous));
}

#[test]
fn loading_is_quick_enough_to_plan_with() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/see.toml");
    let env = EnvSource::process();
    Recipe::load(&recipes, &[], &env).unwrap();
    let start = std::time::Instant::now();
    Recipe::load(&recipes, &[], &env).unwrap();
    // A plan has 20 ms; a loaded machine must not fail this.
    assert!(start.elapsed().as_millis() < 200, "{:?}", start.elapsed());
}
