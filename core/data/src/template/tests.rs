//! Tests of the exact text of prompts, and of which part of a chat is the response.

use super::chat::ChatTemplate;
use super::{Template, small_example};
use crate::example::{Example, Turn, TurnRole};

fn example(instruction: &str, input: &str) -> Example {
    Example { instruction: instruction.into(), input: input.into(), ..small_example() }
}

#[test]
fn plain_leaves_the_blank_line_out_where_a_part_is_empty() {
    let plain = |instruction, input| Template::Plain.prompt(&example(instruction, input)).expect("text");
    assert_eq!(plain("Do.", "a"), "Do.\n\na");
    assert_eq!(plain("Do.", ""), "Do.");
    assert_eq!(plain("", "a"), "a");
    assert_eq!(plain("", ""), "");
}

#[test]
fn alpaca_in_its_own_words() {
    let alpaca = |instruction, input| Template::Alpaca.prompt(&example(instruction, input)).expect("text");
    assert_eq!(
        alpaca("Do.", "a"),
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\nDo.\n\n### Input:\na\n\n### Response:"
    );
    let short = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nDo.\n\n### Response:";
    assert_eq!(alpaca("Do.", ""), short);
    assert_eq!(alpaca("", "Do."), short);
}

fn file(text: &str) -> Result<Template, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prompt.jinja");
    std::fs::write(&file, text).expect("written");
    Template::file(&file).map_err(|error| error.to_string())
}

#[test]
fn a_template_file() {
    let template = file("Task {{ task }}: {{ instruction }}\n{% if input %}Q: {{ input }}\n{% endif %}A:")
        .expect("a template");
    assert_eq!(template.prompt(&example("Do.", "<a>")).expect("text"), "Task probe: Do.\nQ: <a>\nA:");
    assert_eq!(template.prompt(&example("Do.", "")).expect("text"), "Task probe: Do.\nA:");
    let rendered = template.render(&example("Do.", "a")).expect("both");
    assert_eq!(rendered.response, "shore");
    let error = file("{{ instruction }}\n{{ inputs }}").expect_err("a slip");
    assert!(error.contains("prompt.jinja:2: undefined value"), "{error}");
    for constant in ["", " \n", "{{ task }}"] {
        let error = file(constant).expect_err("nothing of the example");
        assert!(error.contains("every prompt would be the same"), "{constant}: {error}");
    }
    let error = file("{% if not instruction %}x{% endif %}").expect_err("no text");
    assert!(error.contains("it is empty"), "{error}");
    let error = file("{{ instruction").expect_err("not closed");
    assert!(error.contains("prompt.jinja:1: "), "{error}");
    let error = Template::file(std::path::Path::new("no/such.jinja")).expect_err("nothing there");
    assert!(error.to_string().contains("no/such.jinja: not found"), "{error}");
}

const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'].strip() + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

#[test]
fn the_response_of_a_chat_is_what_follows_the_generation_prompt() {
    let chat = ChatTemplate::of(CHATML, String::new(), "<|im_end|>".into(), vec![("<|im_end|>".into(), 7)])
        .expect("a template");
    let rendered = chat.render(&example("Do.", "a")).expect("both");
    assert_eq!(rendered.prompt, "<|im_start|>user\nDo.\n\na<|im_end|>\n<|im_start|>assistant\n");
    assert_eq!((rendered.response.as_str(), rendered.end), ("shore", Some(7)));
    assert_eq!(chat.prompt(&example("Do.", "a")).expect("text"), rendered.prompt);
}

#[test]
fn llama_2_chat_with_its_opening_token() {
    let source = "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] | trim + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% else %}{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}";
    let chat =
        ChatTemplate::of(source, "<s>".into(), "</s>".into(), vec![("</s>".into(), 2)]).expect("a template");
    let rendered = chat.render(&example("Do.", "a")).expect("both");
    assert_eq!(rendered.prompt, "<s>[INST] Do.\n\na [/INST]");
    assert_eq!(rendered.response, " shore ");
}

#[test]
fn a_chat_template_that_cannot_be_used() {
    let refused = |source: &str, part: &str| {
        let error =
            ChatTemplate::of(source, String::new(), "</s>".into(), vec![]).expect_err(part).to_string();
        assert!(error.starts_with("template chat") && error.contains(part), "{error}");
    };
    refused("{% if add_generation_prompt %}think:{% endif %}{{ messages|length }}", "cannot be separated");
    refused("{{ raise_exception('only tools') }}", "only tools");
    refused("{% for %}", "syntax error");
}

#[test]
fn a_rendering_that_fails_names_its_example() {
    let template =
        file("{{ instruction[:3] }}{% if input == 'b' %}{{ 1 / 0 }}{% endif %}").expect("a template");
    let error = template.prompt(&example("Do.", "b")).expect_err("no number").to_string();
    assert!(error.contains("prompt.jinja:1: example `probe`: "), "{error}");
    let source = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}{{ m.content }}{% endfor %}";
    let chat = ChatTemplate::of(source, String::new(), "</s>".into(), vec![]).expect("a template");
    let turns = vec![Turn { role: TurnRole::System, content: "Be short.".into() }];
    let refused =
        Template::Chat(chat).render(&Example { turns, ..example("Do.", "a") }).expect_err("refused");
    assert_eq!(refused.to_string(), "template chat:1: example `probe`: invalid operation: no system role");
}

#[test]
fn a_template_file_is_read_as_text() {
    let text = "\u{FEFF}{{ instruction }}\r\n{% if input %}\r\n  {{ input }}\r\n{% endif %}\r\nA:\r\n";
    let prompt = file(text).expect("a template").prompt(&example("Do.", "a")).expect("text");
    assert_eq!(prompt, "Do.\n  a\nA:");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("latin.jinja");
    std::fs::write(&path, b"{{ instruction }} \xe4").expect("written");
    let error = cadre_store::chain(&Template::file(&path).expect_err("no UTF-8"));
    assert!(error.contains("latin.jinja") && error.contains("UTF-8"), "{error}");
}

#[test]
fn a_template_file_gets_the_earlier_turns() {
    let template =
        file("{% for turn in turns %}{{ turn.role }}={{ turn.content }};{% endfor %}{{ instruction }}")
            .expect("a template");
    let turns = vec![Turn { role: TurnRole::System, content: "Be short.".into() }];
    let row = Example { turns, ..example("Do.", "a") };
    assert!(template.shows_turns());
    assert_eq!(template.prompt(&row).expect("text"), "system=Be short.;Do.");
    assert_eq!(template.prompt(&example("Do.", "a")).expect("text"), "Do.");
    let without = file("{{ instruction }}").expect("a template");
    assert!(!without.shows_turns());
    assert!(without.prompt(&row).is_err());
}
