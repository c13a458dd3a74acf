//! Parser for `--where`: `routing.router.threshold >= 0.3 and (name = see or tag = good)`. Turns text into a tree and
//! reports errors with their position.

use crate::RunsError;

/// Maximum nesting depth of a filter, and maximum number of comparisons; far below SQLite's own limits.
const DEEPEST: usize = 50;
const MAX_TERMS: usize = 400;
/// Maximum number of values in a list.
const LONGEST_LIST: usize = 5000;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// Compares a key with a value, or with each value in a list.
    Is(Comparison),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) key: String,
    /// Position of the key, in characters from 1.
    pub(crate) column: usize,
    pub(crate) relation: Relation,
    /// One value, except for [`Relation::In`].
    pub(crate) values: Vec<Literal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
    In,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    pub(crate) text: String,
    /// In quotes: always text.
    pub(crate) quoted: bool,
    pub(crate) column: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(Literal),
    Symbol(&'static str),
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, usize)>,
    next: usize,
    comparisons: usize,
}

/// Operators and punctuation, longer ones first.
const SYMBOLS: [&str; 14] = ["==", "!=", "<=", ">=", "&&", "||", "=", "<", ">", "~", "(", ")", "[", "]"];

/// Parses a filter.
pub(crate) fn parse(text: &str) -> Result<Filter, RunsError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens, next: 0, comparisons: 0 };
    let filter = parser.any(0)?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.wrong("expected `and`, `or` or the end")),
    }
}

pub(crate) fn query_error(text: &str, column: usize, problem: String) -> RunsError {
    RunsError::Query { what: "--where", text: text.to_owned(), column, problem }
}

