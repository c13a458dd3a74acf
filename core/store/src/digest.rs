//! BLAKE3 digests of bytes, files and JSON values; they serve as keys. The digest of a value must not depend on the
//! order of its keys.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::StoreError;

/// A BLAKE3 digest (32 bytes), written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of `bytes`.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Digest of a file's content, read in chunks.
    ///
    /// # Errors
    /// If the file cannot be opened or read.
    pub fn of_file(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(StoreError::read(path))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).map_err(StoreError::read(path))?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// Digest of a JSON value in canonical form (sorted keys, no whitespace), separated by `domain`: equal values in
    /// different domains have different digests.
    #[must_use]
    pub fn of_value(domain: &str, value: &Value) -> Self {
        let mut text = Vec::with_capacity(256);
        write_canonical(value, &mut text);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(domain.len() as u64).to_le_bytes());
        hasher.update(domain.as_bytes());
        hasher.update(&text);
        Self(*hasher.finalize().as_bytes())
    }

    /// Parses 64 hexadecimal digits.
    ///
    /// # Errors
    /// If `text` is anything else.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let refuse = || StoreError::NotADigest { text: text.chars().take(80).collect() };
        let hash = blake3::Hash::from_hex(text).map_err(|_| refuse())?;
        Ok(Self(*hash.as_bytes()))
    }

    /// The first 12 hexadecimal digits, for display.
    #[must_use]
    pub fn short(&self) -> String {
        self.0[..6].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn from_hash(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

impl FromStr for Digest {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Self::parse(text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// Writes `value` with sorted keys and no whitespace. Numbers and strings are written as `serde_json` does.
fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<(&String, &Value)> = map.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (index, (key, field)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_plain(key, out);
                out.push(b':');
                write_canonical(field, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => write_plain(value, out),
    }
}

fn write_plain(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing a scalar to memory cannot fail.
    serde_json::to_writer(out, value).unwrap_or_else(|problem| unreachable!("{problem}"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_input_has_the_published_digest() {
        // First test vector of the BLAKE3 reference implementation.
        let expected = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Digest::of_bytes(b"").to_string(), expected);
        assert_eq!(Digest::parse(expected).unwrap(), Digest::of_bytes(b""));
        assert_eq!(Digest::of_bytes(b"").short(), &expected[..12]);
    }

    #[test]
    fn order_of_keys_does_not_matter_and_everything_else_does() {
        let one: Value = serde_json::from_str(r#"{"b":[1,2.5,null],"a":{"y":"\u00e4","x":true}}"#).unwrap();
        let two: Value =
            serde_json::from_str(r#"{ "a": {"x":true, "y":"ä"}, "b": [1, 2.5, null] }"#).unwrap();
        assert_eq!(Digest::of_value("d", &one), Digest::of_value("d", &two));
        assert_ne!(Digest::of_value("d", &one), Digest::of_value("e", &one));
        assert_ne!(Digest::of_value("d", &json!([1, 2])), Digest::of_value("d", &json!([2, 1])));
        assert_ne!(Digest::of_value("d", &json!(1)), Digest::of_value("d", &json!("1")));
        let mut text = Vec::new();
        write_canonical(&one, &mut text);
        assert_eq!(String::from_utf8(text).unwrap(), r#"{"a":{"x":true,"y":"ä"},"b":[1,2.5,null]}"#);
    }

    #[test]
    fn value_digests_are_stable() {
        // A change here would orphan every store: bump the key version instead.
        let digest = Digest::of_value("cadre stage", &json!({"kind": "train", "rank": 8, "alpha": 0.1}));
        assert_eq!(digest.to_string(), GOLDEN);
    }

    const GOLDEN: &str = "efc409ea4b03b5995812b1c449ae440ec2701b99cc541eed43609245b9c0bf69";

    #[test]
    fn an_invalid_digest_is_refused() {
        for text in ["", "af13", &"g".repeat(64), &"a".repeat(63)] {
            assert!(matches!(Digest::parse(text), Err(StoreError::NotADigest { .. })), "{text}");
        }
        assert!(serde_json::from_str::<Digest>("\"xyz\"").is_err());
        let digest = Digest::of_bytes(b"x");
        assert_eq!(serde_json::from_str::<Digest>(&serde_json::to_string(&digest).unwrap()).unwrap(), digest);
    }
}
