//! Quantiles of Student's t and the normal distribution, for 95 % intervals of means.

/// Two-sided 95 % quantiles of Student's t for 1 to 8 degrees of freedom.
const T_95: [f64; 8] = [
    12.706204736174694,
    4.302652729749462,
    3.1824463052837078,
    2.7764451051977934,
    2.5705818356363146,
    2.4469118511449786,
    2.3646242515927844,
    2.306004135204166,
];

/// The 97.5 % quantile of the normal distribution.
const Z_95: f64 = 1.959963984540054;

/// The 97.5 % quantile of Student's t: a table up to 8 degrees of freedom, Fisher and Cornish's expansion above
/// (Abramowitz and Stegun 26.7.5, five terms; error below 1e-4 from 9 degrees on).
pub(super) fn t_quantile(degrees: usize) -> f64 {
    if let Some(quantile) = degrees.checked_sub(1).and_then(|at| T_95.get(at)) {
        return *quantile;
    }
    let (z, n) = (Z_95, degrees as f64);
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
        (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5) - 1920.0 * z.powi(3) - 945.0 * z)
            / 92_160.0,
    ];
    terms.iter().rev().fold(0.0, |sum, term| (sum + term) / n) + z
}

/// The share of the standard normal distribution below −`z`, for `z` ≥ 0 (Abramowitz and Stegun 26.2.17, error below
/// 7.5e-8).
pub(super) fn normal_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let series = t
        * (0.319_381_530
            + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * series
}

#[cfg(test)]
mod tests {
    use super::{normal_tail, t_quantile};

    /// `scipy.stats.t.ppf(0.975, degrees)`, scipy 1.17.1.
    const SCIPY: [(usize, f64); 14] = [
        (1, 12.7062047361747),
        (2, 4.302652729749464),
        (3, 3.182446305283708),
        (4, 2.7764451051977934),
        (5, 2.570581835636314),
        (6, 2.4469118511449692),
        (7, 2.3646242515927844),
        (8, 2.3060041352041662),
        (9, 2.262157162798205),
        (10, 2.228138851986274),
        (14, 2.144786687917804),
        (29, 2.045229642132703),
        (99, 1.9842169515864174),
        (999, 1.9623414611334487),
    ];

    #[test]
    fn quantiles_are_those_of_scipy() {
        for (degrees, expected) in SCIPY {
            let found = t_quantile(degrees);
            assert!((found - expected).abs() < 1e-4, "{degrees} degrees: {found}, not {expected}");
        }
    }

    /// Integrates the density, which checks both the table and the list above.
    #[test]
    fn the_density_has_95_percent_between_the_quantiles() {
        for degrees in [1, 2, 3, 4, 5, 6, 7, 8, 9, 19] {
            let n = degrees as f64;
            let density = |x: f64| (1.0 + x * x / n).powf(-(n + 1.0) / 2.0);
            // The whole line by the substitution x = tan(u), Simpson's rule on both.
            let simpson = |from: f64, to: f64| {
                let steps = 20_000;
                let width = (to - from) / f64::from(steps);
                let f = |u: f64| density(u.tan()) / u.cos().powi(2);
                let inner = |at: i32| f(from + width * f64::from(at)) * if at % 2 == 1 { 4.0 } else { 2.0 };
                (f(from) + f(to) + (1..steps).map(inner).sum::<f64>()) * width / 3.0
            };
            let half = std::f64::consts::FRAC_PI_2 - 1e-9;
            let end = t_quantile(degrees).atan();
            let share = simpson(-end, end) / simpson(-half, half);
            assert!((share - 0.95).abs() < 2e-5, "{degrees} degrees: {share}");
        }
    }

    #[test]
    fn normal_tails_are_those_of_scipy() {
        // scipy.stats.norm.cdf(-z)
        for (z, expected) in
            [(0.0, 0.5), (1.0, 0.15865525393145707), (1.959963984540054, 0.025), (2.4, 0.008197535924596131)]
        {
            assert!((normal_tail(z) - expected).abs() < 1e-7, "{z}");
        }
    }
}