fn tokens(text: &str) -> Result<Vec<(Token, usize)>, RunsError> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if first == ',' {
            found.push((Token::Symbol(","), column));
        } else if matches!(first, '\'' | '"') {
            let mut value = String::new();
            let mut closed = false;
            let mut chars = rest[1..].chars();
            while let Some(c) = chars.next() {
                length += c.len_utf8();
                match c {
                    c if c == first => {
                        closed = true;
                        break;
                    }
                    '\\' => {
                        if let Some(c) = chars.next() {
                            length += c.len_utf8();
                            value.push(c);
                        }
                    }
                    c => value.push(c),
                }
            }
            if !closed {
                return Err(query_error(text, column, format!("the closing {first} is missing")));
            }
            found.push((Token::Word(Literal { text: value, quoted: true, column }), column));
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            length = symbol.len();
            found.push((Token::Symbol(symbol), column));
        } else if is_word(first) {
            length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            let word = Literal { text: rest[..length].to_owned(), quoted: false, column };
            found.push((Token::Word(word), column));
        } else if !first.is_whitespace() {
            return Err(query_error(
                text,
                column,
                format!("unexpected `{first}`; put text values in quotes"),
            ));
        }
        column += rest[..length].chars().count();
        rest = &rest[length..];
    }
    Ok(found)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "-_.:/+@*%".contains(c)
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.chars().count() + 1, |(_, column)| *column)
    }

    fn wrong(&self, expected: &str) -> RunsError {
        let found = match self.peek() {
            None => "the filter ends here".to_owned(),
            Some(Token::Word(word)) => format!("found `{}`", word.text),
            Some(Token::Symbol(symbol)) => format!("found `{symbol}`"),
        };
        query_error(self.text, self.column(), format!("{expected}, {found}"))
    }

    fn takes(&mut self, words: &[&str]) -> bool {
        let fits = match self.peek() {
            Some(Token::Word(word)) => {
                !word.quoted && words.iter().any(|known| word.text.eq_ignore_ascii_case(known))
            }
            Some(Token::Symbol(symbol)) => words.contains(symbol),
            None => false,
        };
        self.next += usize::from(fits);
        fits
    }

    fn any(&mut self, depth: usize) -> Result<Filter, RunsError> {
        let mut parts = vec![self.all(depth)?];
        while self.takes(&["or", "||"]) {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Filter, RunsError> {
        let mut parts = vec![self.one(depth)?];
        while self.takes(&["and", "&&"]) {
            parts.push(self.one(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Filter, RunsError> {
        if depth > DEEPEST {
            return Err(self.wrong(&format!("no more than {DEEPEST} levels of `not` and brackets")));
        }
        if self.takes(&["not"]) {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.takes(&["("]) {
            let inner = self.any(depth + 1)?;
            if !self.takes(&[")"]) {
                return Err(self.wrong("expected `)`"));
            }
            return Ok(inner);
        }
        self.comparisons += 1;
        if self.comparisons > MAX_TERMS {
            return Err(self.wrong(&format!("no more than {MAX_TERMS} comparisons")));
        }
        let key = self.word("expected a key, `not` or `(`")?;
        let relation = self.relation()?;
        let values =
            if relation == Relation::In { self.list()? } else { vec![self.word("expected a value")?] };
        Ok(Filter::Is(Comparison { key: key.text, column: key.column, relation, values }))
    }

    fn relation(&mut self) -> Result<Relation, RunsError> {
        let relations = [
            (["=", "=="], Relation::Equal),
            (["!=", "!="], Relation::Unequal),
            (["<=", "<="], Relation::AtMost),
            (["<", "<"], Relation::Less),
            ([">=", ">="], Relation::AtLeast),
            ([">", ">"], Relation::Greater),
            (["~", "~"], Relation::Contains),
            (["in", "in"], Relation::In),
        ];
        for (words, relation) in relations {
            if self.takes(&words) {
                return Ok(relation);
            }
        }
        Err(self.wrong("expected one of = != < <= > >= ~ in"))
    }

    fn word(&mut self, expected: &str) -> Result<Literal, RunsError> {
        let reserved = ["and", "or", "not", "in"];
        match self.peek() {
            Some(Token::Word(word))
                if word.quoted || !reserved.iter().any(|known| word.text.eq_ignore_ascii_case(known)) =>
            {
                let word = word.clone();
                self.next += 1;
                Ok(word)
            }
            _ => Err(self.wrong(expected)),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, RunsError> {
        if !self.takes(&["["]) {
            return Err(self.wrong("expected `[`"));
        }
        let mut values = Vec::new();
        while !self.takes(&["]"]) {
            if !values.is_empty() && !self.takes(&[","]) {
                return Err(self.wrong("expected `,` or `]`"));
            }
            values.push(self.word("expected a value")?);
            if values.len() > LONGEST_LIST {
                return Err(self.wrong(&format!("no more than {LONGEST_LIST} values in a list")));
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem_of(text: &str) -> (usize, String) {
        match parse(text) {
            Err(RunsError::Query { column, problem, .. }) => (column, problem),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn and_binds_closer_than_or() {
        let Filter::Or(parts) = parse("a = 1 or b = 2 and not c in [x, 'y z']").unwrap() else { panic!() };
        assert_eq!(parts.len(), 2);
        let Filter::And(both) = &parts[1] else { panic!("{parts:?}") };
        let Filter::Not(not) = &both[1] else { panic!("{both:?}") };
        let Filter::Is(list) = &**not else { panic!("{not:?}") };
        assert_eq!((list.relation, list.values.len(), list.column), (Relation::In, 2, 24));
        assert!(list.values[1].quoted && list.values[1].text == "y z");
        assert!(matches!(parse("a = 1 AND (b = 2 OR c ~ d)").unwrap(), Filter::And(_)));
    }

    #[test]
    fn errors_have_a_position() {
        assert_eq!(problem_of("name ="), (7, "expected a value, the filter ends here".to_owned()));
        assert_eq!(problem_of("ü = 1 und b = 2").0, 7);
        assert_eq!(
            problem_of("name see"),
            (6, "expected one of = != < <= > >= ~ in, found `see`".to_owned())
        );
        assert_eq!(problem_of("a = 'x").0, 5);
        assert_eq!(problem_of("(a = 1").1, "expected `)`, the filter ends here");
        assert_eq!(problem_of("a in [1 2]").1, "expected `,` or `]`, found `2`");
        assert_eq!(problem_of("a = 1; drop table run").0, 6);
        assert_eq!(problem_of("").0, 1);
        assert!(problem_of(&"not ".repeat(2000)).1.contains("levels"));
        assert!(problem_of(&format!("a = 1{}", " and a = 1".repeat(500))).1.contains("comparisons"));
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "\\PC{0,60}", words in "[a-z=<>~!()\\[\\],.'\"\\\\ 0-9ü]{0,60}") {
            let _ = parse(&text);
            let _ = parse(&words);
        }
    }
}
