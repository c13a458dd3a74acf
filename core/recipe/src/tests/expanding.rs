//! The expanded recipe: every value, where it came from, and the same recipe when it is loaded again.

use super::{Case, WHOLE, golden};

#[test]
fn every_value_says_where_it_came_from() {
    let case = Case::new()
        .file("base/low.toml", "[device]\nthreads = 2\n")
        .file("study.toml", &format!("inherit = [\"base/low.toml\"]\n{WHOLE}"))
        .env("CADRE__SEED", "3")
        .set("routing.router.threshold=0.25")
        .set("evaluation.out-of-distribution={ format = \"synthetic\", tasks = [\"out-of-distribution\"] }")
        .set("evaluation.metrics={ qa = [\"exact-match\"] }");
    golden("expand", &case.relative(&case.load().expand()));
}

#[test]
fn an_expanded_recipe_loads_to_itself() {
    let odd = WHOLE.replace(
        "name = \"study\"",
        "name = \"study\"\nsummary = \"two\\nlines, a \\\"quote\\\" and a \\u0007 bell # no comment\"",
    );
    let odd = odd
        .replace("threshold = 0.5", "threshold = 0.5, \"odd key\" = { deep = [1, 2.0, \"x\"], empty = {} }")
        + "[sweep]\ngrid = { \"routing.router.threshold\" = [0.1, 1] }\nseeds = [1, 2]\norders = { O1 = [\"a\"], O2 = \"short\" }\n";
    let case = Case::new().file("study.toml", &odd).set("stream.path=data").set("stream.format=jsonl");
    let first = case.load();
    let text = first.expand();
    let again = Case::new().file("study.toml", &text);
    assert_eq!(again.load().recipe, first.recipe, "{text}");
    assert_eq!(
        first.recipe.routing.as_ref().unwrap().router.as_ref().unwrap().settings["odd key"]["deep"][1],
        2.0
    );
}

#[test]
fn what_follows_from_another_key_is_written_out() {
    let text = WHOLE.split("[indicator]").next().unwrap().replace("[expert]", "[expert]\nper = \"stream\"");
    let expanded = Case::new().file("study.toml", &text).load().expand();
    assert!(expanded.contains("start = \"previous\"  # default"), "{expanded}");
    Case::new().file("study.toml", &expanded).load();
}
