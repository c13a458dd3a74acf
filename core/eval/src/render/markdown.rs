//! `report.md`: what fits into a terminal or a pull request. No plots, no predictions.

use std::fmt::Write;

use super::figures::{count, decimals, duration, percent, score, signed, visible};
use crate::{Report, ReportExtras};

/// The short form for a terminal or a pull request: the measures, R, one line a task, cost and provenance.
pub fn render_markdown(report: &Report, extras: &ReportExtras) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report, extras);
    text
}

fn write(text: &mut String, report: &Report, extras: &ReportExtras) -> std::fmt::Result {
    writeln!(text, "# {}\n", cell(&report.name))?;
    if let Some(summary) = &extras.summary {
        writeln!(text, "{}\n", cell(summary))?;
    }
    write!(
        text,
        "**AR {}** · BWT {} · FWT {} · forgetting {}",
        score(report.average_score),
        signed(report.backward_transfer),
        score(report.forward_transfer),
        score(report.forgetting),
    )?;
    if let Some(routing) = &report.routing {
        let probes = decimals(routing.probes_per_query, 2);
        write!(text, " · routing {} · {probes} probes a query", percent(routing.accuracy))?;
    }
    if let Some(strangers) = &report.out_of_distribution {
        write!(text, " · out of distribution to the backbone {}", percent(strangers.to_backbone))?;
    }
    writeln!(text, "\n")?;
    write_matrix(text, report)?;
    write_experts(text, report)?;
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

/// R: rows that were evaluated, one a stage.
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
    writeln!(text, "| expert | parameters | examples | final loss | routed right |")?;
    writeln!(text, "|---|---:|---:|---:|---:|")?;
    for expert in &report.experts {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            cell(&expert.task),
            count(expert.parameters),
            count(expert.training_examples),
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
    writeln!(text)
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
