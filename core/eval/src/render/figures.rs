//! Formats numbers for readers: one decimal for scores, a typographic minus sign, an en dash for values that were not evaluated.

const ABSENT: &str = "–";

/// 0..=100 with one decimal.
pub(crate) fn score(value: Option<f64>) -> String {
    decimals(value, 1)
}

/// A difference of scores with its sign.
pub(crate) fn signed(value: Option<f64>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| with_sign(value, &format!("{:.1}", value.abs())))
}

/// `size` with the sign of `value` in front; a size that rounds to zero gets none.
pub(super) fn with_sign(value: f64, size: &str) -> String {
    let zero = !size.chars().any(|sign| matches!(sign, '1'..='9'));
    let sign = match (zero, value < 0.0) {
        (true, _) => "",
        (false, true) => "−",
        (false, false) => "+",
    };
    format!("{sign}{size}")
}

/// A share of 0..=1 as a percentage.
pub(crate) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| format!("{:.1} %", value * 100.0))
}

pub(crate) fn decimals(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| format!("{value:.decimals$}"))
}

/// Six significant digits without trailing zeros: a plain number in a tooltip or of an axis.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { ABSENT.to_owned() };
    }
    if (1e6..1e15).contains(&size) {
        return with_sign(value, &count(size.round() as u64)).replace('+', "");
    }
    // The rounded value, written in its shortest form.
    let rounded: f64 = format!("{size:.5e}").parse().unwrap_or(size);
    let text = if !(1e-4..1e15).contains(&rounded) { format!("{rounded:e}") } else { rounded.to_string() };
    with_sign(value, &text).replace('+', "")
}

/// 1234567 as 1,234,567.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in binary units: `2.0 MiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut amount = value as f64;
    let mut unit = "B";
    for larger in UNITS {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{value} B") } else { format!("{amount:.1} {unit}") }
}

pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return ABSENT.to_owned();
    }
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours} h {minutes:02} min") } else { format!("{minutes} min {seconds:02} s") }
}

/// A number on an axis with the greatest number `most` and the distance `step` between numbers: 12,500,000 as 12.5M.
pub(super) fn of_axis(value: f64, most: f64, step: f64) -> String {
    const SCALES: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")];
    let (scale, letter) = match SCALES.iter().find(|(from, _)| most >= *from) {
        Some((from, letter)) => (if *letter == "k" { 1e3 } else { *from }, *letter),
        None => (1.0, ""),
    };
    // Enough decimals to distinguish two neighbours.
    let decimals = (-(step / scale).log10() - 1e-9).ceil().clamp(0.0, 6.0) as usize;
    let size = format!("{:.decimals$}", value.abs() / scale);
    with_sign(value, &size).replace('+', "") + letter
}

/// The first `most` characters of a name; a cut is marked with an ellipsis.
pub(super) fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Replaces control characters by their Unicode pictures (␀, ␛), which are visible and harmless in a page or a terminal.
pub(super) fn visible(text: &str) -> String {
    let picture = |sign: char| match sign {
        '\n' | '\t' => sign,
        '\0'..='\x1f' => char::from_u32(0x2400 + sign as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '␡',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        _ => sign,
    };
    text.chars().map(picture).collect()
}

#[cfg(test)]
mod tests {
    use super::{bytes, number, percent, score, signed};

    #[test]
    fn numbers_show_no_floating_point_noise() {
        assert_eq!([99.999_999_5, 0.1 + 0.2, 0.300_000_011_920_928_96].map(number), ["100", "0.3", "0.3"]);
        assert_eq!([0.0, -1.5, 2e-5, 1_234_567.0].map(number), ["0", "−1.5", "2e-5", "1,234,567"]);
        assert_eq!([score(Some(99.999_999_5)), score(Some(33.333_333_333_3))], ["100.0", "33.3"]);
        assert_eq!(
            (percent(Some(0.999_999_999)), signed(Some(-1e-12))),
            ("100.0 %".to_owned(), "0.0".to_owned())
        );
    }

    #[test]
    fn sizes_read_like_sizes() {
        assert_eq!(
            [0, 1023, 1024, 1 << 21, 5 << 40].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "2.0 MiB", "5.0 TiB"]
        );
    }
}
