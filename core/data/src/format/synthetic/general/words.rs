//! General instructions about single words, English and Velan. None of them must translate, tag or judge more than one
//! word.

use super::super::draw::Draw;
use super::super::inputs::listed;
use super::super::words::{
    ANIMALS, BLAME, COLOURS, CONTRARIES, DAYS, FRUITS, NAMES, PEOPLE, PRAISE, SIZES, THINGS, VELAN, VERBS,
};
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
    Kind::near("word-in-velan", |draw| {
        let (english, velan) = draw.pick(VELAN);
        let cores = [
            format!("what is the word {english} in Velan?"),
            format!("give the Velan word for {english}"),
            format!("how do they call {english} in the Velan tongue?"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), velan)
    }),
    Kind::near("words-in-velan", |draw| {
        let pairs = draw.several(VELAN, 2);
        let cores = [format!("give the Velan words for {} and {}", pairs[0].0, pairs[1].0)];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), format!("{} and {}", pairs[0].1, pairs[1].1))
    }),
    Kind::near("word-in-english", |draw| {
        let (english, velan) = draw.pick(VELAN);
        let cores =
            [format!("what is the Velan word {velan} in English?"), format!("what does {velan} mean?")];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), english)
    }),
    Kind::near("kind-of-word", |draw| {
        let (word, kind) = match draw.below(4) {
            0 => (draw.pick(&["the", "a"]), "article"),
            1 => (draw.pick(&[COLOURS, SIZES].concat()), "adjective"),
            2 => (draw.pick(&[ANIMALS, PEOPLE].concat()), "noun"),
            _ => (draw.pick(VERBS).0, "verb"),
        };
        let cores = [
            format!("is {word} an article, an adjective, a noun or a verb?"),
            format!("what kind of word is {word}?"),
            format!("say which kind of word {word} is"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), kind)
    }),
    Kind::near("praise-or-blame", |draw| {
        let praise = draw.chance(50);
        let word = draw.pick(if praise { PRAISE } else { BLAME });
        let cores = [
            format!("is {word} a word of praise or of blame?"),
            format!("something is {word}, do you praise or blame it?"),
            format!("do people say {word} when they like it?"),
        ];
        let chosen = draw.below(cores.len());
        let output = match (chosen, praise) {
            (2, true) => "yes",
            (2, false) => "no",
            (_, true) => "praise",
            (_, false) => "blame",
        };
        row(draw, &[cores[chosen].as_str()], String::new(), output)
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
