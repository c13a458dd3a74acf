//! Errors of a first day: habits of other frameworks and languages, each with the suggestion it gets.

use super::{Case, WHOLE, golden};

/// Pieces of the recipe, and what a newcomer writes in their place.
const WRITTEN: &[(&str, &str)] = &[
    ("batch = 32", "lr = 1e-4"),
    ("batch = 32", "learning_rate = 1e-4"),
    ("batch = 32", "batch_size = 8, num_epochs = 3, max_len = 512, warmup_steps = 10"),
    ("batch = 32", "optimizer = \"adamw\""),
    ("rank = 8, alpha = 32", "r = 8, lora_alpha = 16, target_modules = [\"q_proj\"]"),
    ("rank = 8", "kind = \"vera\""),
    ("rank = 8", "targets = [\"q_proj\"]"),
    ("[stream]", "[device]\nbackend = \"gpu\"\nprecision = \"fp16\"\n[stream]"),
    ("[stream]", "[model]\nname = \"llama\"\n[stream]"),
    ("[stream]", "[stream]\nseeds = [1, 2]\nname = \"mine\"\nbatch = 4"),
    ("[expert]", "[expert]\nrank = 8"),
    ("batch = 32", "batch = 0,5"),
    ("[indicator]", "[indicator]\nloss-weight = 0,5"),
    ("role = \"negative\"", "role = \"negative\"\nnegatives-keep-response = True\ngrant = None"),
    ("role = \"negative\"", "role = negative"),
    ("role = \"negative\"", "role: negative"),
    ("role = \"negative\"", "role = \"negative\" // to reject"),
    ("role = \"negative\"", "role = “negative”"),
    ("role = \"negative\"", "role = \"negative"),
    ("role = \"negative\"", "role ="),
    ("share = 0.1 }", "share = .1 }"),
    ("share = 0.1 }", "share = 10% }"),
    ("epochs = 3", "steps = 5k"),
    ("epochs = 3", "epochs = 99999999999999999999"),
    ("epochs = 3", "steps = 99999999999"),
    ("epochs = 3", "epochs = nan"),
    ("[routing]", "[expert.adapter]\nrank = 4\n[routing]"),
    ("[routing]", "[stream]\norder = \"short\"\n[routing]"),
    ("[routing]", "grant = []\ngrant = [\"experts\"]\n[routing]"),
    ("[routing]", "[[routing]]"),
    ("[routing]", "[routing"),
    ("[routing]", "[rout ing]"),
    ("router = { plugin = \"see\", threshold = 0.5 }", "router = \"see\""),
    ("format = \"synthetic\"", "format = \"synthetic\"\norder = [\"qa\",\n\"sa\"\nlimits = 100"),
    ("format = \"synthetic\"", "format = \"synthetic\"\nlimits = 100"),
    ("format = \"synthetic\"", "format = \"synthetic\"\npath = \"C:\\Users\\me\""),
    ("name = \"study\"", "[sweep]\nseeds = 3\ngrid = { \"training.expert.lr\" = [1e-4], \"rank\" = [4] }"),
];

#[test]
fn habits_of_elsewhere_get_a_suggestion() {
    let mut text = String::new();
    for (from, to) in WRITTEN {
        let loaded = Case::changed(from, to);
        text.push_str(&format!("##### {}\n\n{}\n", to.replace('\n', " ⏎ "), loaded.mistakes()));
    }
    golden("newcomers", &text);
}

#[test]
fn files_of_other_formats_are_named() {
    let yaml = Case::new().file("study.toml", "expert:\n  training:\n    lr: 3\n").mistakes();
    assert!(yaml.contains("this looks like YAML") && yaml.contains("1 error;"), "{yaml}");
    let json = Case::new().file("study.toml", "{\n  \"expert\": {}\n}\n").mistakes();
    assert!(json.contains("this looks like JSON") && json.contains("1 error;"), "{json}");
}

#[test]
fn a_recipe_that_is_not_there_has_the_nearest_as_a_suggestion() {
    let case = Case::new().file("recipes/see.toml", WHOLE).file("recipes/baseline/oracle.toml", WHOLE);
    let suggested = |name: &str| case.relative(&case.load_file(name).unwrap_err().render(false));
    for (name, meant) in [
        ("recipes/sea.toml", "recipes/see.toml"),
        ("recipes/see", "recipes/see.toml"),
        ("recipes/see.yaml", "recipes/see.toml"),
        ("see.toml", "recipes/see.toml"),
        ("recipe/see.toml", "recipes/see.toml"),
        ("oracle", "recipes/baseline/oracle.toml"),
        ("recipes/orcale.toml", "recipes/baseline/oracle.toml"),
    ] {
        let text = suggested(name);
        assert!(text.contains(&format!("did you mean `{meant}`?")), "{name}: {text}");
    }
    assert!(!suggested("recipes/xylophone.toml").contains("did you mean"));
    let folder = suggested("recipes");
    assert!(folder.contains("this is a folder; a recipe in it is `recipes/see.toml`"), "{folder}");
}

#[test]
fn dotted_keys_with_their_parts_in_another_order_are_found() {
    for (set, meant) in [
        ("adapter.expert.rank=4", "expert.adapter.rank"),
        ("rank=4", "expert.adapter.rank"),
        ("training.batch=4", "expert.training.batch"),
        ("router.threshold=0.3", "routing.router"),
    ] {
        let text = Case::new().file("study.toml", WHOLE).set(set).mistakes();
        assert!(text.contains(&format!("did you mean `{meant}`?")), "{set}: {text}");
    }
}

#[test]
fn a_long_value_is_cut_and_its_variable_named() {
    let secret = "x".repeat(5000);
    let text = Case::new()
        .file("study.toml", WHOLE)
        .env("CADRE__EXPERT__ADAPTER__RANK", &secret)
        .env("CADRE__DEVICE__BACKEND", &secret)
        .mistakes();
    assert!(text.contains("--> the environment: CADRE__EXPERT__ADAPTER__RANK"), "{text}");
    assert!(text.contains("--> the environment: CADRE__DEVICE__BACKEND"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() < 300), "{text}");
}
