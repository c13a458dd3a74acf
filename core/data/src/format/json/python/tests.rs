//! Tests against texts that Python 3.12's `json.loads` reads and refuses.

use super::{Cell, JsonReader, MAX_DEPTH, MAX_VALUES};

fn read(text: &str) -> Result<Cell, String> {
    let mut reader = JsonReader::new(text.as_bytes()).map_err(|fault| fault.problem)?;
    let value = reader.value().and_then(|value| reader.end().map(|()| value));
    let mut again = JsonReader::new(text.as_bytes()).map_err(|fault| fault.problem)?;
    let skipped = again.skip().and_then(|filled| again.end().map(|()| filled));
    assert_eq!(value.is_ok(), skipped.is_ok(), "skipped and read differ on {text}");
    if let (Ok(value), Ok(filled)) = (&value, skipped) {
        assert_eq!(value.is_filled(), filled, "{text}");
    }
    value.map_err(|fault| format!("{}: {}", fault.at, fault.problem))
}

fn number(text: &str) -> Cell {
    Cell::Number(text.to_owned())
}

/// The results of Python 3.12's `json.loads` (`str` of a number; `inf` and `nan` have no text here).
#[test]
fn numbers_are_those_of_python() {
    for (text, value) in [
        ("0", "0"),
        ("-0", "0"),
        ("-12", "-12"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1.50", "1.5"),
        ("-0.0", "-0.0"),
        ("1e2", "100.0"),
        ("1E-2", "0.01"),
    ] {
        assert_eq!(read(text), Ok(number(value)), "{text}");
    }
    for text in ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"] {
        assert_eq!(read(text), Ok(Cell::NoText(text.to_owned())), "{text}");
    }
    for text in ["01", "-", "+1", ".5", "1.", "1e", "nan", "inf", "Inf", "-NaN", "0x1", "1_000", ""] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn strings_are_those_of_python() {
    let text = |text: &str| Ok(Cell::Text(text.to_owned()));
    assert_eq!(read(r#""a\"b\\c\/d\n\u00e4""#), text("a\"b\\c/d\nä"));
    assert_eq!(read(r#""\ud83c\udf0a \uD83C\uDF0A""#), text("🌊 🌊"));
    assert_eq!(read("\"a\u{2028}b\u{7f}\""), text("a\u{2028}b\u{7f}"));
    // Python reads these as strings that no encoding accepts.
    for half in [r#""\ud83c""#, r#""\udf0a""#, r#""\ud83c\ud83c\udf0a""#, r#""\udf0a\ud83c""#] {
        assert!(matches!(read(half), Ok(Cell::NoText(_))), "{half}");
    }
    for broken in ["\"a\nb\"", "\"\t\"", r#""\x41""#, r#""\u12""#, r#""\u12g4""#, "\"a", "'a'", "\"\\"] {
        assert!(read(broken).is_err(), "{broken}");
    }
    assert!(read("\"\\ud83c\\u").is_err());
}

#[test]
fn lists_and_objects_are_those_of_python() {
    let twice = read(r#"{"a": 1, "a": 2}"#).expect("two equal keys");
    assert_eq!(twice.field("a"), Some(&number("2")));
    assert_eq!(read(" [ ] "), Ok(Cell::List(Vec::new())));
    assert_eq!(read("\t{\r\n}"), Ok(Cell::Record(Vec::new())));
    for broken in [
        "[1,]",
        "{\"a\":1,}",
        "[,1]",
        "[1 2]",
        "{a:1}",
        "{\"a\" 1}",
        "{1:2}",
        "[1",
        "{\"a\":",
        "[1]]",
        "[1] 2",
        "// x\n1",
        "\u{feff}1",
        "\u{a0}1",
    ] {
        assert!(read(broken).is_err(), "{broken}");
    }
    assert!(read("[1,]").expect_err("refused").contains("trailing comma"));
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&deep(MAX_DEPTH)).is_ok());
    let error = read(&deep(MAX_DEPTH + 1)).expect_err("too deep");
    assert!(error.contains("nested more than 128 deep"), "{error}");
    assert!(read(&"[".repeat(1_000_000)).is_err());
    assert!(read(&"{\"a\":".repeat(1_000_000)).is_err());
    let mut many = JsonReader::new(b"").expect("empty");
    let long = format!("[{}0]", "0,".repeat(MAX_VALUES));
    many.text = &long;
    let error = many.value().expect_err("too many").problem;
    assert!(error.contains("more than 1000000 values"), "{error}");
}

#[test]
fn bytes_that_are_not_utf8_are_found_where_they_are() {
    let fault = JsonReader::new(b"\"ab\xff\"").expect_err("no UTF-8");
    assert_eq!((fault.at, fault.problem.as_str()), (3, "bytes that are not UTF-8"));
}
