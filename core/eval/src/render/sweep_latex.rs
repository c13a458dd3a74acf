//! `sweep.tex`: the comparison of settings and the scores per task as LaTeX tables (package `booktabs`).

use std::fmt::Write;

use super::figures::{count, visible};
use super::sweep_page::task_names;
use crate::sweep::{MAIN, OF_TASK, Shown, shown};
use crate::{Better, SettingSummary, Spread, SweepReport, Unit};

/// The comparison of settings as LaTeX, for `\input`: a table of scores and drawn costs (mean ± sample deviation, best mean per
/// column in bold, an asterisk where the 95 % interval of the paired difference of AR excludes 0), and a table of scores per
/// task where runs have several tasks. Needs `\usepackage{booktabs}`; names and values are escaped.
pub fn render_sweep_latex(report: &SweepReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

/// A column of a table.
struct Column {
    name: String,
    label: String,
    unit: Unit,
    better: Better,
}

fn write(text: &mut String, report: &SweepReport) -> std::fmt::Result {
    writeln!(
        text,
        "% Sweep {}, key {}. Needs \\usepackage{{booktabs}}.",
        one_line(&report.name),
        one_line(&report.key)
    )?;
    let column =
        |of: Shown| Column { label: escaped(&of.label), name: of.name, unit: of.unit, better: of.better };
    let columns: Vec<Column> =
        shown(report).into_iter().filter(|figure| figure.drawn && !figure.time).map(column).collect();
    if columns.is_empty() {
        return writeln!(text, "% No run has a score.");
    }
    write_table(text, report, &columns, true)?;
    let tasks = task_names(report);
    if tasks.len() > 1 {
        let column = |task: &&str| Column {
            name: format!("{OF_TASK}{task}"),
            label: escaped(task),
            unit: Unit::Score,
            better: Better::More,
        };
        writeln!(text, "\n% Scores per task at the end of the stream.")?;
        write_table(text, report, &tasks.iter().map(column).collect::<Vec<_>>(), false)?;
    }
    Ok(())
}

fn write_table(text: &mut String, report: &SweepReport, columns: &[Column], main: bool) -> std::fmt::Result {
    let heads: Vec<String> = columns.iter().map(head).collect();
    writeln!(text, "\\begin{{tabular}}{{l{}}}", "r".repeat(columns.len() + usize::from(main)))?;
    writeln!(text, "\\toprule")?;
    writeln!(text, "Setting{} & {} \\\\", if main { " & $n$" } else { "" }, heads.join(" & "))?;
    writeln!(text, "\\midrule")?;
    for setting in &report.settings {
        write!(text, "{}", escaped(&setting.name))?;
        if main {
            write!(text, " & {}", setting.replicates)?;
        }
        for column in columns {
            write!(text, " & {}", cell(report, setting, column))?;
        }
        writeln!(text, " \\\\")?;
    }
    writeln!(text, "\\bottomrule\n\\end{{tabular}}")
}

fn head(column: &Column) -> String {
    let arrow = if column.better == Better::More { "\\uparrow" } else { "\\downarrow" };
    let unit = match column.unit {
        Unit::Share => " (\\%)",
        Unit::Bytes => " (B)",
        Unit::Seconds => " (s)",
        _ => "",
    };
    format!("{}{unit} ${arrow}$", column.label)
}

fn cell(report: &SweepReport, setting: &SettingSummary, column: &Column) -> String {
    let Some(spread) = setting.figures.get(&column.name) else { return "--".to_owned() };
    let mut figure = number(spread.mean, column.unit);
    if is_best(report, spread, column) {
        figure = format!("\\mathbf{{{figure}}}");
    }
    // Counts that are equal in all replicates need no deviation.
    let counted = matches!(column.unit, Unit::Count | Unit::Bytes);
    let deviation = spread.deviation.filter(|deviation| !counted || *deviation > 0.0);
    let deviation = deviation.map(|deviation| format!(" \\pm {}", number(deviation, column.unit)));
    let certain = column.name == MAIN && setting.differences.get(MAIN).is_some_and(|of| of.excludes_zero());
    format!("${figure}{}{}$", deviation.unwrap_or_default(), if certain { "^{*}" } else { "" })
}

/// Whether no setting has a better mean, as printed, and some setting has a worse one.
fn is_best(report: &SweepReport, spread: &Spread, column: &Column) -> bool {
    let means = || report.settings.iter().filter_map(|of| Some(of.figures.get(&column.name)?.mean));
    let printed = number(spread.mean, column.unit);
    let best = match column.better {
        Better::More => means().fold(f64::NEG_INFINITY, f64::max),
        Better::Less => means().fold(f64::INFINITY, f64::min),
    };
    printed == number(best, column.unit) && means().any(|mean| number(mean, column.unit) != printed)
}

/// In math mode: an ASCII minus sign, and braces around the commas of thousands.
fn number(value: f64, unit: Unit) -> String {
    let text = match unit {
        Unit::Score | Unit::Change | Unit::Mean => format!("{value:.2}"),
        Unit::Share => format!("{:.2}", value * 100.0),
        Unit::Nats => format!("{value:.3}"),
        Unit::Seconds => format!("{value:.1}"),
        Unit::Count | Unit::Rate | Unit::Bytes => count(value.round().max(0.0) as u64).replace(',', "{,}"),
    };
    // What rounds to zero has no sign.
    if text.chars().all(|sign| matches!(sign, '-' | '0' | '.')) { text.replace('-', "") } else { text }
}

/// Text in LaTeX: the ten special characters escaped, line breaks and tabs as spaces.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for sign in visible(text).chars() {
        match sign {
            '\\' => safe.push_str("\\textbackslash{}"),
            '~' => safe.push_str("\\textasciitilde{}"),
            '^' => safe.push_str("\\textasciicircum{}"),
            '<' => safe.push_str("\\textless{}"),
            '>' => safe.push_str("\\textgreater{}"),
            '|' => safe.push_str("\\textbar{}"),
            // `\\textquotedbl` exists in some font encodings only.
            '"' => safe.push_str("''"),
            '#' | '$' | '%' | '&' | '_' | '{' | '}' => {
                safe.push('\\');
                safe.push(sign);
            }
            '\n' | '\t' => safe.push(' '),
            '−' => safe.push('-'),
            _ => safe.push(sign),
        }
    }
    safe
}

/// Text of a comment: it must not end the line.
fn one_line(text: &str) -> String {
    visible(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::{escaped, number, one_line};
    use crate::Unit;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escaped("a_b & 50% {x} #1 $y"), "a\\_b \\& 50\\% \\{x\\} \\#1 \\$y");
        assert_eq!(
            escaped("\\input{/etc/passwd}~^"),
            "\\textbackslash{}input\\{/etc/passwd\\}\\textasciitilde{}\\textasciicircum{}"
        );
        assert_eq!(escaped("a\nb\u{1b}"), "a b␛");
        assert_eq!(one_line("x\n\\end"), "x \\end");
    }

    #[test]
    fn numbers_have_no_floating_point_noise() {
        assert_eq!(number(99.999_999_5, Unit::Score), "100.00");
        assert_eq!(number(-0.001, Unit::Change), "0.00");
        assert_eq!(number(-1.5, Unit::Change), "-1.50");
        assert_eq!(number(6_812_448.0, Unit::Count), "6{,}812{,}448");
    }
}
