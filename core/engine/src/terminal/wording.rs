//! Figures and times as a person reads them. Never computes one.

/// Seconds: `0.4 s`, `12 s`, `3:07`, `1:02:45`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        _ if seconds < 10.0 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// A score or percentage with two decimals; a dash where there is none.
pub(crate) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

/// A difference, its sign always shown.
pub(crate) fn signed_figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:+.2}"))
}

#[cfg(test)]
mod tests {
    use super::{duration, figure, signed_figure};

    #[test]
    fn times_read_like_times() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(9.96), "10.0 s");
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(187.0), "3:07");
        assert_eq!(duration(3765.0), "1:02:45");
    }

    #[test]
    fn what_is_not_there_is_a_dash() {
        assert_eq!(figure(None), "–");
        assert_eq!(figure(Some(97.125)), "97.12");
        assert_eq!(signed_figure(Some(0.5)), "+0.50");
    }
}
