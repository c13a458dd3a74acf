//! Elastic weight consolidation (Kirkpatrick et al., arXiv 1612.00796) with a diagonal Fisher information: weights that
//! mattered to earlier tasks are held near their values by a quadratic penalty.
//!
//! The penalties of several tasks are one quadratic function: `Σ_t F_t (θ - a_t)² = F (θ - a)² + spread` with `F = Σ F_t`, a
//! the mean of the a_t weighted by F_t, and a spread without θ. The number of buffers therefore does not depend on the number
//! of tasks.

use cadre_method_sdk::{
    Case, Directive, Expert, Named, Played, Policy, Shape, Tensor, choose, fact_number, full, sum_of,
    training, zeros,
};
use serde::Deserialize;

/// Settings of `ewc`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ewc {
    strength: f64,
    decay: f64,
    online: bool,
}

/// What is known of a weight: the quadratic function of earlier tasks, and sums over the newest pass. Each is of the weight's
/// shape and starts at 0.
#[derive(Clone, Copy)]
struct Memory {
    /// Fisher information of the passes before the newest one.
    fisher: Tensor,
    /// Where the penalty of those passes is smallest.
    anchor: Tensor,
    /// What is left of it there.
    spread: Tensor,
    /// Sum of the squared gradients of the newest pass.
    running: Tensor,
    /// Number of its examples.
    examples: Tensor,
    /// The weight during it.
    observed: Tensor,
    /// Index of its task plus 1; 0 before the first pass.
    pass: Tensor,
}

impl Memory {
    fn empty(shape: &[u32]) -> Self {
        let zero = zeros(shape);
        Self {
            fisher: zero,
            anchor: zero,
            spread: zero,
            running: zero,
            examples: zero,
            observed: zero,
            pass: zero,
        }
    }

    fn read(buffers: &Named) -> Result<Self, String> {
        Ok(Self {
            fisher: buffers.get("fisher")?,
            anchor: buffers.get("anchor")?,
            spread: buffers.get("spread")?,
            running: buffers.get("running")?,
            examples: buffers.get("examples")?,
            observed: buffers.get("observed")?,
            pass: buffers.get("pass")?,
        })
    }

    fn named(self) -> Named {
        Named::new()
            .with("fisher", self.fisher)
            .with("anchor", self.anchor)
            .with("spread", self.spread)
            .with("running", self.running)
            .with("examples", self.examples)
            .with("observed", self.observed)
            .with("pass", self.pass)
    }

    /// The Fisher information of the newest pass: the mean over its examples.
    fn newest(self) -> Tensor {
        self.running / self.examples.maximum(1.0)
    }
}

impl Ewc {
    /// Fisher information, anchor and spread with the newest pass.
    fn joined(&self, memory: Memory) -> [Tensor; 3] {
        let newest = memory.newest();
        if self.online {
            // Before the first pass both are 0, and so is the penalty.
            return [memory.fisher * self.decay + newest, memory.observed, memory.spread];
        }
        let fisher = memory.fisher + newest;
        let some = fisher.gt(0.0);
        // Where no gradient was seen the anchor has no effect.
        let share = choose(some, newest / choose(some, fisher, 1.0), 0.0);
        let distance = memory.observed - memory.anchor;
        let anchor = memory.anchor + distance * share;
        let spread = memory.spread + memory.fisher * share * distance.square();
        [fisher, anchor, spread]
    }

    /// `strength / 2 · Σ F (θ - a)² + spread`.
    fn penalty(&self, theta: Tensor, memory: Memory) -> Tensor {
        let [fisher, anchor, spread] = self.joined(memory);
        (fisher * (theta - anchor).square() + spread).sum_all() * (0.5 * self.strength)
    }

    /// The memory after one more example of the task at an index. The first example of a task closes the pass before it.
    fn observed(&self, task: u32, weight: Tensor, gradient: Tensor, memory: Memory) -> Memory {
        let pass = f64::from(task) + 1.0;
        let begins = memory.pass.differs(pass);
        let closed = self.joined(memory);
        let now = |closed: Tensor, open: Tensor| choose(begins, closed, open);
        Memory {
            fisher: now(closed[0], memory.fisher),
            anchor: now(closed[1], memory.anchor),
            spread: now(closed[2], memory.spread),
            running: choose(begins, 0.0, memory.running) + gradient.square(),
            examples: choose(begins, 0.0, memory.examples) + 1.0,
            observed: weight,
            pass: full(&weight.shape(), pass),
        }
    }
}

impl Policy for Ewc {
    fn term(&self, trained: &Named, _: &[Expert], buffers: &Named) -> Result<Option<Tensor>, String> {
        let mut terms = Vec::new();
        for (name, theta) in trained.iter() {
            let memory = Memory::read(&buffers.ending(&format!(".{name}")))?;
            terms.push(self.penalty(theta, memory));
        }
        Ok((!terms.is_empty()).then(|| sum_of(terms)))
    }

    fn observe(&self, weight: Tensor, gradient: Tensor, buffers: &Named) -> Result<Named, String> {
        let task = fact_number("task")?;
        Ok(self.observed(task, weight, gradient, Memory::read(buffers)?).named())
    }

    fn schedule(&self, tasks: &[String], _: &Shape, _: u64) -> Result<Vec<Vec<Directive>>, String> {
        Ok(tasks.iter().map(|_| vec![Directive::Train(training(1.0, 1.0)), Directive::Observe]).collect())
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self {
            strength: case.setting("lambda")?,
            decay: case.setting("decay")?,
            online: case.setting("online")?,
        };
        let theta = case.tensor("theta")?;
        let mut memory = Memory::empty(&theta.shape());
        let mut per_sample = Vec::new();
        let passes = case.list("sample_gradients").into_iter().zip(case.list("anchors"));
        for (task, (gradients, anchor)) in (0u32..).zip(passes) {
            for sample in 0..gradients.size(0) {
                memory = policy.observed(task, anchor, gradients.at(0, sample), memory);
            }
            per_sample.push(memory.newest());
        }
        // TRACE's code adds the squares of the gradients of all steps instead; no hook does.
        let steps: Vec<f64> = case.setting("steps_per_epoch")?;
        let batches = case.list("batch_gradients").into_iter().zip(steps);
        let per_batch: Vec<Tensor> =
            batches.map(|(gradients, steps)| gradients.square().sum(0).squeeze(0) / steps).collect();
        let used = if policy.online { vec![policy.joined(memory)[0]] } else { per_sample.clone() };
        let trained = Named::new().with("theta", theta);
        let buffers = memory.named().iter().map(|(name, buffer)| (format!("{name}.theta"), buffer)).collect();
        let penalty = policy.term(&trained, &[], &buffers)?.ok_or("no term")?;
        let outputs = Named::new()
            .with_list("fisher_samples", per_sample)
            .with_list("fisher_batches", per_batch)
            .with_list("used_fisher", used)
            .with("penalty", penalty);
        Ok(Played::new(outputs).loss(penalty))
    }
}
