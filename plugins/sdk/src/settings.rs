//! Reads a policy's settings. Never guesses: an unknown key is an error that lists the known ones.

use serde::de::DeserializeOwned;

/// Reads the settings of a policy from the JSON of its recipe table.
///
/// Give the struct `#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]`, so that every
/// key has a default and none is ignored.
///
/// # Errors
/// What is wrong, in words for the researcher.
pub fn settings<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    serde_json::from_str(json).map_err(|error| {
        let message = error.to_string();
        // The place in the JSON means nothing to whoever wrote TOML.
        match message.rsplit_once(" at line ") {
            Some((message, _)) => message.to_owned(),
            None => message,
        }
    })
}

#[cfg(test)]
mod tests {
    //! Settings as recipes write them.

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
    struct Sample {
        threshold: f64,
        max_probes: u32,
    }

    impl Default for Sample {
        fn default() -> Self {
            Self { threshold: 0.5, max_probes: 0 }
        }
    }

    #[test]
    fn keys_have_defaults() {
        assert_eq!(super::settings::<Sample>(""), Ok(Sample::default()));
        let read: Sample = super::settings(r#"{"max-probes": 3}"#).unwrap();
        assert_eq!((read.threshold, read.max_probes), (0.5, 3));
    }

    #[test]
    fn an_unknown_key_gets_the_list_of_known_ones() {
        let error = super::settings::<Sample>(r#"{"thresold": 0.4}"#).unwrap_err();
        assert_eq!(error, "unknown field `thresold`, expected `threshold` or `max-probes`");
    }

    #[test]
    fn a_wrong_type_says_what_was_expected() {
        let error = super::settings::<Sample>(r#"{"threshold": "high"}"#).unwrap_err();
        assert_eq!(error, "invalid type: string \"high\", expected f64");
    }
}
