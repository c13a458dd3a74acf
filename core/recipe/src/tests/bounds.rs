//! Recipes that are larger, deeper or more often wrong than any real one: refused with figure and limit, and in a time
//! that grows with their size only.

use std::time::{Duration, Instant};

use super::{Case, WHOLE};

#[test]
fn a_hundred_of_many_mistakes_are_shown() {
    let sections: String = (0..8000).map(|at| format!("[unknown-{at}]\nx = 1\n")).collect();
    let begun = Instant::now();
    let text = Case::new().file("study.toml", &format!("{WHOLE}\n{sections}")).mistakes();
    assert_eq!(text.matches("error: unknown section").count(), 100);
    assert!(text.contains("8000 errors, of which 100 are shown"), "{}", text.lines().last().unwrap());
    let broken: String = (0..8000).map(|at| format!("x{at} = = 1\n")).collect();
    let text = Case::new().file("study.toml", &broken).mistakes();
    assert!(text.matches("error: not valid TOML").count() <= 100);
    let lists: String = (0..8000).map(|at| format!("{}, ", at % 10)).collect();
    let grid = format!("{WHOLE}\n[sweep]\ngrid = {{ \"expert.adapter.rank\" = [{lists}] }}\n");
    assert!(Case::new().file("study.toml", &grid).mistakes().contains("of which"));
    // What is linear takes a fraction of a second for all three; what was quadratic took minutes.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn a_file_has_a_largest_size_and_policies_settings_too() {
    let large = format!("{WHOLE}\n# {}\n", "x".repeat(1 << 20));
    let text = Case::new().file("study.toml", &large).mistakes();
    assert!(text.contains(" bytes, but the limit is 1048576"), "{text}");
    let text = Case::changed("threshold = 0.5", &format!("x = \"{}\"", "x".repeat(70_000))).mistakes();
    assert!(text.contains("bytes as JSON, but the limit is 65536"), "{text}");
}

#[test]
fn values_lie_so_deep_and_no_deeper() {
    let deep = |levels: usize| format!("x = {}1{}", "[".repeat(levels), "]".repeat(levels));
    let tables = format!("x = {}1{}", "{ a = ".repeat(40), " }".repeat(40));
    for nested in [deep(40), tables, deep(5000)] {
        let text = Case::changed("threshold = 0.5", &nested).mistakes();
        assert!(text.contains("nested more than") || text.contains("recursion limit"), "{text}");
    }
    Case::changed("threshold = 0.5", &deep(20)).load();
    let text = Case::new().file("study.toml", &format!("{}x = 1\n{WHOLE}", "\"a.b\".".repeat(40))).mistakes();
    assert!(text.contains("nested more than"), "{text}");
}

#[test]
fn dots_in_texts_and_comments_are_no_keys() {
    let dots = "a.".repeat(60);
    let long = format!("\"\"\"{dots}\n{dots}\"\"\"");
    let text = format!("# {dots}\nsummary = {long}\nreference = '{dots}'\n{WHOLE}");
    assert_eq!(Case::new().file("study.toml", &text).load().recipe.reference.unwrap(), dots);
}

#[test]
fn inheritance_has_a_length_and_a_width() {
    let mut chain = Case::new().file("study.toml", &format!("inherit = [\"0.toml\"]\n{WHOLE}"));
    for at in 0..20 {
        chain = chain.file(&format!("{at}.toml"), &format!("inherit = [\"{}.toml\"]", at + 1));
    }
    let text = chain.file("20.toml", "").mistakes();
    assert!(text.contains("length of the chain of inherited files: 17, but the limit is 16"), "{text}");
    let list: Vec<String> = (0..80).map(|at| format!("\"{at}.toml\"")).collect();
    let mut wide = Case::new().file("study.toml", &format!("inherit = [{}]\n{WHOLE}", list.join(", ")));
    for at in 0..80 {
        wide = wide.file(&format!("{at}.toml"), "");
    }
    let text = wide.mistakes();
    assert!(text.contains("number of files: 65, but the limit is 64") && text.contains("1 error;"), "{text}");
}
