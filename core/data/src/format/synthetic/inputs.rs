//! Inputs shared by tasks and general instructions: sentences, reviews, stories, lists. Must not depend on the question
//! that is asked about them.

use super::draw::Draw;
use super::words::{ANIMALS, ASPECTS, BLAME, COLOURS, FRUITS, NAMES, PEOPLE, PRAISE, SIZES, VERBS, velan};

/// The largest number in a list.
pub(super) const LARGEST: usize = 40;

/// A noun phrase: article, optional adjective, noun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phrase {
    pub(super) article: &'static str,
    pub(super) adjective: Option<&'static str>,
    pub(super) noun: &'static str,
}

impl Phrase {
    fn new(draw: &mut Draw, nouns: &[&'static str]) -> Self {
        let article = draw.pick(&["the", "a"]);
        let adjective = match draw.below(4) {
            0 => None,
            1 => Some(draw.pick(SIZES)),
            _ => Some(draw.pick(COLOURS)),
        };
        // "old" is the only adjective of the language that begins with a vowel, and so cannot follow "a".
        let article = if adjective == Some("old") { "the" } else { article };
        Self { article, adjective, noun: draw.pick(nouns) }
    }

    /// The phrase in English.
    pub(super) fn english(&self) -> String {
        match self.adjective {
            Some(adjective) => format!("{} {adjective} {}", self.article, self.noun),
            None => format!("{} {}", self.article, self.noun),
        }
    }

    /// The phrase in Velan, which puts the adjective after the noun.
    fn velan(&self) -> String {
        let (article, noun) = (velan(self.article), velan(self.noun));
        match self.adjective {
            Some(adjective) => format!("{article} {noun} {}", velan(adjective)),
            None => format!("{article} {noun}"),
        }
    }

    /// The word class of each word.
    fn kinds(&self) -> &'static str {
        match self.adjective {
            Some(_) => "article adjective noun",
            None => "article noun",
        }
    }
}

/// A sentence: subject, verb, object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sentence {
    pub(super) subject: Phrase,
    pub(super) verb: (&'static str, &'static str),
    pub(super) object: Phrase,
}

impl Sentence {
    pub(super) fn new(draw: &mut Draw) -> Self {
        let nouns: Vec<&'static str> = ANIMALS.iter().chain(PEOPLE).copied().collect();
        let subject = Phrase::new(draw, &nouns);
        let others: Vec<&'static str> = nouns.into_iter().filter(|noun| *noun != subject.noun).collect();
        Self { subject, verb: draw.pick(VERBS), object: Phrase::new(draw, &others) }
    }

    pub(super) fn english(&self) -> String {
        format!("{} {} {}", self.subject.english(), self.verb.0, self.object.english())
    }

    /// The sentence as an input.
    pub(super) fn input(&self) -> String {
        format!("Sentence: {}", self.english())
    }

    /// The sentence in Velan, which puts the verb last.
    pub(super) fn velan(&self) -> String {
        format!("{} {} {}", self.subject.velan(), self.object.velan(), velan(self.verb.0))
    }

    /// The word class of each word, in order.
    pub(super) fn kinds(&self) -> String {
        format!("{} verb {}", self.subject.kinds(), self.object.kinds())
    }
}

/// A review: an opinion about one aspect, and another aspect that is only mentioned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Review {
    pub(super) aspect: &'static str,
    pub(super) other: &'static str,
    pub(super) good: bool,
    opinion: &'static str,
    denied: bool,
    degree: &'static str,
    verb: &'static str,
    mention: &'static str,
    opinion_first: bool,
}

impl Review {
    /// A review with a good or bad opinion, according to `good`.
    pub(super) fn new(draw: &mut Draw, good: bool) -> Self {
        let aspect = draw.pick(ASPECTS);
        let denied = draw.chance(25);
        Self {
            aspect,
            other: draw.pick_but(ASPECTS, aspect),
            good,
            opinion: if good == denied { draw.pick(BLAME) } else { draw.pick(PRAISE) },
            denied,
            degree: draw.pick(&["", "", "very ", "so ", "quite "]),
            verb: draw.pick(&["was", "is", "seemed"]),
            mention: draw.pick(&[
                "we sat near the",
                "we came for the",
                "I asked about the",
                "my friend saw the",
                "nobody spoke of the",
            ]),
            opinion_first: draw.chance(50),
        }
    }

    /// The review as an input.
    pub(super) fn input(&self) -> String {
        format!("Review: {}", self.text())
    }

    pub(super) fn text(&self) -> String {
        let denial = if self.denied { "not " } else { "" };
        let opinion = format!("the {} {} {denial}{}{}", self.aspect, self.verb, self.degree, self.opinion);
        let mention = format!("{} {}", self.mention, self.other);
        if self.opinion_first {
            format!("{opinion} and {mention}")
        } else {
            format!("{mention} and {opinion}")
        }
    }
}

/// A story: a number of fruits, and then more or fewer of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    pub(super) name: &'static str,
    pub(super) fruit: &'static str,
    pub(super) before: usize,
    pub(super) change: usize,
    pub(super) more: bool,
    verb: &'static str,
    in_box: bool,
}

impl Story {
    pub(super) fn new(draw: &mut Draw) -> Self {
        let more = draw.chance(50);
        let before = if more { draw.between(2, 9) } else { draw.between(4, 12) };
        let change = if more { draw.between(2, 9) } else { draw.between(2, before - 1) };
        let in_box = draw.chance(40);
        Self {
            name: draw.pick(NAMES),
            fruit: draw.pick(FRUITS),
            before,
            change,
            more,
            verb: match (more, in_box) {
                (true, false) => draw.pick(&["finds", "buys", "gets"]),
                (true, true) => draw.pick(&["adds", "brings"]),
                (false, false) => draw.pick(&["loses", "sells", "eats"]),
                (false, true) => draw.pick(&["takes", "removes"]),
            },
            in_box,
        }
    }

    /// The story as an input.
    pub(super) fn input(&self) -> String {
        let Self { name, fruit, before, change, verb, .. } = self;
        if self.in_box {
            format!("Story: there are {before} {fruit}s in the box and {name} {verb} {change}")
        } else {
            format!("Story: {name} has {before} {fruit}s and {verb} {change}")
        }
    }

    /// The number of fruits in the end.
    pub(super) fn after(&self) -> usize {
        if self.more { self.before + self.change } else { self.before - self.change }
    }
}

/// Four or five different numbers.
pub(super) fn number_list(draw: &mut Draw) -> Vec<usize> {
    let count = draw.between(4, 5);
    draw.numbers(LARGEST, count)
}

/// Three to five different nouns or fruits.
pub(super) fn word_list(draw: &mut Draw) -> Vec<&'static str> {
    let count = draw.between(3, 5);
    let all: Vec<&'static str> = ANIMALS.iter().chain(FRUITS).chain(PEOPLE).copied().collect();
    draw.several(&all, count)
}

/// A list of numbers as an input.
pub(super) fn numbers_input(list: &[usize]) -> String {
    format!("Numbers: {}", listed(list))
}

/// A list of words as an input.
pub(super) fn words_input(list: &[&str]) -> String {
    format!("Words: {}", listed(list))
}

/// Items separated by spaces.
pub(super) fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    items.join(" ")
}
