//! An instance of a policy under its limits: inputs, the outcome of a call, and its log. Each call runs in a fresh
//! instance that is dropped afterwards, so that no state can leak into the next call.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::HasSelf;
use wasmtime::{Engine, ResourceLimiter, Store, Trap};

use crate::bindings::method_world::cadre::method;
use crate::bindings::router_world::cadre::policy::{diagnostics, types};
use crate::method::Trace;
use crate::sandbox::TICK;
use crate::{Call, Fault, Limits, PluginId, PolicyError};

/// Number of log lines that are kept, and maximum characters per line.
const KEPT_LINES: usize = 8;
const KEPT_CHARACTERS: usize = 2_000;
/// Bytes charged per log line in addition to its text.
const LINE_BYTES: usize = 16;
/// Maximum number of instances, tables and memories of a component; interpreters of other languages need a few dozen.
const KEPT_PARTS: usize = 256;

/// State of a store.
pub(crate) struct Guest {
    limits: Limits,
    memory: u64,
    tables: u64,
    refused: Option<Fault>,
    words: Vec<String>,
    /// Bytes logged so far.
    logged: usize,
    fits: bool,
    /// The program that a hook of a method is building.
    pub(crate) trace: Option<Trace>,
}

impl Guest {
    /// A fresh store under these limits.
    pub(crate) fn store(engine: &Engine, limits: &Limits) -> Store<Self> {
        let guest = Self {
            limits: limits.clone(),
            memory: 0,
            tables: 0,
            refused: None,
            words: Vec::new(),
            logged: 0,
            fits: false,
            trace: None,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| guest);
        store.set_hostcall_fuel(limits.answer_bytes);
        store
    }

    /// Marks the instance as having the contract's functions: later failures are the policy's fault.
    pub(crate) fn fits(store: &mut Store<Self>) {
        store.data_mut().fits = true;
    }

    /// The log of the calls so far, one line per message.
    pub(crate) fn last_words(&self) -> String {
        self.words.join("\n")
    }

    /// Memory in use, bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }
}

/// The linker for all policies: diagnostics, and for methods symbolic tensors and facts. What a component may import of
/// these is checked before (`component_info`).
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<wasmtime::component::Linker<Guest>> {
    let mut linker = wasmtime::component::Linker::new(engine);
    diagnostics::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    method::diagnostics::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    method::tensors::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    method::facts::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// Runs a call with this number of input bytes, and determines its outcome.
pub(crate) fn run<R>(
    store: &mut Store<Guest>,
    plugin: &Arc<PluginId>,
    call: Call,
    bytes: usize,
    act: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<R>,
) -> Result<R, PolicyError> {
    let fuel = store.data().limits.fuel_for(bytes);
    let time = store.data().limits.time_for(fuel);
    let ended = store.set_fuel(fuel).and_then(|()| {
        store.set_epoch_deadline(ticks(time));
        act(store)
    });
    ended.map_err(|error| {
        let no_memory = PolicyError::of_engine(error.root_cause().to_string(), |problem| {
            PolicyError::Shape { plugin: Arc::clone(plugin), problem }
        });
        if matches!(no_memory, PolicyError::AddressSpace { .. }) {
            return no_memory;
        }
        let fault = fault_of(&error, store.data(), fuel, time);
        match fault {
            Ok(fault) => PolicyError::Stopped {
                plugin: Arc::clone(plugin),
                call,
                fault,
                last_words: store.data().last_words(),
            },
            Err(problem) => PolicyError::Shape { plugin: Arc::clone(plugin), problem },
        }
    })
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX / 2).clamp(1, u64::MAX / 2)
}

/// Why a call did not return; or, if it never started, how the component differs from the contract.
fn fault_of(error: &wasmtime::Error, guest: &Guest, fuel: u64, time: Duration) -> Result<Fault, String> {
    // After a refused growth of memory, the error is the one of the policy's allocator: the refusal is the cause.
    if let Some(refused) = &guest.refused {
        return Ok(refused.clone());
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return Ok(match trap {
            Trap::OutOfFuel => Fault::Fuel { limit: fuel },
            Trap::Interrupt => Fault::Time { limit: time },
            Trap::StackOverflow => Fault::Stack { limit: guest.limits.stack_bytes },
            other => Fault::Trap { trap: other.to_string().trim_start_matches("wasm trap: ").to_owned() },
        });
    }
    let cause = error.root_cause().to_string();
    // The error type is private to wasmtime, so we match the message; a test covers it.
    if cause.contains("fuel allocated for hostcalls has been exhausted") {
        return Ok(Fault::AnswerSize { limit: guest.limits.answer_bytes });
    }
    match guest.fits {
        true => Ok(Fault::NoValue { problem: cause }),
        false => Err(cause),
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.memory.saturating_add((desired.saturating_sub(current)) as u64);
        let limit = self.limits.memory_bytes;
        if wanted > limit {
            self.refused = Some(Fault::Memory { wanted, limit });
            return Ok(false);
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.tables.saturating_add((desired.saturating_sub(current)) as u64);
        let limit = self.limits.table_elements;
        if wanted > limit {
            self.refused = Some(Fault::Table { wanted, limit });
            return Ok(false);
        }
        self.tables = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        KEPT_PARTS
    }

    fn tables(&self) -> usize {
        KEPT_PARTS
    }

    fn memories(&self) -> usize {
        KEPT_PARTS
    }
}

impl types::Host for Guest {}

impl diagnostics::Host for Guest {
    fn log(&mut self, level: diagnostics::Level, message: String) -> wasmtime::Result<()> {
        self.note(&format!("{level:?}"), &message)
    }
}

impl method::diagnostics::Host for Guest {
    fn log(&mut self, level: method::diagnostics::Level, message: String) -> wasmtime::Result<()> {
        self.note(&format!("{level:?}"), &message)
    }
}

impl Guest {
    /// Keeps a line of the policy's log.
    fn note(&mut self, level: &str, message: &str) -> wasmtime::Result<()> {
        // Host work costs the policy no fuel, so log bytes are counted. Empty lines count too.
        self.logged = self.logged.saturating_add(message.len()).saturating_add(LINE_BYTES);
        let limit = self.limits.answer_bytes;
        if self.logged > limit {
            self.refused = Some(Fault::LogSize { limit });
            return Err(wasmtime::Error::msg("logged more than its limit"));
        }
        // Log lines are printed on a terminal: strip control characters.
        let line: String = message
            .chars()
            .take(KEPT_CHARACTERS)
            .map(|character| match character {
                '\n' | '\t' => ' ',
                other if other.is_control() => '\u{fffd}',
                other => other,
            })
            .collect();
        tracing::debug!(level, "policy: {line}");
        if self.words.len() == KEPT_LINES {
            self.words.remove(0);
        }
        self.words.push(line);
        Ok(())
    }
}
