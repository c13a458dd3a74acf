//! The operators `+`, `~`, `*` and `%` with Python's semantics: `%` formats text, a negative factor gives an empty
//! text, and the size of values is limited. The engine has no hook for operators, so templates are rewritten before
//! they are parsed: `a ~ b` becomes a call of a function defined here. Line numbers must not change.

mod tokens;

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, Tuple, Value, ValueKind};
use minijinja::{Environment, Error, State, UndefinedBehavior};

use super::arguments::{float, integer, whole};
use super::bounds::{ITEMS, TEXT, charge, charge_items, refused, too_much_text};
use super::printing::text_of;
use tokens::{Kind, Node, Piece, Token};

const ADD: &str = "_cadre_add";
const CONCAT: &str = "_cadre_concat";
const MULTIPLY: &str = "_cadre_multiply";
const MODULO: &str = "_cadre_modulo";
const ITERATE: &str = "_cadre_iterate";

pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_function(ADD, add);
    environment.add_function(CONCAT, concat);
    environment.add_function(MULTIPLY, multiply);
    environment.add_function(MODULO, modulo);
    environment.add_function(ITERATE, iterate);
}

/// Operators by level of precedence, lowest level first, as in Jinja2, with the functions that replace them.
const LEVELS: [&[(&str, Option<&str>)]; 3] = [
    &[("+", Some(ADD)), ("-", None)],
    &[("~", Some(CONCAT))],
    &[("*", Some(MULTIPLY)), ("%", Some(MODULO)), ("/", None), ("//", None)],
];

/// Replaces operators in a template by calls. Invalid Jinja is left unchanged, so that the parser reports it with its
/// location.
pub(super) fn rewritten(source: &str) -> String {
    let mut text = String::with_capacity(source.len() + source.len() / 8);
    for piece in tokens::pieces(source) {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Code(nodes) => match looped_over(&nodes) {
                Some((start, end)) => {
                    sequence(&nodes[..start], &mut text);
                    text.push_str(&format!(" {ITERATE}("));
                    sequence(&nodes[start..end], &mut text);
                    text.push(')');
                    sequence(&nodes[end..], &mut text);
                }
                None => sequence(&nodes, &mut text),
            },
        }
    }
    text
}

/// The range of the iterated expression in the head of a loop; `None` if it is a list without brackets.
fn looped_over(nodes: &[Node<'_>]) -> Option<(usize, usize)> {
    let is = |node: &Node<'_>, kind: Kind, words: &[&str]| match node {
        Node::Leaf(token) => token.kind == kind && words.contains(&token.text),
        Node::Group(..) => false,
    };
    nodes.first().filter(|first| is(first, Kind::Keyword, &["for"]))?;
    let start = nodes.iter().position(|node| is(node, Kind::Name, &["in"]))? + 1;
    let rest = &nodes[start..];
    let end = (0..rest.len())
        .find(|&index| is(&rest[index], Kind::Name, &["if", "recursive"]) && divides(rest, index));
    let end = end.unwrap_or(rest.len());
    let listed = rest[..end].iter().any(|node| is(node, Kind::Sign, &[","]));
    (end > 0 && !listed).then_some((start, start + end))
}

