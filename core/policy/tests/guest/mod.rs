//! Small guests in WebAssembly text format: a well-behaved policy with one part replaced.

#![expect(dead_code, reason = "every test program is compiled for itself and uses some of this")]

use std::path::{Path, PathBuf};

use cadre_contract::{
    Candidate, Claim, Evidence, ExpertCard, Order, Purpose, Query, Role, RouterFinding, RouterObservation,
    RouterProbe,
};
use cadre_policy::{Limits, PolicyError, Sandbox};

/// A core module that is a router or selector, in parts.
pub(crate) struct Guest {
    interface: &'static str,
    imports: String,
    memory: String,
    globals: String,
    name: String,
    describe: String,
    open: String,
    call: String,
}

/// Parameters of `route`: `$ids` (address of the queries' ids) and `$length`.
const ROUTE: &str = "(param $ids i32) (param $length i32)";
/// A batch does not fit into parameters: it is in memory, and starts with the list of ids.
const ENTER_ROUTE: &str = "(param $batch i32) (result i32)
    (call $call (i32.load (local.get $batch)) (i32.load offset=4 (local.get $batch)))";
/// Parameters of `select`; the order is flattened: purpose, role, task, budget (two), seed.
const SELECT: &str = "(param $purpose i32) (param $role i32) (param $task i32) (param $bounded i32)
    (param $budget i32) (param $seed i64) (param $candidates i32) (param $count i32)
    (param $observations i32) (param $known i32)";

impl Guest {
    /// A router that sends everything to the backbone.
    pub(crate) fn router() -> Self {
        Self {
            interface: "router",
            imports: String::new(),
            memory: "(memory (export \"memory\") 64)".into(),
            globals: String::new(),
            name: "hostile".into(),
            describe: "(i32.const 128)".into(),
            open: "(i32.const 192)".into(),
            call: "(call $fill (local.get $length) (i32.const 2) (i32.const 0))
                   (call $done (i32.const 1048576) (local.get $length))"
                .into(),
        }
    }

    /// A selector that picks nothing.
    pub(crate) fn selector() -> Self {
        Self {
            interface: "selector",
            // ok(done([])): 0, then the step: 1, address, length.
            call: "(i32.store (i32.const 260) (i32.const 1)) (i32.const 256)".into(),
            ..Self::router()
        }
    }

    /// Imports `$log`, whose parameters are the level, the text's address and its length.
    pub(crate) fn logs(mut self) -> Self {
        let version = cadre_contract::CONTRACT_VERSION;
        self.imports = format!(
            "(import \"cadre:policy/diagnostics@{version}\" \"log\" (func $log (param i32 i32 i32)))"
        );
        self
    }

    pub(crate) fn memory(mut self, text: &str) -> Self {
        self.memory = text.into();
        self
    }

    /// Additional fields of the module.
    pub(crate) fn globals(mut self, text: &str) -> Self {
        self.globals = text.into();
        self
    }

    pub(crate) fn name(mut self, text: &str) -> Self {
        self.name = text.into();
        self
    }

    pub(crate) fn describe(mut self, text: &str) -> Self {
        self.describe = text.into();
        self
    }

    pub(crate) fn open(mut self, text: &str) -> Self {
        self.open = text.into();
        self
    }

    /// Body of `route` or `select`; returns the address of a result.
    pub(crate) fn call(mut self, text: &str) -> Self {
        self.call = text.into();
        self
    }

