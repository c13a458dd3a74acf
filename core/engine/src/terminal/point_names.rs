//! Names of a sweep's stages for display: the stage and the point that it is made for. Several points have stages with equal
//! names.

use std::collections::HashMap;

use cadre_scheduler::{Event, EventSink, Plan, SweepPlan};
use cadre_store::Digest;

/// Most characters of a point's name.
const POINT: usize = 48;

/// Forwards events with the names of the points.
pub(super) struct PointNames {
    next: Box<dyn EventSink>,
    names: HashMap<Digest, String>,
}

impl PointNames {
    /// Renames the stages of the events for `next`.
    pub(super) fn new(plan: &Plan, next: Box<dyn EventSink>) -> Self {
        Self { next, names: plan.stages.iter().map(|stage| (stage.key, stage.name.clone())).collect() }
    }
}

impl EventSink for PointNames {
    fn send(&self, event: &Event) {
        match self.names.get(&event.key) {
            Some(name) => self.next.send(&Event { stage: name.clone(), ..event.clone() }),
            None => self.next.send(event),
        }
    }
}

/// The plan of all stages, each named with its first point and the number of the other points that share it.
pub(super) fn named(plan: &SweepPlan) -> Plan {
    let mut joint = plan.joint();
    let mut points: Vec<Vec<&str>> = vec![Vec::new(); joint.stages.len()];
    for point in &plan.points {
        point.stages.iter().for_each(|place| points[*place].push(&point.name));
    }
    for (stage, points) in joint.stages.iter_mut().zip(points) {
        let Some((first, others)) = points.split_first() else { continue };
        let first = match first.char_indices().nth(POINT) {
            Some((end, _)) => format!("{}…", &first[..end]),
            None => (*first).to_owned(),
        };
        stage.name = match others.len() {
            0 => format!("{} [{first}]", stage.name),
            others => format!("{} [{first} +{others}]", stage.name),
        };
    }
    joint
}
