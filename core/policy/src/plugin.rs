//! A loaded plugin: its identity, and the policies that can be opened from it.

use std::fmt;
use std::sync::Arc;

use cadre_contract::{ComponentFacts, Declarations, Description, ExpertCard, PluginKind};
use cadre_store::Digest;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::bindings::method_world::MethodsPre;
use crate::bindings::router_world::RouterPluginPre;
use crate::bindings::selector_world::SelectorPluginPre;
use crate::guest::{self, Guest};
use crate::{Call, Limits, LoadedFrom, Methods, PluginId, PolicyError, Router, Selector, answer_check};

/// A plugin that was read, checked and compiled.
#[derive(Clone)]
pub struct Plugin {
    engine: Engine,
    world: World,
    id: Arc<PluginId>,
    description: Description,
    limits: Limits,
    loaded_from: LoadedFrom,
}

#[derive(Clone)]
enum World {
    Router(RouterPluginPre<Guest>),
    Selector(SelectorPluginPre<Guest>),
    Methods(MethodsPre<Guest>, Arc<Declarations>),
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("id", &self.id)
            .field("kind", &self.kind())
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    pub(crate) fn of(
        engine: &Engine,
        component: &Component,
        (kind, facts): (PluginKind, &ComponentFacts),
        id: Arc<PluginId>,
        limits: Limits,
        loaded_from: LoadedFrom,
    ) -> Result<Self, PolicyError> {
        let shape = |problem| PolicyError::Shape { plugin: Arc::clone(&id), problem };
        let declarations = match kind {
            PluginKind::Methods => Some(Arc::new(facts.declarations().map_err(shape)?)),
            _ => None,
        };
        let world = world(engine, component, kind, declarations)
            .map_err(|error| PolicyError::of_engine(error.root_cause().to_string(), shape))?;
        let description = world.describe(engine, &limits, &id)?;
        let id = Arc::new(PluginId { name: description.name.clone(), ..Arc::unwrap_or_clone(id) });
        Ok(Self { engine: engine.clone(), world, id, description, limits, loaded_from })
    }

    /// The plugin's description of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Kind of policy.
    #[must_use]
    pub fn kind(&self) -> PluginKind {
        match self.world {
            World::Router(_) => PluginKind::Router,
            World::Selector(_) => PluginKind::Selector,
            World::Methods(..) => PluginKind::Methods,
        }
    }

    /// The policies of a collection.
    #[must_use]
    pub fn declarations(&self) -> Option<&Declarations> {
        match &self.world {
            World::Methods(_, declarations) => Some(declarations),
            _ => None,
        }
    }

    /// BLAKE3 of the file, used in stage keys.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.id.digest
    }

    /// Name, file and digest.
    #[must_use]
    pub fn id(&self) -> &PluginId {
        &self.id
    }

    /// Whether the plugin was compiled for this load or taken from the cache.
    #[must_use]
    pub fn loaded_from(&self) -> LoadedFrom {
        self.loaded_from
    }

    /// Opens the plugin's router. `settings_json` is the recipe's table without the key `plugin`; `experts` are in
    /// index order, from 0.
    ///
    /// # Errors
    /// If the plugin is a selector, refuses the settings or is stopped, or if the settings are too large.
    pub fn router(&self, settings_json: &str, experts: &[ExpertCard]) -> Result<Router, PolicyError> {
        self.fits(settings_json)?;
        match &self.world {
            World::Router(world) => Router::open(
                self.engine.clone(),
                world.clone(),
                Arc::clone(&self.id),
                self.limits.clone(),
                settings_json,
                experts,
            ),
            _ => Err(self.wrong_kind(PluginKind::Router)),
        }
    }

    /// Opens the plugin's selector. `settings_json` is the recipe's table without `plugin`, `share` and `count`.
    ///
    /// # Errors
    /// If the plugin is a router, refuses the settings or is stopped.
    pub fn selector(&self, settings_json: &str) -> Result<Selector, PolicyError> {
        self.fits(settings_json)?;
        match &self.world {
            World::Selector(world) => Selector::open(
                self.engine.clone(),
                world.clone(),
                Arc::clone(&self.id),
                self.limits.clone(),
                settings_json,
            ),
            _ => Err(self.wrong_kind(PluginKind::Selector)),
        }
    }

    /// Opens the collection.
    ///
    /// # Errors
    /// If the plugin is not a collection of methods.
    pub fn methods(&self) -> Result<Methods, PolicyError> {
        match &self.world {
            World::Methods(world, declarations) => Ok(Methods::open(
                self.engine.clone(),
                world.clone(),
                Arc::clone(declarations),
                Arc::clone(&self.id),
                self.limits.clone(),
            )),
            _ => Err(self.wrong_kind(PluginKind::Methods)),
        }
    }

    fn fits(&self, settings_json: &str) -> Result<(), PolicyError> {
        let (bytes, limit) = (settings_json.len(), self.limits.settings_bytes);
        match bytes > limit {
            true => Err(PolicyError::SettingsSize { plugin: Arc::clone(&self.id), bytes, limit }),
            false => Ok(()),
        }
    }

    fn wrong_kind(&self, wanted: PluginKind) -> PolicyError {
        PolicyError::Kind { plugin: Arc::clone(&self.id), found: self.kind(), wanted }
    }
}

fn world(
    engine: &Engine,
    component: &Component,
    kind: PluginKind,
    declarations: Option<Arc<Declarations>>,
) -> wasmtime::Result<World> {
    let before: InstancePre<Guest> = guest::linker(engine)?.instantiate_pre(component)?;
    Ok(match kind {
        PluginKind::Router => World::Router(RouterPluginPre::new(before)?),
        PluginKind::Selector => World::Selector(SelectorPluginPre::new(before)?),
        PluginKind::Methods => World::Methods(MethodsPre::new(before)?, declarations.unwrap_or_default()),
    })
}

impl World {
    fn describe(
        &self,
        engine: &Engine,
        limits: &Limits,
        id: &Arc<PluginId>,
    ) -> Result<Description, PolicyError> {
        if let Self::Methods(_, declarations) = self {
            let names: Vec<&str> = declarations.policies.iter().map(|policy| policy.name.as_str()).collect();
            return Ok(Description {
                name: id.name.clone(),
                version: declarations.version.clone(),
                summary: names.join(", "),
                reference: String::new(),
            });
        }
        let mut store = Guest::store(engine, limits);
        let said = guest::run(&mut store, id, Call::Describe, 0, |store| match self {
            Self::Methods(..) => unreachable!("described by its declarations"),
            Self::Router(world) => {
                let instance = world.instantiate(&mut *store)?;
                Guest::fits(store);
                instance.cadre_policy_router().call_describe(store)
            }
            Self::Selector(world) => {
                let instance = world.instantiate(&mut *store)?;
                Guest::fits(store);
                instance.cadre_policy_selector().call_describe(store)
            }
        })?;
        let description = Description {
            name: said.name,
            version: said.version,
            summary: said.summary,
            reference: said.reference,
        };
        answer_check::description(&description).map_err(|problem| PolicyError::Answer {
            plugin: Arc::clone(id),
            call: Call::Describe,
            problem,
        })?;
        Ok(description)
    }
}
