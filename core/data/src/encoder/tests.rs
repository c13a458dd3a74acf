//! Tests of ids and masks, position by position.

use super::{Encoder, EncodingLimits, Target};
use crate::error::DataError;
use crate::example::{Example, Turn, TurnRole};
use crate::indicator_tokens::{IndicatorForm, IndicatorTokens};
use crate::shown_tokens::shown_tokens;
use crate::template::Template;
use crate::token_example::TokenExample;
use crate::tokenizer::Tokenizer;

const BOS: u32 = 1;
const EOS: u32 = 2;
const ACCEPT: u32 = 300;
const REJECT: u32 = 301;

fn tokenizer() -> Tokenizer {
    let texts = ["sort the list and say the list", "the sea and the shore"];
    Tokenizer::train_bpe(&mut texts.iter().copied(), 280).expect("a tokenizer")
}

fn example(instruction: &str, input: &str, output: &str) -> Example {
    Example {
        id: "e".into(),
        task: "t".into(),
        turns: Vec::new(),
        instruction: instruction.into(),
        input: input.into(),
        output: output.into(),
        references: vec![output.into()],
    }
}

fn encoder(template: Template, max_prompt: usize, max_response: usize) -> Encoder {
    let (with, indicators) =
        IndicatorTokens::new(&tokenizer(), IndicatorForm::NewToken, "<accept>", "<reject>", 300)
            .expect("indicators");
    let limits = EncodingLimits { max_prompt, max_response };
    Encoder::new(with, template, Some(indicators), limits)
}

/// The expected sequence of the given ids (without a loss) and learned ids (with a loss).
fn sequence(given: &[u32], learnt: &[u32]) -> TokenExample {
    let mut mask = vec![false; given.len()];
    mask.extend(vec![true; learnt.len()]);
    TokenExample { mask, ..TokenExample::new([given, learnt].concat(), &[]) }
}

#[test]
fn each_target_learns_exactly_its_part() {
    let encoder = encoder(Template::Plain, 100, 100);
    let example = example("sort", "the sea", "sea the");
    let prompt = [vec![BOS], tokenizer().encode("sort\n\nthe sea").expect("ids")].concat();
    let response = tokenizer().encode("sea the").expect("ids");
    let encode = |target| encoder.encode(&example, target).expect("ids");
    let answer = [response.clone(), vec![EOS]].concat();
    assert_eq!(encode(Target::Plain), sequence(&prompt, &answer));
    let marked = |learnt: &[u32]| sequence(&prompt, learnt).with_indicator(1);
    assert_eq!(encode(Target::Accept), marked(&[vec![ACCEPT], answer.clone()].concat()));
    assert_eq!(encode(Target::Reject { keep_response: false }), marked(&[REJECT]));
    assert_eq!(encode(Target::Reject { keep_response: true }), marked(&[vec![REJECT], answer].concat()));
    assert_eq!(encoder.prompt_ids(&example).expect("ids"), prompt);
}

#[test]
fn many_are_the_same_as_one_by_one() {
    let encoder = encoder(Template::Alpaca, 300, 5);
    let rows: Vec<Example> = (0..40)
        .map(|n| example("say the list", &"the sea ".repeat(4 * n), &"shore ".repeat(n % 9)))
        .collect();
    let targets = [Target::Plain, Target::Accept, Target::Reject { keep_response: false }];
    let pairs: Vec<(&Example, Target)> = rows.iter().zip(targets.into_iter().cycle()).collect();
    let all = encoder.encode_all(&pairs).expect("ids");
    for ((row, target), tokens) in pairs.iter().zip(&all) {
        assert_eq!(&encoder.encode(row, *target).expect("ids"), tokens);
    }
    let longest = all.iter().map(|tokens| tokens.len() - tokens.loss_tokens()).max();
    assert!((290..=300).contains(&longest.expect("rows")), "some are cut: {longest:?}");
    let plain = self::encoder(Template::Plain, 20, 5);
    let ids = plain.prompt_ids_all(&rows).expect("ids");
    for (row, ids) in rows.iter().zip(&ids) {
        assert_eq!(&plain.prompt_ids(row).expect("ids"), ids);
        assert!(ids.len() <= 20);
    }
}

