//! The dry run before anything runs: the recipe's policies are opened with their settings and called with made-up
//! queries, imported adapters are read, indicators are looked up, and rows are tokenised to measure their length.
//! Problems that would otherwise surface hours later are reported as errors of the recipe, with their location. The
//! policies' answers are not evaluated, and nothing is stored.

mod adapters;
mod lengths;
mod methods;
mod room;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use cadre_contract::{
    Answer, Candidate, Claim, Evidence, ExpertCard, NamedVector, Order, Purpose, Query, RouterFinding,
    RouterObservation, RouterProbe, RouterStep, SelectorFinding, SelectorObservation, SelectorProbe,
    SelectorStep,
};
use cadre_policy::{Limits, Plugin, PolicyError, Router, Sandbox, Selector};
use cadre_recipe::{Loaded, Recipe, RecipeError, RecipeErrors, meant_number, on_all_cores};
use cadre_scheduler::{
    Answering, OpenSweep, Plan, PluginWork, RememberWork, RoutingWork, StageWork, SweepPlan,
};
use serde_json::{Map, Value, json};

use crate::error::EngineError;
use crate::resources::compiled_policies;
use crate::stage::{backbone_sizes, contract_role, descriptor_name};

/// Tables of policies in a recipe.
const ROUTER: &str = "routing.router";
const SELECTOR: &str = "rehearsal.selector";

/// Maximum number of calls per policy: its first steps show which probes it uses.
const ROUNDS: u32 = 4;

/// Result of a dry run.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// Errors: the recipe cannot run.
    pub(crate) errors: Vec<RecipeError>,
    /// Warnings: the recipe can run.
    pub(crate) warnings: Vec<RecipeError>,
}

impl Tried {
    fn error(error: RecipeError) -> Self {
        Self { errors: vec![error], warnings: Vec::new() }
    }

    fn extend(&mut self, more: Self) {
        self.errors.extend(more.errors);
        self.warnings.extend(more.warnings);
    }
}

/// Does a dry run of a plan.
pub(crate) fn try_out(loaded: &Loaded, plan: &Plan, store: &Path) -> Result<Tried, EngineError> {
    let mut tried = PolicyDryRun::new(store).try_out(loaded, plan)?;
    if tried.errors.is_empty() {
        tried.extend(lengths::measured(loaded, plan, store)?);
    }
    Ok(tried)
}

/// Does a dry run of the points of a sweep on all cores; parts shared by several points are tried once. Returns
/// warnings.
pub(crate) fn try_points(
    sweep: &OpenSweep,
    plan: &SweepPlan,
    store: &Path,
) -> Result<Vec<RecipeError>, EngineError> {
    let points: Vec<_> = sweep.points().map(|(point, _)| point).zip(&plan.points).collect();
    // Rows are drawn with a point's seed; lengths are only reported for the first of several seeds.
    let mut first: HashSet<String> = HashSet::new();
    let measured: Vec<bool> =
        points.iter().map(|(point, _)| first.insert(lengths::measured_by(&point.loaded.recipe))).collect();
    let points: Vec<_> = points.into_iter().zip(measured).collect();
    let found = on_all_cores(&points, |some| {
        let mut policies = PolicyDryRun::new(store);
        let mut seen: HashSet<String> = HashSet::new();
        let mut all = Tried::default();
        for ((point, planned), measure) in some {
            let new = seen.insert(tried_by(&point.loaded.recipe));
            if !new && !measure {
                continue;
            }
            let plan = plan.plan_of(planned);
            let mut tried = if new { policies.try_out(&point.loaded, &plan)? } else { Tried::default() };
            if *measure && tried.errors.is_empty() {
                tried.extend(lengths::measured(&point.loaded, &plan, store)?);
            }
            all.warnings.extend(tried.warnings.into_iter().map(|warning| point.named(warning)));
            // Report the errors of one point only: others would repeat them.
            if !tried.errors.is_empty() {
                all.errors = tried.errors.into_iter().map(|error| point.named(error)).collect();
                break;
            }
        }
        Ok(all)
    });
    let found: Vec<Tried> = found.into_iter().collect::<Result<_, EngineError>>()?;
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for tried in found {
        if errors.is_empty() {
            errors = tried.errors;
        }
        warnings.extend(tried.warnings);
    }
    RecipeErrors::of(errors)?;
    Ok(warnings)
}

