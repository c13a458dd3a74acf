//! Parses JSON exactly as Python's `json.loads` does, because most datasets are written by Python: `NaN`, `Infinity`
//! and `-Infinity` are values, whole numbers have any number of digits, strings may contain unpaired surrogates, and
//! for duplicate keys the last one counts. What Python refuses (comments, trailing commas, control characters in
//! strings) must be refused. Builds only the requested values; skipped values are still validated. Nesting and the
//! number of values are limited.

use crate::format::cell::Cell;

/// Maximum nesting depth.
pub(in crate::format) const MAX_DEPTH: usize = 128;
/// Maximum number of values to keep of one row.
pub(in crate::format) const MAX_VALUES: usize = 1_000_000;

/// Where a text is not JSON, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) struct Fault {
    /// Byte offset of the fault.
    pub(in crate::format) at: usize,
    /// What is wrong there.
    pub(in crate::format) problem: String,
}

/// A reader at a position in a JSON text.
#[derive(Debug)]
pub(in crate::format) struct JsonReader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values: usize,
}

type Read<T> = Result<T, Fault>;

impl<'a> JsonReader<'a> {
    /// Starts at the beginning of these bytes, which must be UTF-8.
    pub(in crate::format) fn new(bytes: &'a [u8]) -> Read<Self> {
        let text = std::str::from_utf8(bytes).map_err(|error| Fault {
            at: error.valid_up_to(),
            problem: "bytes that are not UTF-8".to_owned(),
        })?;
        Ok(Self { text, at: 0, depth: 0, values: 0 })
    }

    fn fault<T>(&self, problem: &str) -> Read<T> {
        Err(Fault { at: self.at, problem: problem.to_owned() })
    }

    /// The next byte that is not whitespace, without consuming it.
    pub(in crate::format) fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// Byte offset of the next value.
    pub(in crate::format) fn place(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// Resets the count of values for a new row.
    pub(in crate::format) fn restart(&mut self) {
        self.values = 0;
    }

    /// Requires that only whitespace follows.
    pub(in crate::format) fn end(&mut self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fault("more text after the end of the value"),
        }
    }