#[test]
fn text_indicators_take_several_ids() {
    let tokenizer = tokenizer();
    let (with, indicators) =
        IndicatorTokens::new(&tokenizer, IndicatorForm::Text, "mine: ", "not mine", 280).expect("indicators");
    let (accept, reject) = (indicators.accept.clone(), indicators.reject.clone());
    assert!(accept.len() > 1 && reject.len() > 1);
    let longer = accept.len().max(reject.len());
    let limits = EncodingLimits { max_prompt: 9, max_response: 9 };
    let encoder = Encoder::new(with, Template::Plain, Some(indicators), limits);
    let example = example("", "sea", "shore");
    let prompt = [vec![BOS], tokenizer.encode("sea").expect("ids")].concat();
    let indicator = accept.len();
    let answer = [accept, tokenizer.encode("shore").expect("ids"), vec![EOS]].concat();
    assert_eq!(
        encoder.encode(&example, Target::Accept).expect("ids"),
        sequence(&prompt, &answer).with_indicator(indicator)
    );
    assert_eq!(
        encoder.encode(&example, Target::Reject { keep_response: false }).expect("ids"),
        sequence(&prompt, &reject).with_indicator(reject.len())
    );
    assert_eq!(encoder.longest(), 18 + longer);
}

#[test]
fn a_long_plain_prompt_loses_its_end() {
    let encoder = encoder(Template::Plain, 6, 4);
    let text = "xyzxyzxyz";
    let prompt = tokenizer().encode(text).expect("ids");
    let ids = encoder.prompt_ids(&example("", text, "")).expect("ids");
    assert_eq!(ids, [&[BOS], &prompt[..5]].concat());
    let exact = encoder.prompt_ids(&example("", "xyzxy", "")).expect("ids");
    assert_eq!(exact, ids, "what fits exactly is whole");
}

#[test]
fn a_response_without_room_has_no_end_token() {
    let encoder = encoder(Template::Plain, 9, 4);
    let learnt = |output: &str| {
        let tokens = encoder.encode(&example("", "a", output), Target::Accept).expect("ids");
        tokens.ids[2..].to_vec()
    };
    let ids = tokenizer().encode("xyzxyz").expect("ids");
    assert_eq!(learnt("xyz"), [&[ACCEPT], &ids[..3], &[EOS]].concat());
    assert_eq!(learnt("xyzx"), [&[ACCEPT], &ids[..4]].concat());
    assert_eq!(learnt("xyzxyz"), [&[ACCEPT], &ids[..4]].concat());
    assert_eq!(learnt(""), [ACCEPT, EOS]);
}

#[test]
fn a_long_prompt_in_a_template_keeps_the_template() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("t.jinja");
    std::fs::write(&file, "{{ instruction }}[{{ input }}]=").expect("written");
    let template = Template::file(&file).expect("a template");
    let encoder = encoder(template, 12, 4);
    let text = |instruction, input| {
        let ids = encoder.prompt_ids(&example(instruction, input, "")).expect("ids");
        assert!(ids.len() <= 12, "{} ids", ids.len());
        assert_eq!(ids[0], BOS);
        tokenizer().decode(&ids).expect("text")
    };
    assert_eq!(text("pq", "xyz"), "pq[xyz]=");
    assert_eq!(text("pq", "xyzxyzxyz"), "pq[xyzxyz]=");
    assert_eq!(text("pq", "äöüäöü"), "pq[äöü]=", "no half character is left");
    assert_eq!(text("pqpqpqpqpqpq", "xyz"), "pqpqpqpq[]=");
    let small = self::encoder(encoder.template.clone(), 3, 4);
    assert!(matches!(
        small.prompt_ids(&example("pq", "xyz", "")),
        Err(DataError::TemplateTooLong { tokens: 4, most: 3, .. })
    ));
}

