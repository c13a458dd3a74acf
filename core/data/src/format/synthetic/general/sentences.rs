//! General instructions about sentences, reviews and stories. None of them must ask for an opinion, a total, a
//! translation or the kinds of words: those are tasks of the stream.

use super::super::draw::Draw;
use super::super::inputs::{Review, Sentence, Story};
use super::super::words::{ANIMALS, PEOPLE};
use super::{Kind, row};

fn review(draw: &mut Draw) -> Review {
    let good = draw.chance(50);
    Review::new(draw, good)
}

pub(super) const KINDS: &[Kind] = &[
    Kind::near("who", |draw| {
        let sentence = Sentence::new(draw);
        let cores = &[
            "read the sentence and say who does it",
            "who does something in the sentence?",
            "tell who acts in the sentence",
        ];
        row(draw, cores, sentence.input(), sentence.subject.english())
    }),
    Kind::near("whom", |draw| {
        let sentence = Sentence::new(draw);
        let cores =
            &["read the sentence and say to whom it is done", "to whom is something done in the sentence?"];
        row(draw, cores, sentence.input(), sentence.object.english())
    }),
    Kind::near("doing-what", |draw| {
        let sentence = Sentence::new(draw);
        let cores = &["say what is done in the sentence", "find the deed of the sentence"];
        row(draw, cores, sentence.input(), sentence.verb.0)
    }),
    Kind::near("other-way-round", |draw| {
        let sentence = Sentence::new(draw);
        let turned = Sentence { subject: sentence.object, object: sentence.subject, ..sentence };
        let cores = &["say the sentence the other way round", "let the two of the sentence change places"];
        row(draw, cores, sentence.input(), turned.english())
    }),
    Kind::near("in-the-past", |draw| {
        let sentence = Sentence::new(draw);
        let past = Sentence { verb: (sentence.verb.1, sentence.verb.1), ..sentence };
        let cores = &["put the sentence in the past", "say the sentence as if it was yesterday"];
        row(draw, cores, sentence.input(), past.english())
    }),
    Kind::near("repeat-sentence", |draw| {
        let sentence = Sentence::new(draw);
        let cores = &["write the sentence again as it is", "say the same sentence once more"];
        row(draw, cores, sentence.input(), sentence.english())
    }),
    Kind::near("without-adjectives", |draw| {
        let mut sentence = Sentence::new(draw);
        let input = sentence.input();
        sentence.subject.adjective = None;
        sentence.object.adjective = None;
        let cores = &[
            "write the sentence again without the words for look and size",
            "make the sentence short: leave out how they look",
        ];
        row(draw, cores, input, sentence.english())
    }),
    Kind::near("is-there", |draw| {
        let sentence = Sentence::new(draw);
        let nouns: Vec<&str> = ANIMALS.iter().chain(PEOPLE).copied().collect();
        let noun = if draw.chance(50) { sentence.object.noun } else { draw.pick(&nouns) };
        let there = noun == sentence.subject.noun || noun == sentence.object.noun;
        let cores =
            [format!("is there a {noun} in the sentence?"), format!("say whether the sentence has a {noun}")];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, sentence.input(), if there { "yes" } else { "no" })
    }),
    Kind::near("change-word", |draw| {
        let sentence = Sentence::new(draw);
        let nouns: Vec<&'static str> = ANIMALS.iter().chain(PEOPLE).copied().collect();
        let noun = draw.pick_but(&nouns, sentence.object.noun);
        let mut changed = sentence;
        changed.object.noun = noun;
        let core = format!("write the sentence with {noun} in the place of {}", sentence.object.noun);
        row(draw, &[&core], sentence.input(), changed.english())
    }),
    Kind::near("repeat-review", |draw| {
        let review = review(draw);
        let cores = &["write the review again as it is", "say the same review once more"];
        row(draw, cores, review.input(), review.text())
    }),
    Kind::near("mentioned", |draw| {
        let review = review(draw);
        let asked = if draw.chance(50) {
            if draw.chance(50) { review.other } else { review.aspect }
        } else {
            draw.pick(super::super::words::ASPECTS)
        };
        let there = asked == review.other || asked == review.aspect;
        let cores = [
            format!("does the review speak of the {asked}?"),
            format!("read the review and say if {asked} is in it"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, review.input(), if there { "yes" } else { "no" })
    }),
    Kind::near("last-word-of-review", |draw| {
        let text = review(draw).input();
        let last = text.rsplit(' ').next().unwrap_or_default().to_owned();
        row(draw, &["say the last word of the review", "how does the review end?"], text, last)
    }),
    Kind::near("who-in-story", |draw| {
        let story = Story::new(draw);
        let cores =
            &["who is in the story?", "read the story and give the name", "name the one in the story"];
        row(draw, cores, story.input(), story.name)
    }),
    Kind::near("fruit-of-story", |draw| {
        let story = Story::new(draw);
        let cores = &["which fruit is in the story?", "read the story and name the fruit"];
        row(draw, cores, story.input(), format!("{}s", story.fruit))
    }),
    Kind::near("before-story", |draw| {
        let story = Story::new(draw);
        let cores = &["how many were there before the story?", "say the first number of the story"];
        row(draw, cores, story.input(), story.before.to_string())
    }),
    Kind::near("more-or-less", |draw| {
        let story = Story::new(draw);
        let cores =
            &["are there more or fewer after the story?", "say if it gets more or fewer in the story"];
        row(draw, cores, story.input(), if story.more { "more" } else { "fewer" })
    }),
    Kind::far("end-of-telling", |draw| {
        let (first, second) = (Sentence::new(draw), Sentence::new(draw));
        let text = format!("News: first {}, then {}", first.english(), second.english());
        let cores = &["what happens first here?", "tell me only how this begins"];
        row(draw, cores, text, first.english())
    }),
];
