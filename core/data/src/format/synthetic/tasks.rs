//! The tasks of the built-in stream: their instructions and correct answers. Three pairs are similar: polarity and
//! aspect use the same reviews, sort and reverse the same lists, translation and tagging the same sentences, and the
//! instructions of a pair share most of their words.

use super::draw::Draw;
use super::inputs::{Review, Sentence, Story, listed, number_list, numbers_input};
use super::phrasing::instruction;

/// An instruction, an input (may be empty), and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) instruction: String,
    pub(super) input: String,
    pub(super) output: String,
}

/// A task of the stream.
pub(super) struct SyntheticTask {
    pub(super) name: &'static str,
    /// Alternative phrasings of the instruction.
    pub(super) cores: &'static [&'static str],
    /// Draws an input and its answer; the row number is used to balance labels.
    content: fn(&mut Draw, usize) -> (String, String),
}

impl SyntheticTask {
    /// The row with this number.
    pub(super) fn row(&self, draw: &mut Draw, number: usize) -> Row {
        let instruction = instruction(draw, self.cores);
        let (input, output) = (self.content)(draw, number);
        Row { instruction, input, output }
    }
}

/// All tasks, in the default order.
pub(super) const TASKS: &[SyntheticTask] = &[
    SyntheticTask {
        name: "polarity",
        cores: &[
            "say whether the review is for or against",
            "tell how the writer of the review feels",
            "read the review and say what the opinion is",
            "judge the review by how the writer likes it",
            "decide which feeling the review gives",
        ],
        content: |draw, number| {
            let review = Review::new(draw, number.is_multiple_of(2));
            let label = if review.good { "good" } else { "bad" };
            (review.input(), label.to_owned())
        },
    },
    SyntheticTask {
        name: "sort",
        cores: &[
            "put the numbers in order, from the smallest to the largest",
            "turn the list so that it goes up",
            "write the numbers again from low to high",
            "order the list by size, small ones first",
            "line the numbers up, the lowest first",
        ],
        content: |draw, _| {
            let numbers = number_list(draw);
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            (numbers_input(&numbers), listed(&sorted))
        },
    },
    SyntheticTask {
        name: "translation",
        cores: &[
            "say the sentence in Velan",
            "write the sentence again in the Velan tongue",
            "put each word of the sentence in Velan",
            "turn the sentence into Velan words",
            "read the sentence and tell it in Velan",
        ],
        content: |draw, _| {
            let sentence = Sentence::new(draw);
            (sentence.input(), sentence.velan())
        },
    },
    SyntheticTask {
        name: "arithmetic",
        cores: &[
            "work out the number at the end of the story",
            "read the story and say how many there are now",
            "count what is there after the story",
            "tell how many are left or held at the end",
            "find the number that answers the story",
        ],
        content: |draw, _| {
            let story = Story::new(draw);
            (story.input(), format!("there are {} {}s", story.after(), story.fruit))
        },
    },
    SyntheticTask {
        name: "aspect",
        cores: &[
            "say what the review is for or against",
            "tell what the writer of the review feels about",
            "read the review and say what the opinion is about",
            "judge the review by what the writer likes or not",
            "decide which thing the review gives a feeling about",
        ],
        content: |draw, number| {
            let review = Review::new(draw, number.is_multiple_of(2));
            (review.input(), format!("the {}", review.aspect))
        },
    },
    SyntheticTask {
        name: "reverse",
        cores: &[
            "put the numbers in order, from the last to the first",
            "turn the list so that it goes back",
            "write the numbers again from end to start",
            "order the list by place, late ones first",
            "line the numbers up, the last first",
        ],
        content: |draw, _| {
            let numbers = number_list(draw);
            let backwards: Vec<usize> = numbers.iter().rev().copied().collect();
            (numbers_input(&numbers), listed(&backwards))
        },
    },
    SyntheticTask {
        name: "tagging",
        cores: &[
            "say the kind of each word in the sentence",
            "write the kinds of the words of the sentence in order",
            "put a kind in the place of each word of the sentence",
            "turn the sentence into word kinds",
            "read the sentence and tell each kind of word",
        ],
        content: |draw, _| {
            let sentence = Sentence::new(draw);
            (sentence.input(), sentence.kinds())
        },
    },
];