/// The parts of a recipe that the dry run of policies, adapters and indicators depends on.
fn tried_by(recipe: &Recipe) -> String {
    let imports = recipe.expert.as_ref().map(|expert| &expert.import);
    json!([recipe.routing, recipe.rehearsal, recipe.indicator, recipe.backbone, imports]).to_string()
}

/// Dry runs of several recipes in sequence: policies are loaded once, and a selector is tried once per distinct
/// settings.
struct PolicyDryRun<'a> {
    store: &'a Path,
    sandbox: Option<Sandbox>,
    plugins: HashMap<PathBuf, Plugin>,
    selected: HashSet<String>,
}

impl<'a> PolicyDryRun<'a> {
    fn new(store: &'a Path) -> Self {
        Self { store, sandbox: None, plugins: HashMap::new(), selected: HashSet::new() }
    }

    fn try_out(&mut self, loaded: &Loaded, plan: &Plan) -> Result<Tried, EngineError> {
        let backbone = plan.stages.iter().find_map(|stage| match &stage.work {
            StageWork::Backbone(work) => Some(backbone_sizes(work)),
            _ => None,
        });
        let width = match backbone {
            Some(Err(problem)) => return Ok(Tried::error(loaded.mistake("backbone.checkpoint", problem))),
            Some(Ok(sizes)) => sizes.hidden,
            None => return Ok(Tried::default()),
        };
        let Tried { errors, warnings } = adapters::tried(loaded, plan, self.store)?;
        if !errors.is_empty() {
            return Ok(Tried { errors, warnings });
        }
        if let Some(error) = adapters::indicator(loaded, plan, self.store)? {
            return Ok(Tried::error(error));
        }
        let routing = plan.stages.iter().find_map(|stage| match &stage.work {
            StageWork::Evaluate(work) => match &work.answering {
                Answering::Routed(routing) => Some(routing),
                Answering::Backbone | Answering::Adapter | Answering::Merged => None,
            },
            _ => None,
        });
        let selecting = plan.stages.iter().find_map(|stage| match &stage.work {
            StageWork::Remember(work) => Some(work),
            _ => None,
        });
        let selecting = selecting.filter(|work| {
            self.selected.insert(json!([work.selector, work.role, work.grant_experts, width]).to_string())
        });
        // Each with its number of experts: a merge of two need not be one of one.
        let merges: Vec<_> = plan
            .stages
            .iter()
            .filter_map(|stage| match &stage.work {
                StageWork::Merge(work) => Some((work, stage.inputs.len().saturating_sub(1))),
                _ => None,
            })
            .collect();
        if routing.is_none() && selecting.is_none() && merges.is_empty() {
            return Ok(Tried { errors, warnings });
        }
        let sandbox = match self.sandbox.take() {
            Some(sandbox) => sandbox,
            None => Sandbox::new(&compiled_policies(self.store), Limits::default())?,
        };
        let sandbox = &*self.sandbox.insert(sandbox);
        let trial = Trial { loaded, width };
        let mut load = |table: &str, work: &PluginWork| match self.plugins.get(&work.path) {
            Some(plugin) => Ok(plugin.clone()),
            None => {
                let plugin = sandbox.load(&work.path).map_err(|problem| trial.at_plugin(table, problem))?;
                self.plugins.insert(work.path.clone(), plugin.clone());
                Ok(plugin)
            }
        };
        let mut errors: Vec<RecipeError> = Vec::new();
        if let Some(work) = routing {
            let tried = load(ROUTER, &work.router).and_then(|plugin| trial.router(&plugin, work, plan));
            errors.extend(tried.err().map(|error| *error));
        }
        let tried = methods::merges(loaded, sandbox, &merges, width);
        errors.extend(tried.err().map(|error| *error));
        if let Some(work) = selecting {
            let tried = load(SELECTOR, &work.selector).and_then(|plugin| trial.selector(&plugin, work));
            errors.extend(tried.err().map(|error| *error));
        }
        // What concerns all policies, such as too little address space, is reported once.
        errors.dedup_by(|one, other| one.message() == other.message());
        Ok(Tried { errors, warnings })
    }
}

