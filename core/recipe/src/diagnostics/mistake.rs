//! The kinds of errors in a recipe, without their location; `RecipeError` adds it.

use std::error::Error;
use std::io;
use std::path::PathBuf;

/// An error in a recipe, with the values concerned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// A recipe or an inherited file that cannot be read.
    #[error("cannot read `{}`: {cause}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A file that is not TOML.
    #[error("not valid TOML: {problem}")]
    Syntax {
        /// The parser's message, explained where possible.
        problem: String,
    },
    /// Keys, tables or lists that are nested too deeply.
    #[error("tables, lists or parts of a key are nested more than {deepest} levels deep")]
    TooDeep {
        /// The limit.
        deepest: usize,
    },
    /// Too many inherited files.
    #[error("{what}: {found}, but the limit is {limit}")]
    InheritTooMuch {
        /// What is counted.
        what: &'static str,
        /// Their number, or a lower bound of it.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Settings of a policy that exceed the size limit.
    #[error("the settings of `{table}` have {bytes} bytes as JSON, but the limit is {limit}")]
    SettingsTooLarge {
        /// The table of the policy.
        table: String,
        /// Their size in bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A sweep with too many points.
    #[error("the sweep has {found} points ({product}), but the limit is {limit}")]
    TooManyPoints {
        /// The number of points.
        found: String,
        /// The lengths of the lists that it is the product of.
        product: String,
        /// The limit.
        limit: u64,
    },
    /// Two `--grid` options for the same key.
    #[error("`{key}` already has a `--grid`")]
    GridTwice {
        /// The key.
        key: String,
    },
    /// An unquoted value of a `--grid` whose commas are ambiguous.
    #[error("`{found}` contains a quote or a bracket, so its commas are ambiguous")]
    NeedsQuotes {
        /// The value.
        found: String,
    },
    /// An integer outside 64 bits.
    #[error("the number {found} does not fit 64 bits")]
    TooLarge {
        /// The number.
        found: String,
    },
    /// `nan` or `inf`.
    #[error("`{found}` is not a finite 64-bit number")]
    NotFinite {
        /// The number.
        found: String,
    },
    /// A TOML date; no key takes one.
    #[error("no key takes a date: {found}; quote it if it is a text")]
    Date {
        /// The date.
        found: String,
    },
    /// A `--set` without `=`.
    #[error("`--set` takes `section.key=value`")]
    NoAssignment,
    /// A `--grid` without `=`.
    #[error("`--grid` takes `section.key=value,value,…`")]
    NoGrid,
    /// A `--set` whose left side is not a dotted key.
    #[error("this is not a dotted key")]
    NotAKey,
    /// A `--set` or variable without a value.
    #[error("the value is missing")]
    NoValue,
    /// A `CADRE__…` variable whose name has an empty part.
    #[error("`CADRE__` variables are named `CADRE__SECTION__KEY`")]
    NotAVariable,
    /// `inherit` is not a list of files.
    #[error("`inherit` is not a list of files")]
    InheritForm,
    /// `inherit` in a variable or `--set`.
    #[error("only a file can inherit")]
    InheritOutsideFile,
    /// An inherited file that does not exist.
    #[error("there is no `{name}` to inherit")]
    InheritMissing {
        /// The name, as written.
        name: String,
    },
    /// A recipe that inherits itself.
    #[error("a recipe cannot inherit itself: {}", chain.join(" → "))]
    InheritCycle {
        /// The files from the recipe to itself.
        chain: Vec<String>,
    },
    /// A file that is inherited twice.
    #[error("`{file}` is inherited twice: by {} and by {}", first.join(" → "), second.join(" → "))]
    InheritDiamond {
        /// The file.
        file: String,
        /// The first path to it.
        first: Vec<String>,
        /// The second path to it.
        second: Vec<String>,
    },
    /// An unknown key.
    #[error("unknown key `{key}` in {table}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table it is in, as `[expert]`.
        table: String,
    },
    /// An unknown section or top-level key.
    #[error("unknown {what} `{name}`")]
    UnknownSection {
        /// `section` or `key`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A value of the wrong type.
    #[error("`{key}` is {found}")]
    WrongType {
        /// The key.
        key: String,
        /// The type that was found.
        found: String,
    },
    /// A number or text outside its range.
    #[error("`{key}` is out of range: {found}")]
    OutOfRange {
        /// The key.
        key: String,
        /// The value.
        found: String,
    },
    /// A word that the key does not accept.
    #[error("`{key}` cannot be `{found}`")]
    UnknownWord {
        /// The key.
        key: String,
        /// The word.
        found: String,
    },
    /// A duplicate in a list.
    #[error("`{key}` contains {found} twice")]
    Twice {
        /// The key.
        key: String,
        /// The value.
        found: String,
    },
    /// A required key or section that is missing.
    #[error("{what} is missing")]
    Missing {
        /// As `[stream]` or `` `rank` in [expert.adapter] ``.
        what: String,
    },
    /// Not exactly one of several keys.
    #[error("{table} takes exactly one of {keys}; given: {found}")]
    ExactlyOne {
        /// The table.
        table: String,
        /// The keys.
        keys: String,
        /// The keys given.
        found: String,
    },
    /// Two values that contradict each other.
    #[error("{what} contradicts {against}: {why}")]
    Contradiction {
        /// The first value.
        what: String,
        /// The second value.
        against: String,
        /// Why they contradict each other.
        why: &'static str,
    },
    /// A part of the recipe that requires another part.
    #[error("{what} needs {needed}: {why}")]
    Needs {
        /// The part that is given.
        what: String,
        /// The part that is missing.
        needed: String,
        /// What it is required for.
        why: &'static str,
    },
    /// Numbers of which one must be a multiple of the other.
    #[error("`{key}` = {value} is not a multiple of `{of}` = {divisor}")]
    NoMultiple {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The other key.
        of: &'static str,
        /// Its value.
        divisor: u64,
    },
    /// Prompt and response exceed the context of the backbone.
    #[error(
        "{prompt} tokens of prompt, {response} of response and {marks} special tokens exceed the backbone's context of {context}"
    )]
    ContextExceeded {
        /// Maximum number of tokens of a prompt.
        prompt: u64,
        /// Maximum number of tokens of a response.
        response: u64,
        /// Number of special tokens: begin, end, indicator.
        marks: u64,
        /// The backbone's context.
        context: u64,
    },
    /// An environment variable in a path that is not set.
    #[error("`${name}` in `{key}` is not set")]
    UnsetVariable {
        /// The variable.
        name: String,
        /// The key with the path.
        key: String,
    },
    /// A plugin that was not found.
    #[error("there is no {kind} `{name}`")]
    NoPlugin {
        /// `router` or `selector`.
        kind: &'static str,
        /// The name, as written.
        name: String,
    },
    /// A method that several collections declare.
    #[error("`{name}` is declared by {holders}")]
    SeveralMethods {
        /// The method.
        name: String,
        /// The files.
        holders: String,
    },
    /// A setting that a method does not declare.
    #[error("`{method}` has no setting `{key}`")]
    NoSetting {
        /// The method.
        method: String,
        /// The key.
        key: String,
    },
    /// A setting that a method requires.
    #[error("`{method}` requires the setting `{key}`: {doc}")]
    MissingSetting {
        /// The method.
        method: String,
        /// The key.
        key: String,
        /// What it does.
        doc: String,
    },
    /// A setting of a method with a value that does not fit.
    #[error("the setting `{key}` of `{method}` is {found}")]
    SettingValue {
        /// The method.
        method: String,
        /// The key.
        key: String,
        /// The value.
        found: String,
    },
    /// A plugin of the other kind.
    #[error("`{name}` is a {found}, not a {kind}")]
    OtherKind {
        /// The plugin.
        name: String,
        /// The required kind.
        kind: &'static str,
        /// Its kind.
        found: &'static str,
    },
    /// A plugin of another contract version.
    #[error("the {kind} `{name}` implements contract {found}, but this build supports {spoken}")]
    OtherContract {
        /// Its kind.
        kind: &'static str,
        /// The plugin.
        name: String,
        /// Its version of the contract.
        found: String,
        /// The version that this build supports.
        spoken: &'static str,
    },
    /// A file that is not a policy.
    #[error("`{}` is not a policy: {problem}", file.display())]
    BrokenPlugin {
        /// The file.
        file: PathBuf,
        /// The cause.
        problem: String,
    },
    /// A backend that this build does not include.
    #[error("this build has no backend `{name}`")]
    NoBackend {
        /// The backend.
        name: String,
    },
    /// A precision that the backend does not support.
    #[error("backend `{backend}` does not support `{precision}`")]
    NoPrecision {
        /// The backend.
        backend: String,
        /// The precision.
        precision: String,
    },
    /// A key of `[sweep]` that recipes do not have.
    #[error("`{key}` is not a key that a sweep can set")]
    SweepKey {
        /// The key.
        key: String,
    },
    /// Two points of a sweep with the same name.
    #[error("two points of the sweep have the name `{name}`")]
    SamePoint {
        /// Their name.
        name: String,
    },
    /// An error in the recipe of a point of a sweep.
    #[error("at the sweep's point `{point}`: {problem}")]
    AtPoint {
        /// The point's name.
        point: String,
        /// The error in its recipe.
        problem: Box<Mistake>,
    },
    /// An error found by another part of Cadre, such as a task name that the dataset does not have.
    #[error("{}", cadre_store::chain(problem.as_ref()))]
    Elsewhere {
        /// The underlying error.
        problem: Box<dyn Error + Send + Sync>,
    },
}
