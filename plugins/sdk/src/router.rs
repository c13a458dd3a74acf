//! The words of a router, and the trait to implement. Nothing here decides anything.

use std::sync::OnceLock;

pub use crate::bindings::router_world::exports::cadre::policy::router::{Batch, Probe, Share, Step};
pub use crate::evidence::{Answer, Claim, Evidence};
pub use crate::sample::Sample;
pub use crate::{Description, ExpertCard};

/// Decides who answers a query. A pure function: what depends on anything but the settings, the
/// experts and the evidence makes runs that cannot be repeated.
pub trait Router: Sized + Send + Sync + 'static {
    /// What this router says of itself.
    fn describe() -> Description;

    /// Reads the settings (JSON of the recipe's table, see [`crate::settings`]) and the experts, in
    /// the order of their index.
    ///
    /// # Errors
    /// Words for the researcher: which setting is wrong, and what would be right.
    fn open(settings: &str, experts: Vec<ExpertCard>) -> Result<Self, String>;

    /// The next step for one query.
    ///
    /// # Errors
    /// Words for the researcher; the stage ends.
    fn route(&self, evidence: &Evidence) -> Result<Step, String>;
}

#[doc(hidden)]
pub fn describe<R: Router>() -> Description {
    crate::keep_last_words();
    R::describe()
}

#[doc(hidden)]
pub fn open<R: Router>(policy: &OnceLock<R>, settings: &str, experts: Vec<ExpertCard>) -> Result<(), String> {
    crate::keep_last_words();
    let opened = R::open(settings, experts)?;
    policy.set(opened).map_err(|_| "opened a second time".to_owned())
}

#[doc(hidden)]
pub fn route<R: Router>(policy: &OnceLock<R>, batch: &Batch) -> Result<Vec<Step>, String> {
    let policy = policy.get().ok_or("asked before it was opened")?;
    let mut steps = Vec::with_capacity(batch.ids.len());
    if batch.ids.is_empty() {
        return Ok(steps);
    }
    let mut evidence = Evidence::first(batch);
    loop {
        steps.push(policy.route(&evidence)?);
        if !evidence.advance() {
            return Ok(steps);
        }
    }
}
