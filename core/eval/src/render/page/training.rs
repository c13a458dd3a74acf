//! The training plots of a report: losses with a linear or logarithmic axis and three degrees of smoothing, learning rate and
//! gradient norm where the extras have them.

use serde::Serialize;

use super::super::figures::visible;
use super::super::plot::{Curves, Line, Look, Plot, SERIES, Ticks};
use crate::{EvalError, Report, ReportExtras, TrainingCurve};

/// The plots of the section on training.
#[derive(Serialize)]
pub(super) struct Training {
    /// One plot per choice of axis and smoothing, the first shown first; empty without losses.
    losses: Vec<LossVariant>,
    /// Losses as CSV: every drawn point, unsmoothed and smoothed.
    csv: String,
    /// Options of the smoothing switch: value and label.
    smoothings: Vec<(String, String)>,
    /// Task and colour of each loss curve.
    legend: Vec<(String, usize)>,
    learning_rate: Option<Plot>,
    gradient_norm: Option<Plot>,
    validation_loss: Option<Plot>,
}

/// The losses with one choice of axis and smoothing.
#[derive(Serialize)]
struct LossVariant {
    axis: &'static str,
    smoothing: String,
    svg: String,
}

/// Most points of a drawn curve.
const CURVE_POINTS: usize = 240;
/// Half-lives of the smoothing, as shares of the longest curve.
const SMOOTHINGS: [f64; 3] = [0.0, 0.01, 0.05];

type Points = Vec<(f64, f64)>;
/// Name, colour index and finite points of each curve.
type Named = Vec<(String, usize, Points)>;

impl Training {
    pub(super) fn of(report: &Report, extras: &ReportExtras) -> Result<Self, EvalError> {
        let losses = named(report, extras.loss_curves.iter().map(|curve| (&curve.task, &curve.points)));
        let steps = last_step(&losses);
        let half_lives =
            SMOOTHINGS.map(|share| if share > 0.0 { (steps * share).max(1.0).round() } else { 0.0 });
        let mut variants = Vec::new();
        for half_life in half_lives.iter().filter(|_| !losses.is_empty()) {
            for axis in ["linear", "log"] {
                let plot = loss_plot(&losses, *half_life, axis == "log")?;
                variants.extend(plot.map(|plot| LossVariant {
                    axis,
                    smoothing: half_life.to_string(),
                    svg: plot.svg,
                }));
            }
        }
        let label = |half_life: &f64| match *half_life {
            0.0 => "off".to_owned(),
            steps => format!("half-life {steps} {}", if steps == 1.0 { "step" } else { "steps" }),
        };
        let mut smoothings: Vec<(String, String)> =
            half_lives.iter().map(|half_life| (half_life.to_string(), label(half_life))).collect();
        // A short training has the same half-life twice.
        smoothings.dedup();
        variants.dedup_by(|one, other| one.axis == other.axis && one.smoothing == other.smoothing);
        let of = |values: fn(&TrainingCurve) -> &Vec<(u64, f64)>| {
            named(report, extras.training_curves.iter().map(|curve| (&curve.task, values(curve))))
        };
        Ok(Self {
            csv: if losses.is_empty() { String::new() } else { loss_csv(&losses, &half_lives) },
            losses: variants,
            smoothings,
            legend: losses.iter().map(|(name, series, _)| (name.clone(), series % SERIES)).collect(),
            learning_rate: plain_plot(&of(|curve| &curve.learning_rate), "learning rate")?,
            gradient_norm: plain_plot(&of(|curve| &curve.gradient_norm), "gradient norm")?,
            validation_loss: plain_plot(&of(|curve| &curve.validation_loss), "loss, nats per token")?,
        })
    }

    pub(super) fn any(&self) -> bool {
        !self.losses.is_empty()
            || self.learning_rate.is_some()
            || self.gradient_norm.is_some()
            || self.validation_loss.is_some()
    }
}

/// The curves that have a finite point.
fn named<'a>(report: &Report, curves: impl Iterator<Item = (&'a String, &'a Vec<(u64, f64)>)>) -> Named {
    let curve = |(task, points): (&String, &Vec<(u64, f64)>)| {
        let points = points.iter().filter(|(_, value)| value.is_finite());
        let points: Points = points.map(|(step, value)| (*step as f64, *value)).collect();
        // An expert of the whole stream has the first colour.
        let series = report.tasks.iter().position(|name| name == task).unwrap_or(0);
        (!points.is_empty()).then(|| (visible(task), series, points))
    };
    curves.filter_map(curve).collect()
}

fn last_step(curves: &Named) -> f64 {
    curves.iter().flat_map(|(_, _, points)| points).map(|(step, _)| *step).fold(1.0, f64::max)
}

/// `None` where the axis is logarithmic and no loss is positive.
fn loss_plot(losses: &Named, half_life: f64, logarithmic: bool) -> Result<Option<Plot>, EvalError> {
    let mut lines = Vec::new();
    for (name, series, points) in losses {
        let line = |points: &[(f64, f64)], look| Line {
            name: name.clone(),
            series: *series,
            points: thinned(points),
            look,
            ..Line::default()
        };
        if half_life > 0.0 {
            lines.push(line(points, Look::Pale));
            lines.push(line(&smoothed(points, half_life), Look::Joined));
        } else {
            lines.push(line(points, Look::Joined));
        }
    }
    let heights = || lines.iter().flat_map(|line| &line.points).map(|(_, loss)| *loss);
    let highest = heights().fold(0.0, f64::max);
    let least = heights().filter(|loss| *loss > 0.0).fold(f64::INFINITY, f64::min);
    if logarithmic && highest <= 0.0 {
        return Ok(None);
    }
    let y = match logarithmic {
        true => (least.log10() - 0.08, highest.log10() + 0.08),
        false => (0.0, if highest > 0.0 { highest * 1.05 } else { 1.0 }),
    };
    Curves {
        plot: "training loss",
        description: "Line plot: training loss of each expert over its steps. The table of tasks has the last losses.",
        size: (1080, 380),
        x_axis: "training step",
        y_axis: if logarithmic { "loss, nats per token, log" } else { "loss, nats per token" },
        x: (0.0, last_step(losses) * 1.02),
        y,
        x_log: false,
        y_log: logarithmic,
        x_ticks: Ticks::Whole(10),
        y_step: if highest < 0.6 { 0.01 } else { 0.1 },
        dots: false,
        lines,
    }
    .draw()
    .map(Some)
}

