//! Parses names on the Hub: `hf://[datasets/]ORG/NAME[@REVISION][/FOLDER]`.

use super::{HubUse, SCHEME, is_inside};

/// A repository, its revision, and an optional folder or file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubName {
    /// `org/name`.
    pub(super) id: String,
    /// Branch, tag or commit.
    pub(super) revision: String,
    /// Folder or file in the repository; `None` for all of it.
    pub(super) folder: Option<String>,
    /// Whether it is a data set rather than a model.
    pub(super) dataset: bool,
}

impl HubName {
    /// Parses a text that begins with `hf://`; the error describes what is wrong with it.
    pub(super) fn parse(text: &str, what: HubUse) -> Result<Self, String> {
        let form = if what == HubUse::Dataset {
            "expected hf://datasets/ORG/NAME[@REVISION][/FOLDER]"
        } else {
            "expected hf://ORG/NAME[@REVISION][/FOLDER]"
        };
        let rest = text.strip_prefix(SCHEME).ok_or(form)?;
        let (rest, dataset) = match rest.strip_prefix("datasets/") {
            Some(rest) => (rest, true),
            None => (rest.strip_prefix("models/").unwrap_or(rest), false),
        };
        if dataset != (what == HubUse::Dataset) {
            return Err(match what {
                HubUse::Dataset => format!("this is a model, here is a data set needed: {form}"),
                _ => format!("this is a data set, here is a model needed: {form}"),
            });
        }
        let mut parts = rest.trim_end_matches('/').split('/');
        let (org, name) = parts.next().zip(parts.next()).ok_or(form)?;
        let (name, revision) = match name.split_once('@') {
            Some((name, revision)) => (name, Some(revision.to_owned())),
            None => (name, None),
        };
        let mut folder: Vec<&str> = parts.collect();
        let revision = match revision {
            // These revisions contain slashes: `refs/convert/parquet`, `refs/pr/3`.
            Some(first) if first == "refs" && folder.len() >= 2 => {
                let rest: Vec<&str> = folder.drain(..2).collect();
                format!("{first}/{}", rest.join("/"))
            }
            Some(revision) => revision.replace("%2F", "/"),
            None => "main".to_owned(),
        };
        let folder = folder.join("/");
        let plain = |text: &str| {
            let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            is_inside(text) && text.bytes().all(letters)
        };
        if !plain(org) || !plain(name) || !is_inside(&revision) || !(folder.is_empty() || is_inside(&folder))
        {
            return Err(form.to_owned());
        }
        Ok(Self {
            id: format!("{org}/{name}"),
            revision,
            folder: (!folder.is_empty()).then_some(folder),
            dataset,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{HubName, HubUse};

    fn parts(text: &str, what: HubUse) -> Result<(String, String, Option<String>), String> {
        HubName::parse(text, what).map(|name| (name.id, name.revision, name.folder))
    }

    #[test]
    fn names_and_their_parts() {
        let model = |text: &str| parts(text, HubUse::Checkpoint).expect(text);
        assert_eq!(model("hf://Org/a.Model-1B"), ("Org/a.Model-1B".into(), "main".into(), None));
        assert_eq!(model("hf://o/m@v1.0/").1, "v1.0");
        assert_eq!(model("hf://o/m@0123abc/sub/folder").2.as_deref(), Some("sub/folder"));
        let data = |text: &str| parts(text, HubUse::Dataset).expect(text);
        assert_eq!(
            data("hf://datasets/openai/gsm8k/main"),
            ("openai/gsm8k".into(), "main".into(), Some("main".into()))
        );
        let converted = ("o/d".to_owned(), "refs/convert/parquet".to_owned(), Some("default".to_owned()));
        assert_eq!(data("hf://datasets/o/d@refs/convert/parquet/default"), converted);
        assert_eq!(data("hf://datasets/o/d@refs%2Fconvert%2Fparquet/default"), converted);
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in [
            "hf://",
            "hf://one",
            "hf://o/",
            "hf:///m",
            "hf://o/..",
            "hf://o/m@",
            "hf://o/m@../x",
            "hf://o/m/../x",
            "hf://o/m//x",
            "hf://o m/x",
        ] {
            let error = parts(text, HubUse::Checkpoint).expect_err(text);
            assert_eq!(error, "expected hf://ORG/NAME[@REVISION][/FOLDER]", "{text}");
        }
        let error = parts("hf://datasets/o/d", HubUse::Checkpoint).expect_err("a data set");
        assert!(error.starts_with("this is a data set, here is a model needed"), "{error}");
        let error = parts("hf://o/d", HubUse::Dataset).expect_err("a model");
        assert!(error.starts_with("this is a model, here is a data set needed"), "{error}");
    }
}
