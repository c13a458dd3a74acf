//! What [`crate::export_methods!`] names; not for use by hand. Finds the policy by its name, reads its settings, and converts
//! between the contract's types and the SDK's.

use std::marker::PhantomData;

pub use crate::bindings;
use crate::bindings::exports::cadre::method::hooks;
use crate::policy::{self, Policy};
use crate::{Case, Context, Expert, Gate, Model, Plan, Step, Tensor, panics};

type Named = Vec<hooks::Named>;
type Handle = hooks::Tensor;
type Answer<T> = Result<T, String>;

/// The hooks of a policy with the contract's types.
pub trait Hooks: Sync {
    /// The hook `parameters`.
    fn parameters(&self, settings: &str, at: hooks::Site) -> Answer<Vec<hooks::Parameter>>;
    /// The hook `gate`.
    fn gate(&self, settings: &str, call: Gate) -> Answer<hooks::Gated>;
    /// The hook `plan`.
    fn plan(&self, settings: &str, call: Plan) -> Answer<Named>;
    /// The hook `term`.
    fn term(
        &self,
        settings: &str,
        trained: Named,
        earlier: Vec<hooks::Expert>,
        buffers: Named,
    ) -> Answer<Option<Handle>>;
    /// The hook `gradient`.
    fn gradient(&self, settings: &str, weight: Handle, gradient: Handle, buffers: Named) -> Answer<Handle>;
    /// The hook `after-step`.
    fn after_step(&self, settings: &str, step: Step) -> Answer<hooks::Stepped>;
    /// The hook `observe`.
    fn observe(&self, settings: &str, weight: Handle, gradient: Handle, buffers: Named) -> Answer<Named>;
    /// The hook `finish`.
    fn finish(&self, settings: &str, at: hooks::Site, weight: Handle, expert: hooks::Expert)
    -> Answer<Named>;
    /// The hook `transform`.
    fn transform(&self, settings: &str, tensors: Named) -> Answer<Named>;
    /// The hook `merge`.
    fn merge(&self, settings: &str, base: Handle, models: Vec<hooks::Model>) -> Answer<Handle>;
    /// The hook `streams`.
    fn streams(&self, settings: &str) -> Answer<Vec<hooks::LogitStream>>;
    /// The hook `decode`.
    fn decode(&self, settings: &str, logits: Named) -> Answer<Handle>;
    /// The hook `schedule`.
    fn schedule(
        &self,
        settings: &str,
        tasks: &[String],
        model: &hooks::Shape,
        seed: u64,
    ) -> Answer<Vec<Vec<hooks::Directive>>>;
    /// Plays a case.
    fn play_case(&self, settings: &str, inputs: Vec<hooks::CaseArray>) -> Answer<hooks::CaseResult>;
}

/// The hooks of a policy.
pub struct Of<P>(PhantomData<fn() -> P>);

impl<P: Policy> Of<P> {
    /// The hooks of the policy of this type.
    pub const HOOKS: Self = Self(PhantomData);

    fn open(settings: &str) -> Answer<P> {
        policy::settings(settings)
    }
}

impl<P: Policy> Hooks for Of<P> {
    fn parameters(&self, settings: &str, at: hooks::Site) -> Answer<Vec<hooks::Parameter>> {
        let parameters = Self::open(settings)?.parameters(at)?;
        Ok(parameters.into_iter().map(|parameter| parameter.0).collect())
    }

    fn gate(&self, settings: &str, call: Gate) -> Answer<hooks::Gated> {
        let gated = Self::open(settings)?.gate(&call)?;
        Ok(hooks::Gated {
            weights: gated.weights.map(Tensor::number),
            output: gated.output.map(Tensor::number),
            loss_term: gated.loss_term.map(Tensor::number),
            statistics: gated.statistics.into(),
        })
    }

    fn plan(&self, settings: &str, call: Plan) -> Answer<Named> {
        Ok(Self::open(settings)?.plan(&call)?.into())
    }

