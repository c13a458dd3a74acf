//! The learning-rate schedule.

use super::spec::{Schedule, TrainingSpec};

/// Learning rate of step `step` (counted from 0) of `steps`. During warm-up, step i has (i + 1) / warm-up of the peak,
/// so that no step has a rate of zero; the cosine reaches zero one step after the last.
pub(crate) fn learning_rate(spec: &TrainingSpec, step: u64, steps: u64) -> f64 {
    if step < spec.warmup {
        return spec.learning_rate * (step + 1) as f64 / spec.warmup as f64;
    }
    match spec.schedule {
        Schedule::Constant => spec.learning_rate,
        Schedule::Cosine => {
            let span = steps.saturating_sub(spec.warmup).max(1) as f64;
            let progress = ((step - spec.warmup) as f64 / span).min(1.0);
            spec.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::Length;
    use super::*;

    fn spec(schedule: Schedule, warmup: u64) -> TrainingSpec {
        TrainingSpec {
            length: Length::Steps(10),
            batch: 1,
            accumulate: 1,
            micro_batch: 0,
            learning_rate: 2.0,
            schedule,
            warmup,
            gradient_clip: 0.0,
            weight_decay: 0.0,
            seed: 0,
            checkpoint_every: 0,
        }
    }

    #[test]
    fn rises_then_stays_or_falls() {
        let constant = spec(Schedule::Constant, 4);
        let rates: Vec<f64> = (0..6).map(|step| learning_rate(&constant, step, 10)).collect();
        assert_eq!(rates, [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
        let cosine = spec(Schedule::Cosine, 2);
        assert_eq!(learning_rate(&cosine, 2, 10), 2.0);
        assert!((learning_rate(&cosine, 6, 10) - 1.0).abs() < 1e-12);
        assert!(learning_rate(&cosine, 9, 10) > 0.0);
        assert!(learning_rate(&cosine, 10, 10).abs() < 1e-12);
    }
}
