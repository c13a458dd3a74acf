//! A single value of a run: of a recipe key or a figure.

use serde_json::Value as Json;

/// A value of a recipe key, of a figure, or of the run itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Boolean.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Other finite number.
    Float(f64),
    /// Text. Lists in a recipe are stored as JSON text.
    Text(String),
    /// Point in time, in milliseconds since 1970 (UTC).
    Time(i64),
}

impl Value {
    /// Converts a JSON scalar; `None` for null, arrays and objects.
    pub(crate) fn of_json(json: &Json) -> Option<Self> {
        match json {
            Json::Bool(value) => Some(Self::Bool(*value)),
            Json::String(text) => Some(Self::Text(text.clone())),
            Json::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Int(whole),
                // Does not fit i64: keep the digits as text instead of rounding.
                (None, _) if number.is_u64() => Self::Text(number.to_string()),
                (None, Some(float)) => Self::Float(float),
                (None, None) => Self::Text(number.to_string()),
            }),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// Converts to JSON; times become RFC 3339 strings.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::Text(_) | Self::Time(_) => Json::String(self.exact()),
        }
    }

    /// Full precision: all digits of a number, times as `2026-11-22T07:12:00.000Z`.
    #[must_use]
    pub fn exact(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => text.clone(),
            Self::Time(millis) => {
                let (day, rest) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
                let (seconds, millis) = (rest / 1000, rest % 1000);
                let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
                format!("{}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", date(day))
            }
        }
    }

    /// For tables: five significant digits, times to the minute (UTC).
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Float(value) => digits(*value),
            Self::Time(millis) => {
                let minutes = millis.div_euclid(60_000);
                let (day, minute) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
                format!("{} {:02}:{:02}", date(day), minute / 60, minute % 60)
            }
            other => other.exact(),
        }
    }

    /// Whether tables right-align it.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Float(_))
    }
}

/// Milliseconds per day.
pub(crate) const DAY: i64 = 86_400_000;

/// A float with five significant digits, without trailing zeros.
fn digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-5..9).contains(&magnitude) {
        return format!("{value:.4e}");
    }
    let decimals = (4 - magnitude).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Formats a day since 1970 as `YYYY-MM-DD` (Howard Hinnant's `civil_from_days`).
fn date(day: i64) -> String {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{of_month:02}")
}

/// The half-open interval of milliseconds that a text denotes: a day (`2026-11-22`), a minute (`2026-11-22T07:12`) or
/// a second (`2026-11-22T07:12:30`), UTC. `None` for anything else.
pub(crate) fn stretch(text: &str) -> Option<(i64, i64)> {
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time.trim_end_matches('Z'))),
        None => (text, None),
    };
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, of_month] = parts.as_slice() else { return None };
    let number = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i64>().ok())
            .flatten()
    };
    let (year, month, of_month) = (number(year, 4)?, number(month, 2)?, number(of_month, 2)?);
    let (shifted, place) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * place + 2) / 5 + of_month - 1;
    let of_era = shifted.rem_euclid(400) * 365 + shifted.rem_euclid(400) / 4 - shifted.rem_euclid(400) / 100;
    let days = shifted.div_euclid(400) * 146_097 + of_era + of_year - 719_468;
    // A date that does not round-trip (June 31) is invalid.
    if date(days) != day {
        return None;
    }
    let start = days * DAY;
    let Some(time) = time else { return Some((start, start + DAY)) };
    let parts: Vec<&str> = time.split(':').collect();
    let (hour, minute, second, length) = match parts.as_slice() {
        [hour, minute] => (number(hour, 2)?, number(minute, 2)?, 0, 60_000),
        [hour, minute, second] => (number(hour, 2)?, number(minute, 2)?, number(second, 2)?, 1000),
        _ => return None,
    };
    let start = start + ((hour * 60 + minute) * 60 + second) * 1000;
    (hour < 24 && minute < 60 && second < 60).then_some((start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_match_the_calendar() {
        assert_eq!(Value::Time(0).exact(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Value::Time(1_795_325_772_679).exact(), "2026-11-22T05:36:12.679Z");
        assert_eq!(Value::Time(951_782_400_000).shown(), "2000-02-29 00:00");
        assert_eq!(Value::Time(-1).exact(), "1969-12-31T23:59:59.999Z");
        assert_eq!(stretch("2000-02-29"), Some((951_782_400_000, 951_782_400_000 + DAY)));
        assert_eq!(stretch("2026-11-22T05:36"), Some((1_795_325_760_000, 1_795_325_820_000)));
        assert_eq!(stretch("2026-11-22T05:36:12Z").unwrap().0, 1_795_325_772_000);
        for wrong in ["2026-02-30", "2026-13-01", "26-01-01", "2026-01-01T24:00", "yesterday", "2026-01", ""]
        {
            assert_eq!(stretch(wrong), None, "{wrong}");
        }
        for day in (-800_000..800_000).step_by(97) {
            let text = date(day);
            if text.len() == 10 && !text.starts_with('-') {
                assert_eq!(stretch(&text), Some((day * DAY, (day + 1) * DAY)), "{text}");
            }
        }
    }

    #[test]
    fn tables_show_five_digits() {
        let shown = |value: f64| Value::Float(value).shown();
        assert_eq!(shown(87.873_809_031), "87.874");
        assert_eq!(shown(0.988_571_428), "0.98857");
        assert_eq!([shown(0.005), shown(16.0), shown(0.0), shown(-0.4)], ["0.005", "16", "0", "-0.4"]);
        assert_eq!([shown(7_425.645), shown(1.0e-9), shown(1.0e12)], ["7425.6", "1.0000e-9", "1.0000e12"]);
        assert_eq!(shown(100_000.0), "100000");
    }

    #[test]
    fn numbers_keep_their_type() {
        let of = |text: &str| Value::of_json(&serde_json::from_str(text).unwrap());
        assert_eq!(of("3"), Some(Value::Int(3)));
        assert_eq!(of("3.0"), Some(Value::Float(3.0)));
        assert_eq!(of("18446744073709551615"), Some(Value::Text("18446744073709551615".to_owned())));
        assert_eq!(of("null"), None);
    }
}