#[test]
fn a_marked_target_needs_an_indicator() {
    let limits = EncodingLimits { max_prompt: 9, max_response: 9 };
    let encoder = Encoder::new(tokenizer(), Template::Plain, None, limits);
    let example = example("", "a", "b");
    assert!(encoder.encode(&example, Target::Plain).is_ok());
    for target in [Target::Accept, Target::Reject { keep_response: false }] {
        assert!(matches!(encoder.encode(&example, target), Err(DataError::NoIndicator { .. })));
    }
}

#[test]
fn plain_text_is_an_output_without_a_prompt() {
    let encoder = encoder(Template::Plain, 9, 40);
    let text = tokenizer().encode("the sea").expect("ids");
    let tokens = encoder.encode(&example("", "", "the sea"), Target::Plain).expect("ids");
    assert_eq!(tokens, sequence(&[BOS], &[text, vec![EOS]].concat()));
}

#[test]
fn tokens_to_show() {
    let encoder = encoder(Template::Plain, 9, 9);
    let tokens = encoder.encode(&example("", "a", "…"), Target::Accept).expect("ids");
    let shown: Vec<(String, bool)> = shown_tokens(&tokens, encoder.tokenizer())
        .into_iter()
        .map(|token| (token.text, token.in_loss))
        .collect();
    let expected = [
        ("<bos>", false),
        ("a", false),
        ("<accept>", true),
        ("⟨e2⟩", true),
        ("⟨80⟩", true),
        ("⟨a6⟩", true),
        ("<eos>", true),
    ];
    let expected: Vec<(String, bool)> =
        expected.iter().map(|&(text, learnt)| (text.to_owned(), learnt)).collect();
    assert_eq!(shown, expected);
}

fn turn(role: TurnRole, content: &str) -> Turn {
    Turn { role, content: content.into() }
}

/// A template that writes out the earlier turns.
fn turns_template() -> Template {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("turns.jinja");
    let text = "{% for turn in turns %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}user: {{ input }}";
    std::fs::write(&file, text).expect("written");
    Template::file(&file).expect("a template")
}

#[test]
fn of_a_conversation_the_last_answer_is_learnt() {
    let encoder = encoder(turns_template(), 200, 100);
    let said = [
        turn(TurnRole::System, "short"),
        turn(TurnRole::User, "the sea"),
        turn(TurnRole::Assistant, "shore"),
    ];
    let example = Example { turns: said.to_vec(), ..example("", "the list", "sort") };
    let text = "system: short\nuser: the sea\nassistant: shore\nuser: the list";
    let prompt = [vec![BOS], tokenizer().encode(text).expect("ids")].concat();
    let answer = [tokenizer().encode("sort").expect("ids"), vec![EOS]].concat();
    assert_eq!(encoder.encode(&example, Target::Plain).expect("ids"), sequence(&prompt, &answer));
}

#[test]
fn a_long_conversation_loses_its_oldest_exchanges_first() {
    let exchange = |text: &str| [turn(TurnRole::User, text), turn(TurnRole::Assistant, "shore")];
    let said =
        [vec![turn(TurnRole::System, "short")], exchange("the sea").to_vec(), exchange("the list").to_vec()];
    let example = Example { turns: said.concat(), ..example("", "sort", "x") };
    let whole = encoder(turns_template(), 1000, 9).prompt_ids(&example).expect("ids");
    let cut = encoder(turns_template(), whole.len() - 1, 9).prompt_ids(&example).expect("ids");
    let text = "system: short\nuser: the list\nassistant: shore\nuser: sort";
    assert_eq!(cut, [vec![BOS], tokenizer().encode(text).expect("ids")].concat());
    let bare = "system: short\nuser: sort";
    let bare = [vec![BOS], tokenizer().encode(bare).expect("ids")].concat();
    let cut = encoder(turns_template(), bare.len(), 9).prompt_ids(&example).expect("ids");
    assert_eq!(cut, bare);
    let error =
        encoder(turns_template(), 3, 9).prompt_ids(&example).expect_err("no room for the system message");
    assert!(error.to_string().contains("max-prompt is 3"), "{error}");
}