    fn take(&mut self, byte: u8, expected: &str) -> Read<()> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => self.fault(expected),
            None => self.fault(&format!("the text ends where there should be {expected}")),
        }
    }

    fn deeper(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fault(&format!("nested more than {MAX_DEPTH} deep (the limit)"));
        }
        Ok(())
    }

    fn count(&mut self) -> Read<()> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return self.fault(&format!("more than {MAX_VALUES} values in one row (the limit)"));
        }
        Ok(())
    }

    /// Reads an object. `each` is called after every key and its colon, and must read the value.
    pub(in crate::format) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, String) -> Read<()>,
    ) -> Read<()> {
        self.members(|reader| {
            reader.count()?;
            let key = reader.string()?.unwrap_or_else(|source| source);
            reader.take(b':', "a colon after a key")?;
            each(reader, key)
        })
    }

    fn members(&mut self, mut member: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.take(b'{', "an object")?;
        self.deeper()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                match self.peek() {
                    Some(b'"') => member(self)?,
                    Some(_) => return self.fault("a key in double quotes is expected here"),
                    None => return self.fault("the text ends inside an object"),
                }
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if self.peek() == Some(b'}') {
                            return self.fault("trailing comma");
                        }
                    }
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    Some(_) => return self.fault("a comma or `}` is expected here"),
                    None => return self.fault("the text ends inside an object"),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a list. `each` is called before every value, and must read it.
    pub(in crate::format) fn list(&mut self, mut each: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.take(b'[', "a list")?;
        self.deeper()?;
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                each(self)?;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if self.peek() == Some(b']') {
                            return self.fault("trailing comma");
                        }
                    }
                    Some(b']') => {
                        self.at += 1;
                        break;
                    }
                    Some(_) => return self.fault("a comma or `]` is expected here"),
                    None => return self.fault("the text ends inside a list"),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads the next value.
    pub(in crate::format) fn value(&mut self) -> Read<Cell> {
        self.count()?;
        match self.peek() {
            Some(b'{') => {
                let mut fields = Vec::new();
                self.object(|reader, key| {
                    fields.push((key, reader.value()?));
                    Ok(())
                })?;
                Ok(Cell::Record(fields))
            }
            Some(b'[') => {
                let mut list = Vec::new();
                self.list(|reader| {
                    list.push(reader.value()?);
                    Ok(())
                })?;
                Ok(Cell::List(list))
            }
            Some(b'"') => Ok(match self.string()? {
                Ok(text) => Cell::Text(text),
                Err(source) => Cell::NoText(source),
            }),
            _ => self.word(),
        }
    }

    /// Skips the next value; returns whether it has content, like [`Cell::is_filled`].
    pub(in crate::format) fn skip(&mut self) -> Read<bool> {
        let mut filled = false;
        match self.peek() {
            Some(b'{') => self.members(|reader| {
                reader.skip_string()?;
                reader.take(b':', "a colon after a key")?;
                filled |= reader.skip()?;
                Ok(())
            })?,
            Some(b'[') => self.list(|reader| {
                filled |= reader.skip()?;
                Ok(())
            })?,
            Some(b'"') => {
                let from = self.at;
                self.skip_string()?;
                filled = self.at > from + 2;
            }
            _ => filled = self.word()? != Cell::Null,
        }
        Ok(filled)
    }

    /// Reads booleans, null, numbers, and Python's spellings of non-finite numbers.
    fn word(&mut self) -> Read<Cell> {
        let rest = &self.text[self.at..];
        for (word, cell) in [("null", Cell::Null), ("true", Cell::Bool(true)), ("false", Cell::Bool(false))] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(cell);
            }
        }
        for word in ["NaN", "Infinity", "-Infinity"] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(Cell::NoText(word.to_owned()));
            }
        }
        self.number()
    }

    fn number(&mut self) -> Read<Cell> {
        let bytes = &self.text.as_bytes()[self.at..];
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let sign = usize::from(bytes.first() == Some(&b'-'));
        let whole = match digits(sign) {
            0 if bytes.is_empty() => return self.fault("the text ends where there should be a value"),
            0 => return self.fault("this is not the beginning of a value"),
            // Like Python: no digits after a leading zero.
            _ if bytes[sign] == b'0' => sign + 1,
            count => sign + count,
        };
        let mut end = whole;
        if bytes.get(end) == Some(&b'.') {
            let count = digits(end + 1);
            end += if count > 0 { count + 1 } else { 0 };
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let count = digits(end + 1 + sign);
            end += if count > 0 { count + 1 + sign } else { 0 };
        }
        let source = &self.text[self.at..self.at + end];
        let cell = if end == whole {
            Cell::Number(if source == "-0" { "0".to_owned() } else { source.to_owned() })
        } else {
            let number = source.parse().ok().and_then(serde_json::Number::from_f64);
            let short = || Cell::NoText(source.chars().take(60).collect());
            number.map_or_else(short, |number| Cell::Number(number.to_string()))
        };
        self.at += end;
        Ok(cell)
    }

    /// Reads a string. If it has an unpaired surrogate, which text cannot represent, returns its spelling as the inner
    /// error.
    fn string(&mut self) -> Read<Result<String, String>> {
        let from = self.at;
        if !self.skip_string()? {
            let source: String = self.text[from..self.at].chars().take(60).collect();
            return Ok(Err(source));
        }
        let inner = &self.text[from + 1..self.at - 1];
        if !inner.contains('\\') {
            return Ok(Ok(inner.to_owned()));
        }
        let mut text = String::with_capacity(inner.len());
        let mut rest = inner;
        while let Some(escape) = rest.find('\\') {
            text.push_str(&rest[..escape]);
            let (sign, taken) = escaped(&rest[escape..]);
            text.extend(sign);
            rest = &rest[escape + taken..];
        }
        text.push_str(rest);
        Ok(Ok(text))
    }

    /// Skips a string; returns whether it is valid text, without unpaired surrogates.
    fn skip_string(&mut self) -> Read<bool> {
        if self.peek() != Some(b'"') {
            return self.fault("a string is expected here");
        }
        self.at += 1;
        let mut is_text = true;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let Some(plain) = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)
            else {
                self.at = self.text.len();
                return self.fault("the text ends inside a string");
            };
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    self.at += 1;
                    return Ok(is_text);
                }
                b'\\' => {
                    self.escape()?;
                    let (sign, taken) = escaped(&self.text[self.at..]);
                    is_text &= sign.is_some();
                    self.at += taken;
                }
                _ => return self.fault("a control character in a string, which must be escaped"),
            }
        }
    }

    /// Checks the escape that begins here.
    fn escape(&self) -> Read<()> {
        let bytes = &self.text.as_bytes()[self.at + 1..];
        match bytes.first() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') if bytes.len() > 4 && bytes[1..5].iter().all(u8::is_ascii_hexdigit) => Ok(()),
            Some(b'u') => self.fault("`\\u` without four hexadecimal digits"),
            _ => self.fault("an escape that is not valid in JSON"),
        }
    }
}

/// The character of a well-formed escape, and the escape's length; `None` for an unpaired surrogate.
fn escaped(text: &str) -> (Option<char>, usize) {
    let bytes = text.as_bytes();
    let unit = |from: usize| {
        let digits = text.get(from + 2..from + 6).filter(|_| bytes.get(from..from + 2) == Some(b"\\u"))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let simple = |sign| (Some(sign), 2);
    match bytes.get(1) {
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'u') => match (unit(0), unit(6)) {
            (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
                (char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)), 12)
            }
            (Some(one), _) => (char::from_u32(one), 6),
            (None, _) => (None, 6.min(text.len())),
        },
        Some(&sign) => simple(char::from(sign)),
        None => (None, 1),
    }
}

#[cfg(test)]
mod tests;
