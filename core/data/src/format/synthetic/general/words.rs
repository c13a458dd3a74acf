//! Small skills over single words, English and Velan. Translates nothing.

use super::super::draw::Draw;
use super::super::inputs::listed;
use super::super::words::{ANIMALS, COLOURS, CONTRARIES, DAYS, FRUITS, NAMES, PEOPLE, THINGS, VELAN, VERBS};
use super::{Kind, row};

/// Two or more words of Velan.
fn velan_words(draw: &mut Draw) -> Vec<&'static str> {
    let all: Vec<&'static str> = VELAN.iter().map(|(_, velan)| *velan).collect();
    let count = draw.between(3, 6);
    draw.several(&all, count)
}

fn velan_input(words: &[&str]) -> String {
    format!("Velan: {}", listed(words))
}

/// A word and the group it belongs to.
fn grouped(draw: &mut Draw) -> (&'static str, &'static str) {
    let groups = [
        (ANIMALS, "animal"),
        (FRUITS, "fruit"),
        (COLOURS, "colour"),
        (PEOPLE, "person"),
        (THINGS, "thing"),
        (NAMES, "name"),
        (DAYS, "day"),
    ];
    let (words, group) = groups[draw.below(groups.len())];
    (draw.pick(words), group)
}

pub(super) const KINDS: &[Kind] = &[
    Kind::near("contrary", |draw| {
        let (left, right) = CONTRARIES[draw.below(CONTRARIES.len())];
        let (word, output) = if draw.chance(50) { (left, right) } else { (right, left) };
        let cores = [
            format!("say the contrary of {word}"),
            format!("which word is the contrary of {word}?"),
            format!("something is not {word}; what is it?"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), output)
    }),
    Kind::near("group", |draw| {
        let (word, group) = grouped(draw);
        let cores = [
            format!("what is a {word}?"),
            format!("tell what {word} is"),
            format!("is {word} an animal, a fruit, a thing or what?"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        let article = if group == "animal" { "an" } else { "a" };
        row(draw, &cores, String::new(), format!("{word} is {article} {group}"))
    }),
    Kind::near("past", |draw| {
        let (present, past) = VERBS[draw.below(VERBS.len())];
        let cores =
            [format!("say the past of {present}"), format!("today it is {present}, what was it yesterday?")];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), past)
    }),
    Kind::near("three-times", |draw| {
        let (word, _) = grouped(draw);
        let cores = [
            format!("write {word} three times"),
            format!("say the word {word} again and again, three times in all"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), format!("{word} {word} {word}"))
    }),
    Kind::near("example-of-group", |draw| {
        let (word, group) = grouped(draw);
        let cores = [format!("name one {group}"), format!("give me the name of some {group}")];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), word)
    }),
    Kind::near("repeat-velan", |draw| {
        let words = velan_words(draw);
        let cores = &[
            "write the Velan words again",
            "say these words of the Velan tongue once more",
            "read the Velan words and write the same words",
        ];
        row(draw, cores, velan_input(&words), listed(&words))
    }),
    Kind::near("first-velan", |draw| {
        let words = velan_words(draw);
        let cores = &["say the first of the Velan words", "which Velan word is at the start?"];
        row(draw, cores, velan_input(&words), words[0])
    }),
    Kind::near("count-velan", |draw| {
        let words = velan_words(draw);
        let cores = &["count the Velan words", "how many words of Velan are there?"];
        row(draw, cores, velan_input(&words), words.len().to_string())
    }),
    Kind::near("which-tongue", |draw| {
        let (english, velan) = VELAN[draw.below(VELAN.len())];
        let (word, tongue) = if draw.chance(50) { (english, "English") } else { (velan, "Velan") };
        let cores = [format!("is {word} English or Velan?"), format!("tell the tongue of the word {word}")];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), tongue)
    }),
    Kind::far("plural", |draw| {
        let word = draw.pick(&[FRUITS, THINGS].concat());
        let output = if word == "box" { "boxes".to_owned() } else { format!("{word}s") };
        let cores = [
            format!("write the plural of {word}"),
            format!("one {word}, two of what?"),
            format!("what do you call more than one {word}?"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), output)
    }),
    Kind::far("next-day", |draw| {
        let place = draw.below(DAYS.len());
        let (day, next) = (DAYS[place], DAYS[(place + 1) % DAYS.len()]);
        let name = draw.pick(NAMES);
        let cores = [
            format!("{name} asks which day comes after {day}"),
            format!("today is {day}, what day is tomorrow?"),
            format!("{name} came on {day} and left one day later, on which day?"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), next)
    }),
    Kind::far("first-letter", |draw| {
        let (word, _) = grouped(draw);
        let letter: String = word.chars().take(1).collect();
        let cores =
            [format!("with which letter does {word} begin?"), format!("give the first letter of {word}")];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), letter)
    }),
];