/// Rewrites expressions, and copies the tokens between them.
fn sequence(nodes: &[Node<'_>], to: &mut String) {
    let mut start = 0;
    for index in 0..nodes.len() {
        if let Node::Leaf(token) = &nodes[index]
            && divides(nodes, index)
        {
            expression(&nodes[start..index], 0, to);
            token.write(to);
            start = index + 1;
        }
    }
    expression(&nodes[start..], 0, to);
}

/// Whether the token at this index binds less tightly than any operator, so that an operand ends here.
fn divides(nodes: &[Node<'_>], index: usize) -> bool {
    let before = |back: usize| match index.checked_sub(back).and_then(|index| nodes.get(index)) {
        Some(Node::Leaf(token)) => token.text,
        _ => "",
    };
    match &nodes[index] {
        Node::Leaf(Token { kind: Kind::Keyword, .. }) => true,
        Node::Leaf(Token { kind: Kind::Sign, text, .. }) => {
            matches!(*text, "," | ":" | "=" | "==" | "!=" | "<" | "<=" | ">" | ">=")
        }
        Node::Leaf(Token { kind: Kind::Name, text, .. }) if before(1) != "." => match *text {
            "and" | "or" | "if" | "else" | "recursive" => true,
            "not" => before(1) != "is",
            "in" => before(1) != "is" && !(before(1) == "not" && before(2) == "is"),
            _ => false,
        },
        _ => false,
    }
}

fn expression(nodes: &[Node<'_>], level: usize, to: &mut String) {
    let Some(operators) = LEVELS.get(level) else {
        return operand(nodes, to);
    };
    let mut value = String::new();
    let mut start = 0;
    let mut pending: Option<(&Token<'_>, Option<&str>)> = None;
    for index in 0..=nodes.len() {
        let operator = match nodes.get(index) {
            None => None,
            Some(node) => match operator(nodes, index, node, operators) {
                None => continue,
                found => found,
            },
        };
        let mut next = String::new();
        expression(&nodes[start..index], level + 1, &mut next);
        value = match pending {
            None => next,
            Some((_, Some(function))) => format!(" {function}({value},{next})"),
            Some((token, None)) => {
                token.write(&mut value);
                value + &next
            }
        };
        pending = operator;
        start = index + 1;
    }
    to.push_str(&value);
}

/// The operator at this index, if it is one of `operators` and stands between two operands.
fn operator<'a, 's>(
    nodes: &'a [Node<'s>],
    index: usize,
    node: &'a Node<'s>,
    operators: &[(&str, Option<&'static str>)],
) -> Option<(&'a Token<'s>, Option<&'static str>)> {
    let Node::Leaf(token) = node else { return None };
    let (_, function) = operators.iter().find(|(sign, _)| token.kind == Kind::Sign && *sign == token.text)?;
    let between = match index.checked_sub(1).map(|before| &nodes[before]) {
        None => false,
        Some(Node::Leaf(before)) => before.kind != Kind::Sign,
        Some(Node::Group(..)) => true,
    };
    (between && index + 1 < nodes.len()).then_some((token, *function))
}

/// Writes an operand; expressions in brackets are rewritten.
fn operand(nodes: &[Node<'_>], to: &mut String) {
    for (index, node) in nodes.iter().enumerate() {
        match node {
            // Python's unary plus before a number, which has no effect.
            Node::Leaf(token) if index == 0 && token.text == "+" && token.kind == Kind::Sign => {
                to.push_str(token.before);
            }
            Node::Leaf(token) => token.write(to),
            Node::Group(open, inner, close) => {
                open.write(to);
                sequence(inner, to);
                close.write(to);
            }
        }
    }
}

/// The iterated value of a loop. The engine treats `none` as an empty list, but Python refuses it.
fn iterate(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Number => {
            Err(refused(format!("cannot loop over {}", value.kind())))
        }
        _ => Ok(value),
    }
}

/// Refuses operations on undefined values, except for `~` if undefined values are empty.
fn defined(state: &State, values: [&Value; 2], lenient: bool) -> Result<(), Error> {
    let strict = state.undefined_behavior() == UndefinedBehavior::Strict;
    if (strict || !lenient) && values.iter().any(|value| value.is_undefined()) {
        return Err(Error::from(minijinja::ErrorKind::UndefinedError));
    }
    Ok(())
}

fn concat(state: &mut State, one: Value, other: Value) -> Result<Value, Error> {
    defined(state, [&one, &other], true)?;
    let text = text_of(&one)? + &text_of(&other)?;
    charge(state, text.len())?;
    Ok(Value::from(text))
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn items(state: &mut State, values: [&Value; 2], times: usize) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    for _ in 0..times {
        for value in values {
            for item in value.try_iter()?.checked() {
                all.push(item?);
                if all.len() > ITEMS {
                    charge_items(state, all.len())?;
                }
            }
        }
    }
    charge_items(state, all.len())?;
    Ok(all)
}

fn impossible(operator: &str, one: &Value, other: &Value) -> Error {
    refused(format!("cannot use {operator} on {} and {}", one.kind(), other.kind()))
}

fn add(state: &mut State, one: Value, other: Value) -> Result<Value, Error> {
    defined(state, [&one, &other], false)?;
    if let (Some(left), Some(right)) = (one.as_str(), other.as_str()) {
        charge(state, left.len() + right.len())?;
        return Ok(Value::from([left, right].concat()));
    }
    if is_list(&one) && is_list(&other) && one.is_tuple() == other.is_tuple() {
        let all = items(state, [&one, &other], 1)?;
        return Ok(if one.is_tuple() { Value::from(Tuple::from(all)) } else { Value::from(all) });
    }
    if let (Some(left), Some(right)) = (integer(&one), integer(&other)) {
        return left.checked_add(right).map(whole).ok_or_else(|| impossible("+", &one, &other));
    }
    match (float(&one), float(&other)) {
        (Some(left), Some(right)) => Ok(Value::from(left + right)),
        _ => Err(impossible("+", &one, &other)),
    }
}

fn multiply(state: &mut State, one: Value, other: Value) -> Result<Value, Error> {
    defined(state, [&one, &other], false)?;
    if let (Some(left), Some(right)) = (integer(&one), integer(&other)) {
        return left.checked_mul(right).map(whole).ok_or_else(|| impossible("*", &one, &other));
    }
    if let (Some(left), Some(right)) = (float(&one), float(&other)) {
        return Ok(Value::from(left * right));
    }
    let (many, times) = if integer(&one).is_some() { (&other, &one) } else { (&one, &other) };
    let Some(times) = integer(times).map(|times| usize::try_from(times.max(0)).unwrap_or(usize::MAX)) else {
        return Err(impossible("*", &one, &other));
    };
    if let Some(text) = many.as_str() {
        let length = text.len().checked_mul(times).filter(|length| *length <= TEXT);
        let length = length.ok_or_else(|| refused(too_much_text()))?;
        charge(state, length)?;
        return Ok(Value::from(text.repeat(times)));
    }
    if !is_list(many) {
        return Err(impossible("*", &one, &other));
    }
    let length = many.len().unwrap_or(ITEMS).saturating_mul(times);
    charge_items(state, length)?;
    let none = Value::from(Vec::<Value>::new());
    let times = if length == 0 { 0 } else { times };
    let all = items(state, [many, &none], times)?;
    Ok(if many.is_tuple() { Value::from(Tuple::from(all)) } else { Value::from(all) })
}

fn modulo(state: &mut State, one: Value, other: Value) -> Result<Value, Error> {
    defined(state, [&one, &other], false)?;
    if let Some(pattern) = one.as_str() {
        let values = if other.is_tuple() {
            other.try_iter()?.collect()
        } else if other.kind() == ValueKind::Map {
            let mut named = Vec::new();
            for key in other.try_iter()? {
                named.push((text_of(&key)?, other.get_item(&key)?));
            }
            vec![named.into_iter().collect::<Kwargs>().into()]
        } else {
            vec![other.clone()]
        };
        return formatted(state, FormatStyle::Printf, pattern, &values);
    }
    if let (Some(left), Some(right)) = (integer(&one), integer(&other)) {
        let rest = left.checked_rem(right).ok_or_else(|| refused("division by zero"))?;
        return Ok(whole(if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest }));
    }
    match (float(&one), float(&other)) {
        (Some(_), Some(0.0)) => Err(refused("division by zero")),
        (Some(left), Some(right)) => {
            let rest = left % right;
            Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (right < 0.0) { rest + right } else { rest }))
        }
        _ => Err(impossible("%", &one, &other)),
    }
}

/// Formats a text with values, in Python's notation.
///
/// # Errors
/// A pattern with a width above the limit, or values that do not match the pattern.
pub(super) fn formatted(
    state: &mut State,
    style: FormatStyle,
    pattern: &str,
    values: &[Value],
) -> Result<Value, Error> {
    let widest = pattern.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if widest > 5 {
        return Err(refused("a width or precision in a format exceeds the limit of 99999"));
    }
    charge(state, pattern.len())?;
    let text = match style {
        FormatStyle::Printf => {
            let (pattern, values) = as_python(pattern, values)?;
            format(style, &pattern, &values)?
        }
        FormatStyle::StrFormat => format(style, pattern, values)?,
    };
    charge(state, text.len())?;
    Ok(Value::from(text))
}

/// Handles what the engine's formatting does not support: `%r`, and floats for `%d`. Named values are left unchanged.
fn as_python(pattern: &str, values: &[Value]) -> Result<(String, Vec<Value>), Error> {
    let mut values = values.to_vec();
    let mut made = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut index = 0;
    while let Some(start) = rest.find('%') {
        let (before, conversion) = rest.split_at(start);
        made.push_str(before);
        let flags = conversion[1..].find(|c: char| !matches!(c, '#' | '0'..='9' | '-' | ' ' | '+' | '.'));
        let Some(end) = flags.map(|flags| flags + 1) else {
            rest = conversion;
            break;
        };
        let letter = conversion[end..].chars().next().unwrap_or_default();
        made.push_str(&conversion[..end]);
        made.push(if letter == 'r' { 's' } else { letter });
        match (letter, values.get_mut(index)) {
            ('%' | '(', _) | (_, None) => {}
            ('r', Some(value)) => *value = Value::from(super::printing::repr(value)?),
            ('d' | 'i' | 'u', Some(value)) if integer(value).is_none() => {
                if let Some(number) = float(value).filter(|number| number.is_finite()) {
                    *value = whole(number as i128);
                }
            }
            _ => {}
        }
        index += usize::from(letter != '%');
        rest = &conversion[end + letter.len_utf8()..];
    }
    made.push_str(rest);
    Ok((made, values))
}

#[cfg(test)]
mod tests {
    use super::rewritten;

    #[test]
    fn operators_become_calls_by_their_precedence() {
        assert_eq!(rewritten("{{ a ~ b }}"), "{{ _cadre_concat( a, b) }}");
        assert_eq!(rewritten("{{ a + b ~ c }}"), "{{ _cadre_add( a, _cadre_concat( b, c)) }}");
        assert_eq!(rewritten("{{ a - b + c }}"), "{{ _cadre_add( a - b, c) }}");
        assert_eq!(rewritten("{{ (n) % 2 == 0 }}"), "{{ _cadre_modulo( (n), 2) == 0 }}");
        assert_eq!(
            rewritten("{% for i in x or [] if i in y %}"),
            "{% for i in _cadre_iterate( x or []) if i in y %}"
        );
        assert_eq!(rewritten("{%if a+b in c%}"), "{%if _cadre_add( a,b) in c%}");
        assert_eq!(
            rewritten("{%- set x=[a+b,c~'+'] -%}"),
            "{%- set x=[ _cadre_add(a,b), _cadre_concat(c,'+')] -%}"
        );
    }

    #[test]
    fn other_code_is_not_rewritten() {
        for source in [
            "a + b {# c ~ d #} {{ '{{ a ~ b }}' }}",
            "{% raw %}{{ a ~ b }}{% endraw %}",
            "{{ -a ** -b }}{{ f(*args, **kwargs) }}{{ x[-1:][::-1] }}",
            "{{ a is not none and b not in c }}\n{%- for i in 1, 2 if i recursive -%}",
            "{{ 1.5e-7 }}{{ {'a': {'b': 1}} }}",
            "{{ unclosed + ",
            "{{ 'unclosed + b }}",
            "{{ (a + b }}",
        ] {
            assert_eq!(rewritten(source), source);
        }
    }
}
