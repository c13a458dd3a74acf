//! The engine's own files in artifacts: JSON lines below a header with a format version.

use std::io::{BufWriter, Write};
use std::path::Path;

use cadre_contract::RouterProbe;
use cadre_store::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// Format version that is written, and the newest that is read.
const FORMAT_VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Header {
    format_version: u32,
    rows: String,
}

/// A row of `routes.jsonl`: how one query was routed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RouteRow {
    /// Id of the example.
    pub(crate) id: String,
    /// The example's task; `None` if it is out of distribution.
    pub(crate) task: Option<String>,
    /// Digest of the prompt's tokens.
    pub(crate) query: Digest,
    /// All probes, in order.
    pub(crate) asked: Vec<RouterProbe>,
    /// Claims: expert, probability of the accepting and of the rejecting indicator.
    pub(crate) claims: Vec<(u32, f32, f32)>,
    /// The expert that answered (in a mixture, the one with the largest weight); `None` means the backbone.
    pub(crate) chosen: Option<u32>,
    /// Shares of a mixture; empty for a single responder.
    pub(crate) mix: Vec<(u32, f32)>,
    /// Result of the answer; `None` if nothing was scored, and in format version 1.
    #[serde(default)]
    pub(crate) outcome: Option<Outcome>,
}

/// Result of the answer to a query.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Outcome {
    /// Score by the task's first metric, 0..100.
    pub(crate) score: f64,
    /// Whether the answer was empty.
    pub(crate) empty: bool,
}

/// A row of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct PredictionRecord {
    /// Id of the example.
    pub(crate) id: String,
    /// The example's task; `None` if it is out of distribution.
    pub(crate) task: Option<String>,
    /// The model's input.
    pub(crate) prompt: String,
    /// The reference answers.
    pub(crate) references: Vec<String>,
    /// The generated answer.
    pub(crate) prediction: String,
    /// The expert that answered; `None` means the backbone.
    pub(crate) expert: Option<u32>,
    /// Scores by metric, 0..100.
    pub(crate) scores: Vec<(String, f64)>,
    /// Claims: expert and accept / (accept + reject), in the order of the probes.
    pub(crate) claims: Vec<(u32, f64)>,
}

/// Writes rows below a header to `path` (a file of a draft; the store makes the commit atomic).
pub(crate) fn write_rows<T: Serialize>(
    path: &Path,
    rows: &str,
    items: impl IntoIterator<Item = T>,
) -> Result<(), EngineError> {
    let failed = |source| EngineError::Write { path: path.to_owned(), source };
    let file = std::fs::File::create(path).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let header = Header { format_version: FORMAT_VERSION, rows: rows.to_owned() };
    let mut line = |value: serde_json::Result<Vec<u8>>| -> Result<(), EngineError> {
        let mut bytes = value.map_err(|source| EngineError::NoJson { what: "a row", source })?;
        bytes.push(b'\n');
        out.write_all(&bytes).map_err(failed)
    };
    line(serde_json::to_vec(&header))?;
    for item in items {
        line(serde_json::to_vec(&item))?;
    }
    out.flush().map_err(failed)
}

/// Reads the rows of a file written by [`write_rows`].
pub(crate) fn read_rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, EngineError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| EngineError::Read { path: path.to_owned(), source })?;
    let broken = |line: usize, source| EngineError::Line { path: path.to_owned(), line: line + 1, source };
    let mut lines = text.lines().enumerate();
    let header: Header = match lines.next() {
        Some((line, text)) => serde_json::from_str(text).map_err(|source| broken(line, source))?,
        None => serde_json::from_str("").map_err(|source| broken(0, source))?,
    };
    if header.format_version > FORMAT_VERSION {
        let (found, known) = (header.format_version, FORMAT_VERSION);
        return Err(EngineError::NewerFile { path: path.to_owned(), found, known });
    }
    lines.map(|(line, text)| serde_json::from_str(text).map_err(|source| broken(line, source))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD_SAMPLE: &str = r#"{"format-version":1,"rows":"routes"}
{"id":"sort/test/0","task":"sort","query":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","asked":[{"claim":2},"task"],"claims":[[2,0.75,0.25]],"chosen":2,"mix":[]}
"#;

    #[test]
    fn samples_of_both_versions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.jsonl");
        std::fs::write(&path, OLD_SAMPLE).unwrap();
        let mut rows: Vec<RouteRow> = read_rows(&path).unwrap();
        assert_eq!(rows[0].asked, [RouterProbe::Claim(2), RouterProbe::Task]);
        assert_eq!(rows[0].claims, [(2, 0.75, 0.25)]);
        assert_eq!(rows[0].outcome, None);
        rows[0].outcome = Some(Outcome { score: 62.5, empty: false });
        write_rows(&path, "routes", &rows).unwrap();
        let outcome = r#","mix":[],"outcome":{"score":62.5,"empty":false}}"#;
        let expected = OLD_SAMPLE.replacen("\":1", "\":2", 1).replace(r#","mix":[]}"#, outcome);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(read_rows::<RouteRow>(&path).unwrap(), rows);
    }

    #[test]
    fn newer_and_broken_files_are_refused_with_their_location() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.jsonl");
        std::fs::write(&path, OLD_SAMPLE.replacen("\":1", "\":9", 1)).unwrap();
        assert!(matches!(read_rows::<RouteRow>(&path), Err(EngineError::NewerFile { found: 9, .. })));
        std::fs::write(&path, OLD_SAMPLE.replace("\"chosen\":2", "\"chosen\":")).unwrap();
        assert!(matches!(read_rows::<RouteRow>(&path), Err(EngineError::Line { line: 2, .. })));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(read_rows::<RouteRow>(&path), Err(EngineError::Line { line: 1, .. })));
    }
}
