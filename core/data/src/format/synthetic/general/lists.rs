//! General instructions about lists of numbers and of words. None of them must sort or reverse a list: those are tasks
//! of the stream.

use super::super::inputs::{LARGEST, listed, number_list, numbers_input, word_list, words_input};
use super::super::words::{ANIMALS, COLOURS, FRUITS, NUMBER_WORDS, PEOPLE};
use super::{Kind, row};

pub(super) const KINDS: &[Kind] = &[
    Kind::near("first-number", |draw| {
        let list = number_list(draw);
        let cores = &[
            "say the first number of the list",
            "read the list and give its first number",
            "which number is at the start of the list?",
        ];
        row(draw, cores, numbers_input(&list), list[0].to_string())
    }),
    Kind::near("last-number", |draw| {
        let list = number_list(draw);
        let cores = &[
            "say the last number of the list",
            "read the list and give the number at its end",
            "which number is at the end of the list?",
        ];
        row(draw, cores, numbers_input(&list), list[list.len() - 1].to_string())
    }),
    Kind::near("count-numbers", |draw| {
        let list = number_list(draw);
        let cores = &[
            "count the numbers of the list",
            "say how many numbers there are in the list",
            "read the list and tell how long it is",
        ];
        row(draw, cores, numbers_input(&list), list.len().to_string())
    }),
    Kind::near("largest-number", |draw| {
        let list = number_list(draw);
        let largest = list.iter().max().map_or(0, |number| *number);
        let cores = &[
            "find the largest number of the list",
            "read the list and say which number is the largest",
            "which number of the list is the highest?",
        ];
        row(draw, cores, numbers_input(&list), largest.to_string())
    }),
    Kind::near("smallest-number", |draw| {
        let list = number_list(draw);
        let smallest = list.iter().min().map_or(0, |number| *number);
        let cores = &[
            "find the smallest number of the list",
            "read the list and say which number is the smallest",
            "which number of the list is the lowest?",
        ];
        row(draw, cores, numbers_input(&list), smallest.to_string())
    }),
    Kind::near("repeat-numbers", |draw| {
        let list = number_list(draw);
        let cores = &[
            "write the list again as it is",
            "write the same numbers again",
            "say the list again, from the first to the last",
        ];
        row(draw, cores, numbers_input(&list), listed(&list))
    }),
    Kind::near("drop-first", |draw| {
        let list = number_list(draw);
        let cores = &[
            "write the list again without the first number",
            "leave out the first number and say the others",
            "write all numbers but the one at the start",
        ];
        row(draw, cores, numbers_input(&list), listed(&list[1..]))
    }),
    Kind::near("drop-last", |draw| {
        let list = number_list(draw);
        let cores = &[
            "write the list again without the last number",
            "leave out the last number and say the others",
            "write all numbers but the one at the end",
        ];
        row(draw, cores, numbers_input(&list), listed(&list[..list.len() - 1]))
    }),
    Kind::near("add-at-end", |draw| {
        let list = number_list(draw);
        let extra = draw.between(1, LARGEST);
        let cores = [
            format!("write the list again with {extra} at the end"),
            format!("put {extra} behind the last number of the list"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        let output = format!("{} {extra}", listed(&list));
        row(draw, &cores, numbers_input(&list), output)
    }),
    Kind::near("number-in-list", |draw| {
        let list = number_list(draw);
        let number = if draw.chance(50) { draw.pick(&list) } else { draw.between(1, LARGEST) };
        let cores =
            [format!("is {number} in the list?"), format!("read the list and say whether it has {number}")];
        let cores = cores.each_ref().map(String::as_str);
        let output = if list.contains(&number) { "yes" } else { "no" };
        row(draw, &cores, numbers_input(&list), output)
    }),
    Kind::near("number-after", |draw| {
        let number = draw.below(LARGEST);
        let cores = [
            format!("say the number after {number}"),
            format!("which number comes after {number}?"),
            format!("count on from {number} by one"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), (number + 1).to_string())
    }),
    Kind::near("number-before", |draw| {
        let number = draw.between(1, LARGEST);
        let cores = [
            format!("say the number before {number}"),
            format!("which number comes before {number}?"),
            format!("count back from {number} by one"),
        ];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), (number - 1).to_string())
    }),
    Kind::near("larger-of-two", |draw| {
        let pair = draw.numbers(LARGEST, 2);
        let (low, high) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        let smaller = draw.chance(50);
        let cores = if smaller {
            ["which of the two numbers is smaller?", "say the lower of the two numbers"]
        } else {
            ["which of the two numbers is larger?", "say the higher of the two numbers"]
        };
        let output = if smaller { low } else { high };
        row(draw, &cores, numbers_input(&pair), output.to_string())
    }),
    Kind::near("sum", |draw| {
        let (left, right) = (draw.between(2, 9), draw.between(2, 9));
        let input = format!("Sum: {left} + {right}");
        row(draw, &["work out the sum", "add the two numbers"], input, (left + right).to_string())
    }),
    Kind::near("difference", |draw| {
        let left = draw.between(4, 12);
        let right = draw.between(2, left - 1);
        let input = format!("Difference: {left} - {right}");
        let cores = &["work out the difference", "take the second number from the first"];
        row(draw, cores, input, (left - right).to_string())
    }),
    Kind::near("number-word", |draw| {
        let number = draw.below(NUMBER_WORDS.len());
        let cores = [format!("write {number} as a word"), format!("say the word for {number}")];
        let cores = cores.each_ref().map(String::as_str);
        row(draw, &cores, String::new(), NUMBER_WORDS[number])
    }),
    Kind::near("join-words", |draw| {
        let list = word_list(draw);
        let cores = &[
            "join the words with and",
            "write the words with and between them",
            "put and between the words of the list",
        ];
        row(draw, cores, words_input(&list), list.join(" and "))
    }),
    Kind::near("count-words", |draw| {
        let list = word_list(draw);
        let cores = &[
            "count the words of the list",
            "say how many words there are",
            "how long is the list of words?",
        ];
        row(draw, cores, words_input(&list), list.len().to_string())
    }),
    Kind::near("first-word", |draw| {
        let list = word_list(draw);
        let cores = &["say the first word of the list", "which word is at the start of the list?"];
        row(draw, cores, words_input(&list), list[0])
    }),
    Kind::near("find-colour", |draw| {
        let mut list = word_list(draw);
        let colour = draw.pick(COLOURS);
        let place = draw.below(list.len() + 1);
        list.insert(place, colour);
        let cores = &["find the colour among the words", "which word of the list is a colour?"];
        row(draw, cores, words_input(&list), colour)
    }),
    Kind::near("odd-one-out", |draw| {
        let groups = draw.several(&[ANIMALS, FRUITS, PEOPLE, COLOURS], 2);
        let mut list = draw.several(groups[0], 3);
        let odd = draw.pick(groups[1]);
        let place = draw.below(list.len() + 1);
        list.insert(place, odd);
        let cores = &["find the word that is not like the others", "which word does not belong?"];
        row(draw, cores, words_input(&list), odd)
    }),
    Kind::far("second-word", |draw| {
        let list = word_list(draw);
        let cores = &["say the second word", "which word comes after the first one?"];
        row(draw, cores, words_input(&list), list[1])
    }),
    Kind::far("even-or-odd", |draw| {
        let number = draw.below(LARGEST + 1);
        let cores = [format!("is {number} even or odd?"), format!("tell if {number} is even or odd")];
        let cores = cores.each_ref().map(String::as_str);
        let output = if number.is_multiple_of(2) { "even" } else { "odd" };
        row(draw, &cores, String::new(), output)
    }),
];