/// Learning rate or gradient norm over the steps; the axis is logarithmic where the values span more than two decades.
fn plain_plot(curves: &Named, what: &'static str) -> Result<Option<Plot>, EvalError> {
    let heights = || curves.iter().flat_map(|(_, _, points)| points).map(|(_, value)| *value);
    if curves.is_empty() {
        return Ok(None);
    }
    let (least, highest) =
        (heights().fold(f64::INFINITY, f64::min), heights().fold(f64::NEG_INFINITY, f64::max));
    let logarithmic = least > 0.0 && highest / least > 100.0;
    let span = if highest > 0.0 { highest } else { 1.0 };
    let line = |(name, series, points): &(String, usize, Points)| Line {
        name: name.clone(),
        series: *series,
        points: thinned(points),
        ..Line::default()
    };
    Curves {
        plot: what,
        description: &format!("Line plot: {what} of each training over its steps."),
        size: (560, 320),
        x_axis: "training step",
        y_axis: &if logarithmic { format!("{what}, log") } else { what.to_owned() },
        x: (0.0, last_step(curves) * 1.02),
        y: if logarithmic {
            (least.log10() - 0.08, highest.log10() + 0.08)
        } else {
            (least.min(0.0) * 1.05, span * 1.05)
        },
        x_log: false,
        y_log: logarithmic,
        x_ticks: Ticks::Whole(6),
        y_step: span / 10.0,
        dots: false,
        lines: curves.iter().map(line).collect(),
    }
    .draw()
    .map(Some)
}

/// Means of neighbouring points where there are too many; a short curve is unchanged.
fn thinned(points: &[(f64, f64)]) -> Points {
    let size = points.len().div_ceil(CURVE_POINTS).max(1);
    let mean = |chunk: &[(f64, f64)]| {
        let (steps, losses) = chunk.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (steps / chunk.len() as f64, losses / chunk.len() as f64)
    };
    points.chunks(size).map(mean).collect()
}

/// Exponential mean: the weight of a point halves every `half_life` steps. The sum of the weights is divided out, so that the
/// first value is the first point.
fn smoothed(points: &[(f64, f64)], half_life: f64) -> Points {
    let (mut sum, mut weight, mut last) = (0.0, 0.0, None);
    let smooth = |(step, value): &(f64, f64)| {
        let decay = last.map_or(0.0, |last| 0.5_f64.powf((step - last) / half_life));
        last = Some(*step);
        sum = sum * decay + value;
        weight = weight * decay + 1.0;
        (*step, sum / weight)
    };
    points.iter().map(smooth).collect()
}

/// One record per drawn point, a column per smoothing.
fn loss_csv(losses: &Named, half_lives: &[f64]) -> String {
    let mut csv = String::new();
    let head = |half_life: &f64| match *half_life {
        0.0 => "loss".to_owned(),
        steps => format!("loss smoothed with half-life {steps}"),
    };
    let heads = ["task", "step"].map(str::to_owned).into_iter();
    crate::sweep::csv_line(&mut csv, heads.chain(half_lives.iter().map(head)));
    for (name, _, points) in losses {
        let columns: Vec<Points> = half_lives
            .iter()
            .map(|half_life| match *half_life {
                0.0 => thinned(points),
                steps => thinned(&smoothed(points, steps)),
            })
            .collect();
        for (at, (step, _)) in columns[0].iter().enumerate() {
            let losses = columns.iter().map(|points| crate::rounded(points[at].1).to_string());
            crate::sweep::csv_line(&mut csv, [name.clone(), step.to_string()].into_iter().chain(losses));
        }
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::{smoothed, thinned};

    #[test]
    fn long_curves_are_thinned_to_means() {
        let long: Vec<(f64, f64)> = (0..1000).map(|step| (f64::from(step), 2.0)).collect();
        let thin = thinned(&long);
        assert_eq!(thin.len(), 200);
        assert_eq!(thin[0], (2.0, 2.0));
        assert_eq!(thinned(&long[..3]), long[..3]);
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn smoothing_halves_weights_and_starts_at_the_first_point() {
        let points = [(1.0, 4.0), (2.0, 1.0), (4.0, 1.0)];
        let smooth = smoothed(&points, 1.0);
        assert_eq!(smooth[0], (1.0, 4.0));
        // (4/2 + 1) / (1/2 + 1), then two steps later (3/4 + 1) / (1.5/4 + 1).
        assert_eq!(smooth[1], (2.0, 2.0));
        assert!((smooth[2].1 - 1.75 / 1.375).abs() < 1e-12);
        let level = [(1.0, 0.7); 5];
        assert!(smoothed(&level, 10.0).iter().all(|(_, loss)| (loss - 0.7).abs() < 1e-12));
    }
}