struct Trial<'a> {
    loaded: &'a Loaded,
    /// Length of an embedding.
    width: usize,
}

type Verdict<T> = Result<T, Box<RecipeError>>;

impl Trial<'_> {
    fn router(&self, plugin: &Plugin, work: &RoutingWork, plan: &Plan) -> Verdict<()> {
        let cards = self.cards(plan);
        let open = |settings: &str| plugin.router(settings, &cards).map(drop);
        let mut router = plugin
            .router(&as_json(&work.router.settings), &cards)
            .map_err(|problem| self.refused(ROUTER, &work.router, &open, problem))?;
        match self.asked(&mut router) {
            Err(problem) => Err(self.at_plugin(ROUTER, problem)),
            Ok(probes) => self.granted(work, &probes),
        }
    }

    /// Checks that the recipe grants the router's probes.
    fn granted(&self, work: &RoutingWork, probes: &[RouterProbe]) -> Verdict<()> {
        let name = &work.router.plugin;
        let claims = probes.iter().any(|probe| matches!(probe, RouterProbe::Claim(_)));
        if claims && work.indicator.is_none() {
            let problem = format!(
                "`{name}` asks the experts for their claims, and experts without indicators have none"
            );
            let hint = "add `[indicator]`, or name a router that asks for something else";
            return Err(Box::new(self.loaded.mistake("routing.router.plugin", problem).suggest(hint)));
        }
        if probes.contains(&RouterProbe::Task) && !work.grant_task {
            let problem = format!("`{name}` asks for the true task of a query, which is not granted to it");
            let hint = "`grant = [\"task\"]` in `[routing]` grants it, and the report says so";
            return Err(Box::new(self.loaded.mistake("routing.router.plugin", problem).suggest(hint)));
        }
        Ok(())
    }

    /// The probes that a router uses in its first steps. It may return an error because the findings are made up; that
    /// error is ignored.
    fn asked(&self, router: &mut Router) -> Result<Vec<RouterProbe>, PolicyError> {
        let query = Query { id: 0, prompt: "Which is larger?\n\n3 or 5".to_owned(), prompt_tokens: 12 };
        let mut evidence = Evidence { query, observations: Vec::new() };
        let mut asked = Vec::new();
        for round in 0..ROUNDS {
            let steps = match router.route(std::slice::from_ref(&evidence)) {
                Ok(steps) => steps,
                Err(problem) if round == 0 && !is_refusal(&problem) => return Err(problem),
                Err(_) => break,
            };
            let Some(RouterStep::Ask(probes)) = steps.into_iter().next() else { break };
            for probe in probes {
                let finding = self.made_up(&probe);
                asked.push(probe.clone());
                evidence.observations.push(RouterObservation { probe, finding });
            }
        }
        Ok(asked)
    }

    fn made_up(&self, probe: &RouterProbe) -> RouterFinding {
        match probe {
            RouterProbe::Claim(_) => RouterFinding::Claim(Claim { accept: 0.1, reject: 0.8 }),
            RouterProbe::Embedding => RouterFinding::Embedding(self.embedding()),
            RouterProbe::Surprise(_) => RouterFinding::Surprise(1.0),
            RouterProbe::Answer(_) => {
                RouterFinding::Answer(Answer { text: "5".to_owned(), mean_log_probability: -0.5 })
            }
            RouterProbe::Task => RouterFinding::Task(Some(0)),
        }
    }

    fn selector(&self, plugin: &Plugin, work: &RememberWork) -> Verdict<()> {
        let open = |settings: &str| plugin.selector(settings).map(drop);
        let mut selector = plugin
            .selector(&as_json(&work.selector.settings))
            .map_err(|problem| self.refused(SELECTOR, &work.selector, &open, problem))?;
        let role = contract_role(work.role);
        let orders = [
            Order { purpose: Purpose::Remember, role, task: 0, budget: Some(2), seed: 0 },
            Order { purpose: Purpose::Compose, role, task: 1, budget: None, seed: 0 },
        ];
        for order in orders {
            let experts = self
                .asks_experts(&mut selector, &order)
                .map_err(|problem| self.at_plugin(SELECTOR, problem))?;
            if experts && !work.grant_experts {
                let name = &work.selector.plugin;
                let problem = format!("`{name}` asks experts, which are not granted to it");
                let hint = "`grant = [\"experts\"]` in `[rehearsal]` grants them; experts are then trained \
                            sequentially";
                let error = self.loaded.mistake("rehearsal.selector.plugin", problem).suggest(hint);
                return Err(Box::new(error));
            }
        }
        Ok(())
    }

    /// Whether a selector probes experts in its first steps.
    fn asks_experts(&self, selector: &mut Selector, order: &Order) -> Result<bool, PolicyError> {
        let candidates: Vec<Candidate> = (0..4).map(candidate).collect();
        let mut seen: Vec<SelectorObservation> = Vec::new();
        for round in 0..ROUNDS {
            let step = match selector.select(order, &candidates, &seen) {
                Ok(step) => step,
                Err(problem) if round == 0 && !is_refusal(&problem) => return Err(problem),
                Err(_) => break,
            };
            let SelectorStep::Ask(probes) = step else { break };
            for probe in probes {
                let finding = match &probe {
                    SelectorProbe::Loss(_) => return Ok(true),
                    SelectorProbe::Generate(generation) if generation.expert.is_some() => return Ok(true),
                    SelectorProbe::Generate(_) => SelectorFinding::Generated("5".to_owned()),
                    SelectorProbe::Embedding(_) => SelectorFinding::Embedding(self.embedding()),
                };
                seen.push(SelectorObservation { probe, finding });
            }
        }
        Ok(false)
    }

    fn at_plugin(&self, table: &str, problem: PolicyError) -> Box<RecipeError> {
        Box::new(self.loaded.mistake(&format!("{table}.plugin"), problem))
    }

    /// The error for a policy that could not be opened, located at the offending setting if it can be determined.
    fn refused(
        &self,
        table: &str,
        work: &PluginWork,
        open: &dyn Fn(&str) -> Result<(), PolicyError>,
        problem: PolicyError,
    ) -> Box<RecipeError> {
        let PolicyError::Refused { message, .. } = &problem else { return self.at_plugin(table, problem) };
        let name = &work.plugin;
        // Serde's messages, and those of settings parsed like ours, put names in backticks.
        let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let named = words.first().copied().filter(|word| work.settings.contains_key(*word));
        let alone = || {
            let one =
                |(key, value): (&String, &Value)| as_json(&Map::from_iter([(key.clone(), value.clone())]));
            let refused =
                |setting: &(&String, &Value)| open(&one(*setting)).is_err_and(|error| is_refusal(&error));
            // If the policy also fails to open without settings, no setting is to blame.
            open("{}").ok().and_then(|()| work.settings.iter().find(refused)).map(|(key, _)| key.as_str())
        };
        let error = match named.or_else(alone) {
            Some(setting) if message.starts_with("unknown field") => {
                let problem = format!("`{name}` has no setting `{setting}`");
                let key = format!("{table}.{setting}");
                match words.get(1..) {
                    None | Some([]) => self.loaded.mistake(&key, problem).suggest("it takes no settings"),
                    Some(known) => self.loaded.wrong_choice(&key, problem, setting, known),
                }
            }
            Some(setting) => {
                let key = format!("{table}.{setting}");
                match work.settings.get(setting).zip(expected_type(message)) {
                    Some((value, kind)) => {
                        let problem = format!("`{name}` takes {kind} for `{setting}`, not {value}");
                        let mistake = self.loaded.mistake(&key, problem);
                        match value.as_str().and_then(|text| meant_number(text.trim())) {
                            Some(number) => mistake.suggest(format!("did you mean `{number}`?")),
                            None => mistake,
                        }
                    }
                    None => self.loaded.mistake(&key, format!("`{name}` refuses `{setting}`: {message}")),
                }
            }
            None => self.loaded.mistake(table, format!("`{name}` refuses to be opened: {message}")),
        };
        Box::new(error)
    }

    /// The cards of the experts at the end of the stream.
    fn cards(&self, plan: &Plan) -> Vec<ExpertCard> {
        let routing = self.loaded.recipe.routing.as_ref();
        let names: Vec<&str> = routing
            .map(|routing| {
                routing.descriptors.iter().map(|descriptor| descriptor_name(*descriptor)).collect()
            })
            .unwrap_or_default();
        let card = |(index, task): (u32, &String)| ExpertCard {
            index,
            task: task.clone(),
            training_examples: 1,
            parameters: 1,
            descriptors: names
                .iter()
                .map(|name| NamedVector { name: (*name).to_owned(), values: self.embedding() })
                .collect(),
        };
        (0..).zip(&plan.tasks).map(card).collect()
    }

    /// A unit vector.
    fn embedding(&self) -> Vec<f32> {
        let mut vector = vec![0.0; self.width];
        if let Some(first) = vector.first_mut() {
            *first = 1.0;
        }
        vector
    }
}

