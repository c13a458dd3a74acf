//! An old `report.json` is read, a newer one is refused, what is written is what is read.

use super::Report;
use crate::{EvalError, FindingCode, Severity};

const VERSION_1: &str = include_str!("../../fixtures/report_v1.json");
const VERSION_2: &str = include_str!("../../fixtures/report_v2.json");

#[test]
fn an_old_sample_is_read() {
    let report = Report::from_json(VERSION_1).unwrap();
    assert_eq!(report.name, "see");
    assert_eq!(report.score_matrix.get(1, 0), Some(88.5));
    assert_eq!(report.score_matrix.get(0, 1), None);
    assert_eq!(report.forward_transfer, None);
    let routing = report.routing.unwrap();
    assert_eq!(routing.by_stage, [Some(1.0), Some(0.95)]);
    assert_eq!(routing.confusion, [[19, 1, 0], [1, 19, 0]]);
    assert_eq!(report.out_of_distribution.unwrap().to_backbone, Some(0.9));
    assert_eq!(report.cost.stages.cached, 4);
    assert_eq!(report.provenance.plugins[0].name, "see");
    // What version 1 does not have.
    assert_eq!((report.format_version, report.findings.len()), (1, 0));
    assert_eq!((report.average_score_interval, report.backward_transfer_clipped), (None, None));
    assert_eq!((&report.experts[0].negatives, report.experts[0].steps), (&None, None));
}

#[test]
fn version_2_is_read() {
    let report = Report::from_json(VERSION_2).unwrap();
    assert_eq!(report.findings[0].code, FindingCode::RoutingCollapse);
    assert_eq!(report.findings[0].severity, Severity::Failure);
    assert_eq!(report.findings[0].experts, ["tagging"]);
    assert_eq!(report.findings[0].advice.len(), 2);
    assert_eq!(report.average_score_interval.unwrap().queries, 40);
    assert_eq!(report.backward_transfer_clipped, Some(-0.75));
    assert_eq!(report.forward_transfer_over_baseline, Some(-2.0));
    assert_eq!(report.baseline_scores, [None, Some(4.0)]);
    assert_eq!(report.experts[1].negatives.as_ref().unwrap().total(), 20);
    assert_eq!(report.experts[1].steps, Some(36));
}

#[test]
fn what_is_written_is_what_is_read() {
    let report = Report::from_json(VERSION_2).unwrap();
    let text = report.to_json().unwrap();
    assert_eq!(Report::from_json(&text).unwrap(), report);
    assert!(text.contains("    [90.0, null],\n"), "a matrix row on one line: {text}");
    assert!(text.ends_with("}\n"));
}

#[test]
fn a_newer_version_is_refused_whatever_its_shape() {
    let error = Report::from_json(r#"{"format-version": 3, "scores": {}}"#).unwrap_err();
    assert!(matches!(error, EvalError::NewerFormat { found: 3, known: 2 }));
    assert_eq!(
        error.to_string(),
        "read the report: it has format-version 3, this cadre reads up to 2; use a newer cadre"
    );
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"format-version": 1}"#,
        r#"{"format-version": "1"}"#,
        r#"{"format-version": -1}"#,
    ] {
        assert!(matches!(Report::from_json(text), Err(EvalError::Malformed(_))), "{text}");
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let one_task_more =
        VERSION_1.replace(r#"["sorting", "tagging"]"#, r#"["sorting", "tagging", "arithmetic"]"#);
    let error = Report::from_json(&one_task_more).unwrap_err();
    assert!(matches!(error, EvalError::Mismatch { part: "score-matrix", found: 2, expected: 3 }), "{error}");
}

#[test]
fn keys_of_a_later_version_1_are_passed_over() {
    let longer = VERSION_1.replacen('{', r#"{ "later-addition": [1],"#, 1);
    assert_eq!(Report::from_json(&longer).unwrap(), Report::from_json(VERSION_1).unwrap());
}
