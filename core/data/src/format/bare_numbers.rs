//! `NaN`, `Infinity` and `-Infinity` standing bare in JSON, as Python writes them: turned into `null`. Text in
//! strings and line numbers stay as they are.

use std::borrow::Cow;

const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];

/// The same JSON with `null` for every bare word of these.
pub(super) fn without(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut kept: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut at = 0;
    let mut inside = false;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if inside => at += 1,
            b'"' => inside = !inside,
            b'N' | b'I' | b'-' if !inside => {
                if let Some(word) = WORDS.iter().find(|word| bytes[at..].starts_with(word)) {
                    let text = kept.get_or_insert_with(|| Vec::with_capacity(bytes.len() + 16));
                    text.extend_from_slice(&bytes[copied..at]);
                    text.extend_from_slice(b"null");
                    at += word.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    match kept {
        None => Cow::Borrowed(bytes),
        Some(mut text) => {
            text.extend_from_slice(&bytes[copied..]);
            Cow::Owned(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without;

    fn text(json: &str) -> String {
        String::from_utf8(without(json.as_bytes()).into_owned()).expect("text")
    }

    #[test]
    fn bare_words_become_null() {
        assert_eq!(text("[NaN,\n -Infinity, Infinity]"), "[null,\n null, null]");
        assert_eq!(text("NaN"), "null");
    }

    #[test]
    fn strings_and_numbers_stay() {
        for same in [r#"{"a": "NaN \" Infinity", "b\\": -1}"#, r#""-Infinity"#, "", "[\"\\"] {
            assert_eq!(text(same), same);
        }
        assert_eq!(text(r#"["\"", NaN, "NaN"]"#), r#"["\"", null, "NaN"]"#);
    }
}
