//! Exports a run as TensorBoard event files: training curves from `events.jsonl`, scores over the stream and final
//! figures, all as scalars. The crate `syntaxdot-summary` does framing and checksums; it stamps every scalar with the
//! time of the export.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cadre_eval::Report;
use cadre_store::{RunLayout, write_atomic};
use serde::Deserialize;
use syntaxdot_summary::SummaryWriter;

use crate::{Origin, RunRecord, RunsError, Value};

/// Result of exporting a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorboardExport {
    /// The file that was written.
    pub file: PathBuf,
    /// Number of scalars in it.
    pub scalars: usize,
    /// Number of unreadable lines in `events.jsonl`; a kill can truncate the last one.
    pub unreadable: usize,
}

/// Scalars by tag and step.
type Scalars = BTreeMap<(String, i64), f64>;

#[derive(Deserialize)]
struct EventLine {
    stage: String,
    kind: serde_json::Value,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    step: i64,
    // A non-finite loss is null in JSON.
    value: Option<f64>,
}

/// Writes a run to `<to>/<id>/events.out.tfevents.<seconds>.cadre`, replacing an earlier export. Tags are
/// `<stage>/<metric>` by step, `score/<task>` by number of tasks learned (from 1), and `figures/<key>` at step 0. If a
/// resumed run repeated a step, only its last value is exported.
///
/// # Errors
/// If a file of the run cannot be read, or the export cannot be written.
pub fn export_tensorboard(run: &RunLayout, to: &Path) -> Result<TensorboardExport, RunsError> {
    let record = RunRecord::read(run)?;
    let mut scalars = Scalars::new();
    let unreadable = curves(run, &mut scalars)?;
    let created = match record.get("created") {
        Some(Value::Time(millis)) => *millis,
        _ => 0,
    };
    for (key, origin, value) in &record.values {
        let figure = match value {
            Value::Float(value) => *value,
            Value::Int(value) => *value as f64,
            _ => continue,
        };
        // The curves already contain `score.<task>`.
        if *origin == Origin::Figure && !key.starts_with("score.") {
            scalars.insert((format!("figures/{key}"), 0), figure);
        }
    }
    if let Ok(text) = fs::read_to_string(run.report_json())
        && let Ok(report) = Report::from_json(&text)
    {
        for (stage, row) in report.score_matrix.rows().iter().enumerate() {
            for (task, score) in report.tasks.iter().zip(row) {
                if let Some(score) = score {
                    let step = i64::try_from(stage + 1).unwrap_or(i64::MAX);
                    scalars.insert((format!("score/{task}"), step), *score);
                }
            }
        }
    }
    let folder = to.join(run.id());
    // TensorBoard reads every event file in a folder: a previous export would duplicate everything.
    for old in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = old.file_name().to_string_lossy().into_owned();
        if name.starts_with("events.out.tfevents.") && name.ends_with(".cadre") {
            fs::remove_file(old.path()).map_err(RunsError::write(old.path()))?;
        }
    }
    let file = folder.join(format!("events.out.tfevents.{:010}.cadre", created.max(0) / 1000));
    let bytes = event_file(&scalars).map_err(RunsError::write(&file))?;
    write_atomic(&file, &bytes)?;
    Ok(TensorboardExport { file, scalars: scalars.len(), unreadable })
}

/// Collects the metrics in `events.jsonl`; returns the number of unreadable lines.
fn curves(run: &RunLayout, scalars: &mut Scalars) -> Result<usize, RunsError> {
    let path = run.events();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(RunsError::read(path)(source)),
    };
    let mut unreadable = 0;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(event) = serde_json::from_slice::<EventLine>(line) else {
            unreadable += 1;
            continue;
        };
        let Some(metric) = event.kind.get("metric") else { continue };
        match Metric::deserialize(metric) {
            Ok(metric) => {
                let tag = format!("{}/{}", event.stage, metric.name);
                scalars.insert((tag, metric.step), metric.value.unwrap_or(f64::NAN));
            }
            Err(_) => unreadable += 1,
        }
    }
    Ok(unreadable)
}

fn event_file(scalars: &Scalars) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(scalars.len() * 80);
    let mut writer = SummaryWriter::new(&mut bytes)?;
    for ((tag, step), value) in scalars {
        // TensorBoard scalars are f32.
        writer.write_scalar(tag.as_str(), *step, *value as f32)?;
    }
    Ok(bytes)
}
