//! Histograms of claims: the queries of an expert's own task against all others, with the router's threshold. The y axis is
//! the square root of the share, so that a few percent of claims on the wrong side stay visible.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{GRID, INK, MUTED, OTHERS, OWN, Plot, STRANGERS, THRESHOLD, draw, text};
use crate::EvalError;
use crate::sweep::csv_line;

const BINS: usize = 20;

/// The claims of one expert, 0..=1, grouped by the task of the query.
pub(in crate::render) struct Histogram<'a> {
    pub(in crate::render) description: &'a str,
    /// Queries of the expert's own task.
    pub(in crate::render) own: Vec<f64>,
    /// Queries of the stream's other tasks.
    pub(in crate::render) others: Vec<f64>,
    /// Queries out of distribution.
    pub(in crate::render) strangers: Vec<f64>,
    /// 0..=1.
    pub(in crate::render) threshold: Option<f64>,
}

impl Histogram<'_> {
    pub(in crate::render) fn draw(&self) -> Result<Plot, EvalError> {
        let svg = draw("claims", self.description, (360, 236), |area, marks| {
            let mut chart = ChartBuilder::on(area)
                .margin(8)
                .margin_right(16)
                .margin_top(14)
                .x_label_area_size(46)
                .y_label_area_size(56)
                .build_cartesian_2d(0.0..1.0, Shares)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .bold_line_style(GRID)
                .light_line_style(TRANSPARENT)
                .axis_style(GRID)
                .label_style(text(12, MUTED, HPos::Left))
                .axis_desc_style(text(12, INK, HPos::Center))
                .x_desc("claim")
                .x_labels(6)
                .x_label_formatter(&|x| format!("{x:.1}"))
                .y_label_formatter(&|y| format!("{:.0}%", y * 100.0))
                .draw()?;
            for (claims, colour) in [(&self.others, OTHERS), (&self.own, OWN)] {
                let bars = edges(claims).filter(|(_, _, share)| *share > 0.0);
                let bar = |(left, right, share)| {
                    Rectangle::new([(left, 0.0), (right, share)], colour.mix(0.65).filled())
                };
                chart.draw_series(bars.map(bar))?;
            }
            // An outline, because a third layer of bars is hard to read.
            let outline =
                edges(&self.strangers).flat_map(|(left, right, share)| [(left, share), (right, share)]);
            chart.draw_series(LineSeries::new(outline, STRANGERS.stroke_width(2)))?;
            if let Some(threshold) = self.threshold.filter(|threshold| (0.0..=1.0).contains(threshold)) {
                let line = [(threshold, 0.0), (threshold, 1.0)];
                chart.draw_series(DashedLineSeries::new(line, 6, 4, THRESHOLD.stroke_width(2)))?;
            }
            let (corner, opposite) = (chart.backend_coord(&(0.0, 0.0)), chart.backend_coord(&(1.0, 1.0)));
            let tips: Vec<String> = (0..BINS).map(|bin| self.tip(bin)).collect();
            marks.bands((corner.0, opposite.0), (opposite.1, corner.1), &tips);
            Ok(())
        })?;
        Ok(Plot { svg, csv: self.csv() })
    }

    fn groups(&self) -> [(&'static str, &Vec<f64>); 3] {
        [("own task", &self.own), ("other tasks", &self.others), ("out of distribution", &self.strangers)]
    }

    fn tip(&self, bin: usize) -> String {
        let edge = |bin: usize| bin as f64 / BINS as f64;
        let mut tip = format!("claim {:.2} to {:.2}", edge(bin), edge(bin + 1));
        for (name, claims) in self.groups().iter().filter(|(_, claims)| !claims.is_empty()) {
            let share = bins(claims)[bin];
            tip.push_str(&format!("\n{name}: {:.0} ({:.1} %)", share * claims.len() as f64, share * 100.0));
        }
        tip
    }

    /// One record per bin: its edges and the share of each group, 0..=1; a group without claims is empty.
    fn csv(&self) -> String {
        let mut csv = String::new();
        let heads = ["from", "to"].into_iter().chain(self.groups().map(|(name, _)| name));
        csv_line(&mut csv, heads.map(str::to_owned));
        let shares = self.groups().map(|(_, claims)| (!claims.is_empty()).then(|| bins(claims)));
        for bin in 0..BINS {
            let edge = |bin: usize| (bin as f64 / BINS as f64).to_string();
            let share = |of: &Option<[f64; BINS]>| {
                of.map_or_else(String::new, |shares| crate::rounded(shares[bin]).to_string())
            };
            csv_line(&mut csv, [edge(bin), edge(bin + 1)].into_iter().chain(shares.iter().map(share)));
        }
        csv
    }
}

/// The axis of shares, 0..=1, scaled by the square root.
struct Shares;

impl Ranged for Shares {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, share: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (f64::from(limit.1 - limit.0) * share.clamp(0.0, 1.0).sqrt()).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        vec![0.0, 0.01, 0.1, 0.25, 0.5, 1.0]
    }

    fn range(&self) -> Range<f64> {
        0.0..1.0
    }
}

/// Left edge, right edge and share of each bin; empty without claims.
fn edges(claims: &[f64]) -> impl Iterator<Item = (f64, f64, f64)> {
    let edge = |bin: usize| bin as f64 / BINS as f64;
    let shares = if claims.is_empty() { None } else { Some(bins(claims)) };
    shares.into_iter().flatten().enumerate().map(move |(bin, share)| (edge(bin), edge(bin + 1), share))
}

/// Share of the claims in each bin; claims that are not finite are in none.
fn bins(claims: &[f64]) -> [f64; BINS] {
    let mut shares = [0.0; BINS];
    for claim in claims.iter().filter(|claim| claim.is_finite()) {
        let bin = ((claim.clamp(0.0, 1.0) * BINS as f64) as usize).min(BINS - 1);
        shares[bin] += 1.0 / claims.len() as f64;
    }
    shares
}

#[cfg(test)]
mod tests {
    #[test]
    fn bins_hold_every_claim_once() {
        let shares = super::bins(&[0.0, 0.049, 0.5, 1.0]);
        assert_eq!((shares[0], shares[10], shares[19]), (0.5, 0.25, 0.25));
        assert_eq!(super::bins(&[]), [0.0; super::BINS]);
        assert_eq!(super::bins(&[f64::NAN]), [0.0; super::BINS]);
    }
}