/// The type in serde's message about a value of another type, in words; `None` for other messages.
fn expected_type(message: &str) -> Option<&'static str> {
    if !message.starts_with("invalid type: ") && !message.starts_with("invalid value: ") {
        return None;
    }
    let (_, expected) = message.rsplit_once("expected ")?;
    match expected.split(" at line ").next()?.trim() {
        "f32" | "f64" => Some("a number"),
        "u8" | "u16" | "u32" | "u64" | "usize" => Some("a whole number of 0 or more"),
        "i8" | "i16" | "i32" | "i64" | "isize" => Some("a whole number"),
        "bool" | "a boolean" => Some("`true` or `false`"),
        "a string" => Some("a text in quotes"),
        "a sequence" => Some("a list"),
        _ => None,
    }
}

fn as_json(settings: &Map<String, Value>) -> String {
    Value::Object(settings.clone()).to_string()
}

/// Whether the policy itself returned an error, rather than being stopped.
fn is_refusal(problem: &PolicyError) -> bool {
    matches!(problem, PolicyError::Refused { .. })
}

fn candidate(id: u64) -> Candidate {
    Candidate {
        id,
        task: 0,
        instruction: "Which is larger?".to_owned(),
        input: format!("{id} or 2"),
        response: id.max(2).to_string(),
        tokens: 12,
    }
}

#[cfg(test)]
mod tests {
    use super::expected_type;

    #[test]
    fn types_of_settings_are_named_without_rust() {
        for (message, kind) in [
            ("invalid type: string \"0,5\", expected f32", Some("a number")),
            ("invalid type: string \"0,5\", expected f32 at line 1 column 20", Some("a number")),
            ("invalid value: integer `-1`, expected u32", Some("a whole number of 0 or more")),
            ("invalid type: integer `1`, expected a boolean", Some("`true` or `false`")),
            ("invalid type: integer `1`, expected struct Settings", None),
            ("`threshold` is 2, expected f32", None),
        ] {
            assert_eq!(expected_type(message), kind, "{message}");
        }
    }
}
