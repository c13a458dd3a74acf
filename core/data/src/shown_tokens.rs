//! Renders a tokenised example for display: the text of each token and whether it has a loss.

use crate::token_example::TokenExample;
use crate::tokenizer::Tokenizer;

/// A token to display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownToken {
    /// Its text: special tokens by name, bytes that are not a character of their own as `⟨e2 80⟩`.
    pub text: String,
    /// Its id.
    pub id: u32,
    /// Whether the token has a loss.
    pub in_loss: bool,
}

/// The tokens of an example, in order.
pub fn shown_tokens(example: &TokenExample, tokenizer: &Tokenizer) -> Vec<ShownToken> {
    example
        .ids
        .iter()
        .zip(&example.mask)
        .map(|(&id, &in_loss)| ShownToken { text: text(id, tokenizer), id, in_loss })
        .collect()
}

fn text(id: u32, tokenizer: &Tokenizer) -> String {
    let name = tokenizer.token(id);
    match tokenizer.decode(&[id]) {
        // Special and added tokens decode to an empty text.
        Ok(text) if text.is_empty() => name.unwrap_or_else(|| format!("⟨no token {id}⟩")),
        Ok(text) if !text.contains('\u{FFFD}') => text,
        _ => name.map_or_else(|| format!("⟨no token {id}⟩"), |name| bytes(&name).unwrap_or(name)),
    }
}

/// The hexadecimal digits of the bytes that a byte-level vocabulary writes as these characters.
fn bytes(token: &str) -> Option<String> {
    let digits: Option<Vec<String>> =
        token.chars().map(|c| byte_of(c).map(|byte| format!("{byte:02x}"))).collect();
    digits.map(|digits| format!("⟨{}⟩", digits.join(" ")))
}

/// The byte that a character of GPT-2's byte alphabet stands for: printable Latin-1 characters stand for themselves,
/// the other bytes are mapped, in order, to the characters from U+0100 on.
fn byte_of(c: char) -> Option<u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let code = u32::from(c);
    match u8::try_from(code) {
        Ok(byte) if printable(byte) => Some(byte),
        Ok(_) => None,
        Err(_) => (0..=u8::MAX)
            .filter(|&byte| !printable(byte))
            .nth(usize::try_from(code.checked_sub(0x100)?).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::byte_of;

    #[test]
    fn the_byte_alphabet_of_gpt2() {
        assert_eq!(byte_of('A'), Some(b'A'));
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
        assert_eq!(byte_of('â'), Some(0xE2));
        assert_eq!(byte_of('Ģ'), Some(0x80));
        assert_eq!(byte_of('漢'), None);
    }
}