    pub(crate) fn module(&self) -> Vec<u8> {
        let Self { interface, imports, memory, globals, name, describe, open, call } = self;
        let version = cadre_contract::CONTRACT_VERSION;
        let (parameters, settings, enter) = match *interface {
            "router" => (
                ROUTE,
                "(param i32 i32 i32 i32)",
                format!("(func (export \"cadre:policy/router@{version}#route\") {ENTER_ROUTE})"),
            ),
            _ => (
                SELECT,
                "(param i32 i32)",
                format!("(export \"cadre:policy/selector@{version}#select\" (func $call))"),
            ),
        };
        let name_length = name.len();
        // Text from 512, description at 128, `ok` at 192, result at 256, steps from 1 MiB.
        let text = format!(
            r#"(module
              {imports}
              {memory}
              (global $top (mut i32) (i32.const 2097152))
              {globals}
              (data (i32.const 512) "{name}")
              (data (i32.const 1024) "0.1.0")
              (func $word (param $at i32) (param $value i32)
                (i32.store (local.get $at) (local.get $value)))
              (func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32)
                  (param $size i32) (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
                (global.set $top (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
              ;; Steps: kind, then the payload's first word; 12 bytes each.
              (func $fill (param $length i32) (param $kind i32) (param $value i32) (local $place i32)
                (block $end (loop $next
                  (br_if $end (i32.ge_u (local.get $place) (local.get $length)))
                  (call $step (local.get $place) (local.get $kind) (local.get $value) (i32.const 1))
                  (local.set $place (i32.add (local.get $place) (i32.const 1)))
                  (br $next))))
              (func $step (param $place i32) (param $kind i32) (param $value i32) (param $more i32)
                (local $at i32)
                (local.set $at (i32.add (i32.const 1048576) (i32.mul (local.get $place) (i32.const 12))))
                (call $word (local.get $at) (local.get $kind))
                (call $word (i32.add (local.get $at) (i32.const 4)) (local.get $value))
                (call $word (i32.add (local.get $at) (i32.const 8)) (local.get $more)))
              ;; ok(list of steps)
              (func $done (param $at i32) (param $length i32) (result i32)
                (call $word (i32.const 256) (i32.const 0))
                (call $word (i32.const 260) (local.get $at))
                (call $word (i32.const 264) (local.get $length))
                (i32.const 256))
              (func $describe (export "cadre:policy/{interface}@{version}#describe") (result i32)
                (call $word (i32.const 128) (i32.const 512))
                (call $word (i32.const 132) (i32.const {name_length}))
                (call $word (i32.const 136) (i32.const 1024))
                (call $word (i32.const 140) (i32.const 5))
                (call $word (i32.const 144) (i32.const 0))
                (call $word (i32.const 148) (i32.const 0))
                (call $word (i32.const 152) (i32.const 0))
                (call $word (i32.const 156) (i32.const 0))
                {describe})
              (func $open (export "cadre:policy/{interface}@{version}#open") {settings} (result i32)
                {open})
              {enter}
              (func $call {parameters} (result i32)
                {call}))"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// Writes the component to a folder.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join("hostile.wasm");
        let component = cadre_plugin_build::encode(&file, &self.module()).unwrap();
        std::fs::write(&file, component).unwrap();
        file
    }
}

/// A temporary folder and a sandbox with its cache in it, with limits that stop guests quickly.
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
}

pub(crate) fn tight() -> Limits {
    Limits {
        memory_bytes: 16 << 20,
        fuel: 20_000_000,
        fuel_per_byte: 0,
        answer_bytes: 1 << 20,
        rounds: 8,
        ..Limits::default()
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(tight())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(&folder.path().join("compiled"), limits).unwrap();
        Self { folder, sandbox }
    }

    /// Loads a file with these bytes.
    pub(crate) fn load_bytes(&self, bytes: &[u8]) -> Result<cadre_policy::Plugin, PolicyError> {
        let file = self.folder.path().join("hostile.wasm");
        std::fs::write(&file, bytes).unwrap();
        self.sandbox.load(&file)
    }

    pub(crate) fn load_text(&self, text: &str) -> Result<cadre_policy::Plugin, PolicyError> {
        self.load_bytes(&wat::parse_str(text).unwrap())
    }

    pub(crate) fn load(&self, guest: &Guest) -> Result<cadre_policy::Plugin, PolicyError> {
        self.sandbox.load(&guest.write(self.folder.path()))
    }

    /// The error of loading a guest.
    pub(crate) fn refusal(&self, guest: &Guest) -> PolicyError {
        self.load(guest).expect_err("a hostile guest must not load")
    }

    /// The router's error for queries 40, 41, …
    pub(crate) fn routing_error(&self, guest: &Guest, queries: u64) -> PolicyError {
        let plugin = self.load(guest).unwrap();
        let mut router = plugin.router("{}", &cards(3)).unwrap();
        router.route(&batch(queries)).expect_err("a hostile guest must fail")
    }
}

pub(crate) fn cards(count: u32) -> Vec<ExpertCard> {
    (0..count)
        .map(|index| ExpertCard {
            index,
            task: format!("task-{index}"),
            training_examples: 10,
            parameters: 100,
            descriptors: vec![],
        })
        .collect()
}

/// Queries 40, 41, … without evidence.
pub(crate) fn batch(count: u64) -> Vec<Evidence> {
    (0..count)
        .map(|index| Evidence {
            query: Query { id: 40 + index, prompt: "sort: 3 1 2".into(), prompt_tokens: 5 },
            observations: vec![],
        })
        .collect()
}

pub(crate) fn claim(expert: u32, accept: f32) -> RouterObservation {
    RouterObservation {
        probe: RouterProbe::Claim(expert),
        finding: RouterFinding::Claim(Claim { accept, reject: 1.0 - accept }),
    }
}

pub(crate) fn order(budget: u32) -> Order {
    Order { purpose: Purpose::Remember, role: Role::Negative, task: 2, budget: Some(budget), seed: 9 }
}

pub(crate) fn candidates(count: u64) -> Vec<Candidate> {
    (0..count)
        .map(|id| Candidate {
            id,
            task: 2,
            instruction: "sort".into(),
            input: format!("{id} 1"),
            response: format!("1 {id}"),
            tokens: 4,
        })
        .collect()
}
