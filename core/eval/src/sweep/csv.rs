//! `sweep.csv`: one record per point. The columns must not depend on the state of the points.

use std::collections::BTreeSet;

use serde_json::Value;

use super::figures::MAIN;
use super::{Difference, PointState, SweepPoint, SweepReport};

/// Columns of the difference of the setting's average score to the baseline.
const DIFFERENCE: [&str; 5] = [
    "setting-difference",
    "setting-difference-low",
    "setting-difference-high",
    "setting-difference-method",
    "setting-difference-pairs",
];

pub(super) fn write(report: &SweepReport) -> String {
    let of = |figures: fn(&SweepPoint) -> Vec<&String>| -> BTreeSet<&String> {
        report.points.iter().flat_map(figures).collect()
    };
    let scores = of(|point| point.scores.keys().collect());
    let times = of(|point| point.times.keys().collect());
    let mut text = String::new();
    let heads = ["point", "setting", "recipe"].into_iter();
    let heads = heads.chain(report.keys.iter().map(String::as_str));
    let heads = heads.chain(["seed", "order", "run", "report", "state", "problem"]);
    let heads = heads.chain(scores.iter().chain(&times).map(|name| name.as_str()));
    let heads = heads.chain(DIFFERENCE);
    line(&mut text, heads.map(str::to_owned));
    for point in &report.points {
        let fields = [&point.name, &point.setting, &point.recipe].map(String::clone).into_iter();
        let fields =
            fields.chain(report.keys.iter().map(|key| point.values.get(key).map_or_else(String::new, plain)));
        let fields = fields.chain([
            point.seed.to_string(),
            point.order.clone().unwrap_or_default(),
            point.run.clone(),
            point.report.clone().unwrap_or_default(),
            state(point.state).to_owned(),
            point.problem.clone().unwrap_or_default(),
        ]);
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let fields = fields
            .chain(scores.iter().map(|name| number(point.scores.get(*name).copied().flatten())))
            .chain(times.iter().map(|name| number(point.times.get(*name).copied().flatten())));
        let setting = report.settings.iter().find(|setting| setting.name == point.setting);
        let fields = fields.chain(difference(setting.and_then(|setting| setting.differences.get(MAIN))));
        line(&mut text, fields);
    }
    text
}

/// The fields of [`DIFFERENCE`]; empty for the baseline and for settings without a pair.
fn difference(of: Option<&Difference>) -> [String; 5] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    [
        number(of.map(|of| of.mean)),
        number(of.and_then(|of| of.low)),
        number(of.and_then(|of| of.high)),
        of.and_then(|of| of.method).map_or_else(String::new, |method| method.label().to_owned()),
        of.map_or_else(String::new, |of| of.pairs.to_string()),
    ]
}

/// The state as `sweep.json` writes it.
pub(crate) fn state(state: PointState) -> &'static str {
    match state {
        PointState::Done => "done",
        PointState::Failed => "failed",
        PointState::Left => "left",
    }
}

/// A string without quotes, any other value as JSON.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Appends one CSV record to `text`, quoted as RFC 4180 requires.
pub(crate) fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            text.push(',');
        }
        if field.contains(['"', ',', '\n', '\r']) {
            text.push('"');
            text.push_str(&field.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&field);
        }
    }
    text.push('\n');
}
