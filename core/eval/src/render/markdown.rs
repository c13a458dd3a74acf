//! `report.md`: the report for a terminal or a pull request, without plots and predictions.

use std::fmt::Write;

use super::figures::{count, decimals, duration, percent, score, signed, visible};
use crate::{Finding, MEASURES, Report, ReportExtras, advice_once};

/// Renders a run for a terminal or a pull request: findings, measures, R, one line per expert, cost and provenance.
pub fn render_markdown(report: &Report, extras: &ReportExtras) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report, extras);
    text
}

fn write(text: &mut String, report: &Report, extras: &ReportExtras) -> std::fmt::Result {
    writeln!(text, "# {}\n", cell(&report.name))?;
    write_findings(text, &report.findings)?;
    if let Some(summary) = &extras.summary {
        writeln!(text, "{}\n", cell(summary))?;
    }
    write!(
        text,
        "**AR {}** · BWT {} · FWT {} · forgetting {}",
        score_with_interval(report),
        signed(report.backward_transfer),
        score(report.forward_transfer),
        score(report.forgetting),
    )?;
    if let Some(routing) = &report.routing {
        let probes = decimals(routing.probes_per_query, 2);
        write!(text, " · routing {} · {probes} probes per query", percent(routing.accuracy))?;
    }
    if let Some(strangers) = &report.out_of_distribution {
        write!(text, " · out of distribution to the backbone {}", percent(strangers.to_backbone))?;
    }
    writeln!(text, "\n")?;
    write_matrix(text, report)?;
    write_experts(text, report)?;
    write_measures(text, report)?;
    let cost = &report.cost;
    writeln!(
        text,
        "{} of stages ({} run, {} cached) · {} training tokens · {} tokens/s · {} of {} probes computed\n",
        duration(cost.wall_seconds),
        cost.stages.run,
        cost.stages.cached,
        count(cost.training_tokens),
        cost.tokens_per_second.map_or_else(|| "–".to_owned(), |rate| count(rate.round() as u64)),
        count(cost.probes.computed),
        count(cost.probes.asked),
    )?;
    let made = &report.provenance;
    writeln!(
        text,
        "Run `{}`, seed {}, cadre {}, burn {}, {} {}.",
        cell(&report.key),
        report.seed,
        cell(&made.cadre),
        cell(&made.burn),
        cell(&made.backend),
        cell(&made.precision)
    )
}

/// The findings, worst first, with what to try.
fn write_findings(text: &mut String, findings: &[Finding]) -> std::fmt::Result {
    if findings.is_empty() {
        return Ok(());
    }
    for (finding, advice) in findings.iter().zip(advice_once(findings)) {
        writeln!(text, "- **{}**: {}", finding.severity.name(), cell(&finding.text))?;
        for advice in advice {
            // Not escaped as a cell: advice contains recipe keys between backticks, and no text of a run.
            writeln!(text, "  - try {}", visible(advice))?;
        }
    }
    writeln!(text)
}

/// AR, with its interval where there is one.
fn score_with_interval(report: &Report) -> String {
    let interval = report.average_score.and(report.average_score_interval);
    let interval = interval
        .map(|of| format!(" [{}, {}]", score(Some(of.low)), score(Some(of.high))))
        .unwrap_or_default();
    format!("{}{interval}", score(report.average_score))
}

/// Every measure with its formula.
fn write_measures(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "| measure | value | formula | as defined by |")?;
    writeln!(text, "|---|---:|---|---|")?;
    for measure in MEASURES {
        let value = (measure.of)(report);
        let value = if measure.signed { signed(value) } else { score(value) };
        writeln!(
            text,
            "| {} | {value} | {} | {} |",
            measure.label,
            cell(measure.formula),
            cell(measure.source)
        )?;
    }
    writeln!(text)?;
    if let Some(of) = report.average_score_interval {
        writeln!(
            text,
            "AR {}: 95 % interval over test examples (bootstrap of {} queries, by task), not over training seeds.\n",
            score_with_interval(report),
            count(of.queries)
        )?;
    }
    Ok(())
}

/// R: the evaluated rows.
fn write_matrix(text: &mut String, report: &Report) -> std::fmt::Result {
    let rows = report.score_matrix.rows().iter().enumerate();
    let rows: Vec<_> = rows.filter(|(_, row)| row.iter().any(Option::is_some)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = report.tasks.iter().map(|task| cell(task)).collect();
    writeln!(text, "| after \\ on | {} |", names.join(" | "))?;
    writeln!(text, "|---|{}", "---:|".repeat(names.len()))?;
    for (stage, row) in rows {
        let scores: Vec<String> = row.iter().map(|value| score(*value)).collect();
        let name = names.get(stage).map_or("", String::as_str);
        writeln!(text, "| {} {name} | {} |", stage + 1, scores.join(" | "))?;
    }
    writeln!(text)
}

fn write_experts(text: &mut String, report: &Report) -> std::fmt::Result {
    if report.experts.is_empty() {
        return Ok(());
    }
    writeln!(text, "| expert | parameters | examples | to reject | steps | final loss | routed right |")?;
    writeln!(text, "|---|---:|---:|---:|---:|---:|---:|")?;
    for expert in &report.experts {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            cell(&expert.task),
            count(expert.parameters),
            count(expert.training_examples),
            known_count(expert.negatives.as_ref().map(crate::Negatives::total)),
            known_count(expert.steps),
            decimals(expert.final_loss, 3),
            percent(
                report
                    .tasks
                    .iter()
                    .position(|task| *task == expert.task)
                    .and_then(|task| routed_right(report, task))
            ),
        )?;
    }
    writeln!(text)?;
    write_validation(text, report)
}

/// One line per training with a validation split.
fn write_validation(text: &mut String, report: &Report) -> std::fmt::Result {
    let lines: Vec<_> =
        report.experts.iter().filter_map(|expert| Some((&expert.task, expert.validation_line()?))).collect();
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(text, "Validation (loss of the held-out examples in nats per token):\n")?;
    for (task, line) in lines {
        writeln!(text, "- {}: {line}", cell(task))?;
    }
    writeln!(text)
}

/// A count, or an en dash where it is unknown.
pub(super) fn known_count(value: Option<u64>) -> String {
    value.map_or_else(|| decimals(None, 0), count)
}

/// Share of a task's queries that its own expert answered, 0..=1.
pub(super) fn routed_right(report: &Report, task: usize) -> Option<f64> {
    let row = report.routing.as_ref()?.confusion.get(task)?;
    let all: u64 = row.iter().sum();
    (all > 0).then(|| row[task] as f64 / all as f64)
}

/// Text as one Markdown table cell.
pub(crate) fn cell(text: &str) -> String {
    let mut safe = String::new();
    for sign in visible(text).chars() {
        match sign {
            '\n' | '\t' => safe.push(' '),
            '|' | '`' | '*' | '<' | '[' | '\\' => {
                safe.push('\\');
                safe.push(sign);
            }
            _ => safe.push(sign),
        }
    }
    safe
}