    fn term(
        &self,
        settings: &str,
        trained: Named,
        earlier: Vec<hooks::Expert>,
        buffers: Named,
    ) -> Answer<Option<Handle>> {
        let policy = Self::open(settings)?;
        let term = policy.term(&trained.into(), &Expert::of_core(earlier), &buffers.into())?;
        Ok(term.map(Tensor::number))
    }

    fn gradient(&self, settings: &str, weight: Handle, gradient: Handle, buffers: Named) -> Answer<Handle> {
        let policy = Self::open(settings)?;
        Ok(policy.gradient(Tensor::of(weight), Tensor::of(gradient), &buffers.into())?.number())
    }

    fn after_step(&self, settings: &str, step: Step) -> Answer<hooks::Stepped> {
        let stepped = Self::open(settings)?.after_step(&step)?;
        Ok(hooks::Stepped { weight: stepped.weight.map(Tensor::number), buffers: stepped.buffers.into() })
    }

    fn observe(&self, settings: &str, weight: Handle, gradient: Handle, buffers: Named) -> Answer<Named> {
        let policy = Self::open(settings)?;
        Ok(policy.observe(Tensor::of(weight), Tensor::of(gradient), &buffers.into())?.into())
    }

    fn finish(
        &self,
        settings: &str,
        at: hooks::Site,
        weight: Handle,
        expert: hooks::Expert,
    ) -> Answer<Named> {
        let expert = Expert::one_of_core(0, expert);
        Ok(Self::open(settings)?.finish(at, Tensor::of(weight), &expert)?.into())
    }

    fn transform(&self, settings: &str, tensors: Named) -> Answer<Named> {
        Ok(Self::open(settings)?.transform(&tensors.into())?.into())
    }

    fn merge(&self, settings: &str, base: Handle, models: Vec<hooks::Model>) -> Answer<Handle> {
        let model = |raw: hooks::Model| Model {
            name: raw.name,
            delta: Tensor::of(raw.delta),
            tensors: raw.tensors.into(),
        };
        let models: Vec<Model> = models.into_iter().map(model).collect();
        Ok(Self::open(settings)?.merge(Tensor::of(base), &models)?.number())
    }

    fn streams(&self, settings: &str) -> Answer<Vec<hooks::LogitStream>> {
        let stream = |stream: policy::Stream| hooks::LogitStream {
            name: stream.name,
            source: stream.source,
            prefix: stream.prefix,
        };
        Ok(Self::open(settings)?.streams()?.into_iter().map(stream).collect())
    }

    fn decode(&self, settings: &str, logits: Named) -> Answer<Handle> {
        Ok(Self::open(settings)?.decode(&logits.into())?.number())
    }

    fn schedule(
        &self,
        settings: &str,
        tasks: &[String],
        model: &hooks::Shape,
        seed: u64,
    ) -> Answer<Vec<Vec<hooks::Directive>>> {
        Self::open(settings)?.schedule(tasks, model, seed)
    }

    fn play_case(&self, settings: &str, inputs: Vec<hooks::CaseArray>) -> Answer<hooks::CaseResult> {
        let played = P::play_case(&Case::new(settings, inputs)?)?;
        Ok(hooks::CaseResult {
            outputs: played.outputs.into(),
            loss: played.loss.map(Tensor::number),
            others: serde_json::Value::Object(played.others).to_string(),
        })
    }
}

/// The policies of a component.
pub trait Collection {
    /// Names and hooks.
    const POLICIES: &[(&str, &dyn Hooks)];
}

/// The policy with this name.
fn find<C: Collection>(name: &str) -> Answer<&'static dyn Hooks> {
    panics::report_panics();
    match C::POLICIES.iter().find(|(found, _)| *found == name) {
        Some((_, hooks)) => Ok(*hooks),
        None => {
            let known: Vec<&str> = C::POLICIES.iter().map(|(name, _)| *name).collect();
            Err(format!("the component has no policy `{name}`; it has: {}", known.join(", ")))
        }
    }
}

