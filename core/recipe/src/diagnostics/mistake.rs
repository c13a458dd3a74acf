//! What can be wrong with a recipe. It never says where: see `RecipeError`.

use std::error::Error;
use std::io;
use std::path::PathBuf;

/// What is wrong with a recipe, with the values that are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// A recipe or an inherited file that cannot be read.
    #[error("cannot read `{}`: {cause}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file that is not TOML.
    #[error("not valid TOML: {problem}")]
    Syntax {
        /// The parser's words.
        problem: String,
    },
    /// Keys, tables or lists within one another, more of them than any recipe has.
    #[error("more than {deepest} tables, lists or parts of a key lie within one another")]
    TooDeep {
        /// The most of them.
        deepest: usize,
    },
    /// Files that inherit files, more of them than any recipe has.
    #[error("{what}: {found}, more than the {most} of a recipe")]
    InheritTooMuch {
        /// What is counted.
        what: &'static str,
        /// How many there are at least.
        found: usize,
        /// The most.
        most: usize,
    },
    /// Settings of a policy that are larger than any need to be.
    #[error(
        "the settings of `{table}` have {bytes} bytes as JSON, more than the {most} that a policy is given"
    )]
    SettingsTooLarge {
        /// The table of the policy.
        table: String,
        /// Their size.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// More points than a sweep may have.
    #[error("the sweep has {found} points ({product}), more than the {most} that are planned together")]
    TooManyPoints {
        /// How many there are.
        found: String,
        /// Of which lists.
        product: String,
        /// The most.
        most: u64,
    },
    /// Two `--grid`s of one key.
    #[error("`{key}` has a `--grid` already")]
    GridTwice {
        /// The key.
        key: String,
    },
    /// A bare word of a `--grid` in which a comma may be part of it or end it.
    #[error("`{found}` has a quote or a bracket in it, so that its commas may mean two things")]
    NeedsQuotes {
        /// The word.
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
    /// A TOML date, which no key takes.
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
    /// A `--set` whose left side is no dotted key.
    #[error("this is no dotted key")]
    NotAKey,
    /// A `--set` or variable without a value.
    #[error("no value is given")]
    NoValue,
    /// A `CADRE__…` variable whose name has an empty part.
    #[error("`CADRE__` variables are named `CADRE__SECTION__KEY`")]
    NotAVariable,
    /// `inherit` is not a list of files.
    #[error("`inherit` is not a list of files")]
    InheritForm,
    /// `inherit` where it cannot be: in a variable or `--set`.
    #[error("only a file can inherit")]
    InheritOutsideFile,
    /// An inherited file that is nowhere.
    #[error("there is no `{name}` to inherit")]
    InheritMissing {
        /// As it is written.
        name: String,
    },
    /// A recipe that inherits itself.
    #[error("a recipe cannot inherit itself: {}", chain.join(" → "))]
    InheritCycle {
        /// From the recipe to itself.
        chain: Vec<String>,
    },
    /// A file inherited on two ways.
    #[error("`{file}` is inherited twice: by {} and by {}", first.join(" → "), second.join(" → "))]
    InheritDiamond {
        /// The file.
        file: String,
        /// The first way to it.
        first: Vec<String>,
        /// The second.
        second: Vec<String>,
    },
    /// A key nothing reads.
    #[error("unknown key `{key}` in {table}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands, as `[expert]`.
        table: String,
    },
    /// A section nothing reads.
    #[error("unknown {what} `{name}`")]
    UnknownSection {
        /// `section` or `key`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A value of another type.
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
    /// A word that is none of those a key takes.
    #[error("`{key}` cannot be `{found}`")]
    UnknownWord {
        /// The key.
        key: String,
        /// The word.
        found: String,
    },
    /// A value twice in a list.
    #[error("`{key}` holds {found} twice")]
    Twice {
        /// The key.
        key: String,
        /// The value.
        found: String,
    },
    /// A key or section that must be there.
    #[error("{what} is missing")]
    Missing {
        /// As `[stream]` or `` `rank` in [expert.adapter] ``.
        what: String,
    },
    /// Not exactly one of several keys.
    #[error("{table} takes exactly one of {keys}, here are {found}")]
    ExactlyOne {
        /// The table.
        table: String,
        /// The keys.
        keys: String,
        /// Those that are there.
        found: String,
    },
    /// Two values that cannot both be meant.
    #[error("{what} contradicts {against}: {why}")]
    Contradiction {
        /// What is there.
        what: String,
        /// What else is there.
        against: String,
        /// Why they do not go together.
        why: &'static str,
    },
    /// Something that another part of the recipe needs.
    #[error("{what} needs {needed}: {why}")]
    Needs {
        /// What is there.
        what: String,
        /// What is not.
        needed: String,
        /// What for.
        why: &'static str,
    },
    /// Numbers that do not divide.
    #[error("`{key}` = {value} is no multiple of `{of}` = {divisor}")]
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
    /// Prompt and response do not fit the context.
    #[error(
        "{prompt} tokens of prompt, {response} of response and {marks} marks exceed the backbone's context of {context}"
    )]
    ContextExceeded {
        /// The most tokens of a prompt.
        prompt: u64,
        /// The most tokens of a response.
        response: u64,
        /// Tokens around them: begin, end, indicator.
        marks: u64,
        /// The backbone's context.
        context: u64,
    },
    /// A variable in a path that is not set.
    #[error("`${name}` in `{key}` is not set")]
    UnsetVariable {
        /// The variable.
        name: String,
        /// The key whose path names it.
        key: String,
    },
    /// A plugin that is not there.
    #[error("there is no {kind} `{name}`")]
    NoPlugin {
        /// `router` or `selector`.
        kind: &'static str,
        /// As it is written.
        name: String,
    },
    /// A plugin of the other kind.
    #[error("`{name}` is a {found}, not a {kind}")]
    OtherKind {
        /// The plugin.
        name: String,
        /// What is needed.
        kind: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A plugin of another contract version.
    #[error("the {kind} `{name}` keeps contract {found}, this build speaks {spoken}")]
    OtherContract {
        /// What it is.
        kind: &'static str,
        /// The plugin.
        name: String,
        /// Its version of the contract.
        found: String,
        /// Ours.
        spoken: &'static str,
    },
    /// A file that is no policy.
    #[error("`{}` is no policy: {problem}", file.display())]
    BrokenPlugin {
        /// The file.
        file: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A backend this build lacks.
    #[error("this build has no backend `{name}`")]
    NoBackend {
        /// The backend.
        name: String,
    },
    /// A precision the backend cannot compute in.
    #[error("backend `{backend}` does not compute in `{precision}`")]
    NoPrecision {
        /// The backend.
        backend: String,
        /// The precision.
        precision: String,
    },
    /// A key of `[sweep]` that no recipe has.
    #[error("`{key}` is no key that a sweep can set")]
    SweepKey {
        /// The key.
        key: String,
    },
    /// Two points of a sweep that nothing tells apart.
    #[error("two points of the sweep are both `{name}`")]
    SamePoint {
        /// Their name.
        name: String,
    },
    /// A point of a sweep whose recipe is wrong.
    #[error("at the sweep's point `{point}`: {problem}")]
    AtPoint {
        /// The point's name.
        point: String,
        /// What is wrong with the recipe there.
        problem: Box<Mistake>,
    },
    /// Found by another part of Cadre, such as a task name that the dataset does not have.
    #[error("{problem}")]
    Elsewhere {
        /// Its words.
        problem: Box<dyn Error + Send + Sync>,
    },
}
