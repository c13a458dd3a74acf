//! Splits the code of a template into tokens, with brackets as groups.

/// A part of a template.
pub(super) enum Piece<'s> {
    /// Text, comments, delimiters, and anything that is not valid Jinja.
    Text(&'s str),
    /// The code between the delimiters of a block or a print.
    Code(Vec<Node<'s>>),
}

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first word of a block.
    Keyword,
    Name,
    Text,
    Number,
    Sign,
}

/// A token with the whitespace before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'s> {
    pub(super) before: &'s str,
    pub(super) text: &'s str,
    pub(super) kind: Kind,
}

impl Token<'_> {
    pub(super) fn write(&self, to: &mut String) {
        to.push_str(self.before);
        if self.kind != Kind::Text || !self.text.contains(['\n', 'N']) {
            return to.push_str(self.text);
        }
        // A line that ends in a backslash continues on the next. Python's character names (`\N{…}`) are not supported:
        // they become an escape that the parser refuses.
        to.push_str(&self.text.replace("\\\n", "").replace("\\N{", "\\uN{"));
    }
}

/// A token, or a pair of brackets with its contents.
pub(super) enum Node<'s> {
    Leaf(Token<'s>),
    Group(Token<'s>, Vec<Node<'s>>, Token<'s>),
}

/// Maximum nesting of brackets that is parsed.
const DEPTH: usize = 100;

/// The parts of a template, in order. Concatenated, they are the template.
pub(super) fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find('{') {
        let (text, code) = rest.split_at(start);
        let length = match code.as_bytes().get(1) {
            Some(b'#') => code.find("#}").map_or(code.len(), |end| end + 2),
            Some(b'{' | b'%') => match raw(code) {
                Some(length) => length,
                None => {
                    pieces.push(Piece::Text(text));
                    match block(code) {
                        Some(Block { mark, nodes, end, length }) => {
                            pieces.push(Piece::Text(mark));
                            pieces.push(Piece::Code(nodes));
                            pieces.push(Piece::Text(end));
                            rest = &code[length..];
                            continue;
                        }
                        // The parser reports the error.
                        None => {
                            pieces.push(Piece::Text(code));
                            return pieces;
                        }
                    }
                }
            },
            _ => 1,
        };
        pieces.push(Piece::Text(&rest[..start + length]));
        rest = &rest[start + length..];
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Length of `{% raw %}…{% endraw %}` if the code begins with it.
fn raw(code: &str) -> Option<usize> {
    let open = tag(code, "raw")?;
    let mut at = open;
    loop {
        let next = at + code[at..].find("{%")?;
        if let Some(length) = tag(&code[next..], "endraw") {
            return Some(next + length);
        }
        at = next + 2;
    }
}

/// Length of a one-word block if the code begins with it.
fn tag(code: &str, word: &str) -> Option<usize> {
    let rest = code.strip_prefix("{%")?;
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start().strip_prefix(word)?.trim_start();
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).strip_prefix("%}")?;
    Some(code.len() - rest.len())
}

/// A block or a print.
struct Block<'s> {
    mark: &'s str,
    nodes: Vec<Node<'s>>,
    /// The closing delimiter, with the whitespace before it.
    end: &'s str,
    /// Total length in bytes.
    length: usize,
}

/// The block or print that the code begins with.
fn block(code: &str) -> Option<Block<'_>> {
    let mark = if code[2..].starts_with(['-', '+']) { 3 } else { 2 };
    let ends: [&str; 3] = if code.starts_with("{%") { ["%}", "-%}", "+%}"] } else { ["}}", "-}}", "-}}"] };
    let mut at = mark;
    // Open groups, innermost last; the first list is outside of all groups.
    let mut open: Vec<(Option<Token<'_>>, Vec<Node<'_>>)> = vec![(None, Vec::new())];
    loop {
        let blanks = code[at..].len() - code[at..].trim_start().len();
        let here = &code[at + blanks..];
        if open.len() == 1
            && let Some(end) = ends.iter().find(|end| here.starts_with(**end))
        {
            let length = at + blanks + end.len();
            let (_, mut nodes) = open.pop()?;
            if code.starts_with("{%")
                && let Some(Node::Leaf(token)) = nodes.first_mut()
                && token.kind == Kind::Name
            {
                token.kind = Kind::Keyword;
            }
            return Some(Block { mark: &code[..mark], nodes, end: &code[at..length], length });
        }
        let (kind, length) = token(here, after_dot(&open))?;
        let token = Token { before: &code[at..at + blanks], text: &here[..length], kind };
        at += blanks + length;
        match token.text {
            "(" | "[" | "{" if open.len() < DEPTH => open.push((Some(token), Vec::new())),
            "(" | "[" | "{" => return None,
            ")" | "]" | "}" => {
                let (start, nodes) = open.pop()?;
                let start = start?;
                let pair = matches!((start.text, token.text), ("(", ")") | ("[", "]") | ("{", "}"));
                if !pair {
                    return None;
                }
                open.last_mut()?.1.push(Node::Group(start, nodes, token));
            }
            _ => open.last_mut()?.1.push(Node::Leaf(token)),
        }
    }
}

fn after_dot(open: &[(Option<Token<'_>>, Vec<Node<'_>>)]) -> bool {
    matches!(open.last().and_then(|(_, nodes)| nodes.last()), Some(Node::Leaf(token)) if token.text == ".")
}

/// Kind and length of the token at the beginning of a text.
fn token(text: &str, after_dot: bool) -> Option<(Kind, usize)> {
    let first = text.chars().next()?;
    if first == '_' || first.is_alphabetic() {
        let end = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
        return Some((Kind::Name, end));
    }
    if first.is_ascii_digit() {
        return Some((Kind::Number, number(text, after_dot)));
    }
    if first == '"' || first == '\'' {
        let mut escaped = false;
        for (place, c) in text.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == first => return Some((Kind::Text, place + 1)),
                _ => {}
            }
        }
        return None;
    }
    let two = ["**", "//", "==", "!=", "<=", ">="].iter().any(|sign| text.starts_with(sign));
    Some((Kind::Sign, if two { 2 } else { first.len_utf8() }))
}

fn number(text: &str, after_dot: bool) -> usize {
    let digits = |from: usize| {
        let end = text[from..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        end.map_or(text.len(), |end| from + end)
    };
    let mut end = digits(0);
    // An index, as in `messages.0.role`.
    if after_dot {
        return end;
    }
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end = digits(end + 1);
    }
    let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if !hexadecimal && text[..end].ends_with(['e', 'E']) && text[end..].starts_with(['+', '-']) {
        end = digits(end + 1);
    }
    end
}