impl<C: Collection> hooks::Guest for C {
    fn parameters(policy: String, settings: String, at: hooks::Site) -> Answer<Vec<hooks::Parameter>> {
        find::<C>(&policy)?.parameters(&settings, at)
    }

    fn gate(
        policy: String,
        settings: String,
        at: hooks::Site,
        x: Handle,
        base_out: Handle,
        experts: Vec<hooks::Expert>,
        parameters: Named,
        context: hooks::Context,
    ) -> Answer<hooks::Gated> {
        let call = Gate {
            site: at,
            x: Tensor::of(x),
            base_out: Tensor::of(base_out),
            experts: Expert::of_core(experts),
            parameters: parameters.into(),
            context: Context::from(context),
        };
        find::<C>(&policy)?.gate(&settings, call)
    }

    fn plan(
        policy: String,
        settings: String,
        hidden: Handle,
        sites: u32,
        experts: u32,
        parameters: Named,
        context: hooks::Context,
    ) -> Answer<Named> {
        let (hidden, parameters) = (Tensor::of(hidden), parameters.into());
        let call = Plan { hidden, sites, experts, parameters, context: Context::from(context) };
        find::<C>(&policy)?.plan(&settings, call)
    }

    fn term(
        policy: String,
        settings: String,
        trained: Named,
        earlier: Vec<hooks::Expert>,
        buffers: Named,
    ) -> Answer<Option<Handle>> {
        find::<C>(&policy)?.term(&settings, trained, earlier, buffers)
    }

    fn gradient(
        policy: String,
        settings: String,
        weight: Handle,
        gradient: Handle,
        buffers: Named,
    ) -> Answer<Handle> {
        find::<C>(&policy)?.gradient(&settings, weight, gradient, buffers)
    }

    fn after_step(
        policy: String,
        settings: String,
        before: Handle,
        after: Handle,
        gradient: Handle,
        buffers: Named,
    ) -> Answer<hooks::Stepped> {
        let step = Step {
            before: Tensor::of(before),
            after: Tensor::of(after),
            gradient: Tensor::of(gradient),
            buffers: buffers.into(),
        };
        find::<C>(&policy)?.after_step(&settings, step)
    }

    fn observe(
        policy: String,
        settings: String,
        weight: Handle,
        gradient: Handle,
        buffers: Named,
    ) -> Answer<Named> {
        find::<C>(&policy)?.observe(&settings, weight, gradient, buffers)
    }

    fn finish(
        policy: String,
        settings: String,
        at: hooks::Site,
        weight: Handle,
        expert: hooks::Expert,
    ) -> Answer<Named> {
        find::<C>(&policy)?.finish(&settings, at, weight, expert)
    }

    fn transform(policy: String, settings: String, tensors: Named) -> Answer<Named> {
        find::<C>(&policy)?.transform(&settings, tensors)
    }

    fn merge(policy: String, settings: String, base: Handle, models: Vec<hooks::Model>) -> Answer<Handle> {
        find::<C>(&policy)?.merge(&settings, base, models)
    }

    fn streams(policy: String, settings: String) -> Answer<Vec<hooks::LogitStream>> {
        find::<C>(&policy)?.streams(&settings)
    }

    fn decode(policy: String, settings: String, logits: Named) -> Answer<Handle> {
        find::<C>(&policy)?.decode(&settings, logits)
    }

    fn schedule(
        policy: String,
        settings: String,
        tasks: Vec<String>,
        model_shape: hooks::Shape,
        seed: u64,
    ) -> Answer<Vec<Vec<hooks::Directive>>> {
        find::<C>(&policy)?.schedule(&settings, &tasks, &model_shape, seed)
    }

    fn play_case(
        policy: String,
        settings: String,
        inputs: Vec<hooks::CaseArray>,
    ) -> Answer<hooks::CaseResult> {
        find::<C>(&policy)?.play_case(&settings, inputs)
    }
}
