//! Translates a selection (`--where`, `--sort`, `--columns`) to SQL and the result to a table. User input must only
//! ever be passed as a bound parameter, never as SQL text.

use std::collections::HashMap;

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, params_from_iter};

use crate::filter::{Comparison, Filter, Literal, Relation, parse, query_error};
use crate::value::stretch;
use crate::{Origin, RunsError, Table, Value};

/// Default columns of a list of runs.
pub const DEFAULT_COLUMNS: [&str; 7] =
    ["id", "name", "seed", "average-score", "backward-transfer", "routing.accuracy", "changed"];

/// Keys that are always valid, even if no run has them.
const ALWAYS: [&str; 14] = [
    "id",
    "name",
    "seed",
    "state",
    "created",
    "changed",
    "tags",
    "tag",
    "sweep",
    "average-score",
    "backward-transfer",
    "forward-transfer",
    "forgetting",
    "routing.accuracy",
];

/// Up to this number of runs, values are looked up one by one; beyond it, all values of a key are scanned.
const FEW: usize = 300;

/// Which runs to list, in which order, and which of their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// A filter, such as `routing.router.threshold >= 0.3 and name = see`. `None` selects all runs.
    pub filter: Option<String>,
    /// A sort key, ascending, or descending with a `-` prefix. Runs without the key come last; ties are sorted by id.
    /// `None` sorts by id.
    pub sort: Option<String>,
    /// Restricts the result to runs with these ids; `None` means all.
    pub ids: Option<Vec<String>>,
    /// Maximum number of runs.
    pub limit: Option<usize>,
    /// Comma-separated keys; `*` means every key. `None` means [`DEFAULT_COLUMNS`].
    pub columns: Option<String>,
    /// Keys shown beside the default columns, after the seed.
    pub also: Vec<String>,
}

/// The keys in an index.
pub(crate) struct Keys {
    by_name: HashMap<String, (i64, Origin)>,
}

impl Keys {
    pub(crate) fn load(database: &Connection) -> rusqlite::Result<Self> {
        let mut statement = database.prepare_cached("SELECT name, id, origin FROM key")?;
        let mut rows = statement.query([])?;
        let mut by_name = HashMap::new();
        while let Some(row) = rows.next()? {
            let origin = match row.get::<_, i64>(2)? {
                0 => Origin::Run,
                1 => Origin::Recipe,
                _ => Origin::Figure,
            };
            by_name.insert(row.get(0)?, (row.get(1)?, origin));
        }
        Ok(Self { by_name })
    }

    pub(crate) fn id(&self, name: &str) -> Option<i64> {
        self.by_name.get(name).map(|(id, _)| *id)
    }

    pub(crate) fn insert(&mut self, name: &str, id: i64, origin: Origin) {
        self.by_name.insert(name.to_owned(), (id, origin));
    }

    /// All keys by origin (run, recipes, reports), sorted by name within each.
    pub(crate) fn sorted(&self) -> Vec<(String, Origin)> {
        let mut all: Vec<(String, Origin)> =
            self.by_name.iter().map(|(name, (_, origin))| (name.clone(), *origin)).collect();
        all.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        all
    }

    /// The id of a key; `None` for a valid key that no run has. Unknown keys are an error.
    fn resolve(&self, name: &str) -> Result<Option<i64>, String> {
        let name = if name == "tag" { "tags" } else { name };
        match self.id(name) {
            Some(id) => Ok(Some(id)),
            None if ALWAYS.contains(&name) => Ok(None),
            None => Err(match self.nearest(name) {
                Some(near) => format!("no run has the key `{name}`; did you mean `{near}`?"),
                None => format!("no run has the key `{name}`; `cadre runs keys` lists the keys"),
            }),
        }
    }

    /// The closest match: a key that ends with this name, or one with a similar spelling.
    fn nearest(&self, name: &str) -> Option<&str> {
        let known = || self.by_name.keys().map(String::as_str).chain(ALWAYS);
        let tail = format!(".{name}");
        let ends = known().filter(|key| key.ends_with(&tail)).min_by_key(|key| (key.len(), key.to_string()));
        // Accept `_` in place of `-`.
        let dashed = name.replace('_', "-").to_lowercase();
        let near = || {
            known()
                .map(|key| {
                    let last = key.rsplit('.').next().unwrap_or(key);
                    let alike = strsim::normalized_damerau_levenshtein(&dashed, key);
                    // A match of the last segment alone counts slightly less.
                    let part = 0.9 * strsim::normalized_damerau_levenshtein(&dashed, last);
                    (alike.max(part), key)
                })
                .filter(|(alike, _)| *alike >= 0.6)
                .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
                .map(|(_, key)| key)
        };
        ends.or_else(near)
    }
}

/// Runs the selection.
pub(crate) fn select(database: &Connection, selection: &Selection) -> Result<Table, RunsError> {
    let keys = Keys::load(database)?;
    let mut compiled = Compiled { keys: &keys, text: "", parameters: Vec::new() };
    let mut condition = "1".to_owned();
    if let Some(text) = &selection.filter {
        compiled.text = text;
        condition = compiled.filter(&parse(text)?)?;
    }
    if let Some(ids) = &selection.ids {
        // One bound parameter for any number of ids.
        let placeholder = compiled.bind(Sql::Text(serde_json::Value::from(ids.clone()).to_string()));
        condition = format!("({condition}) AND run.folder IN (SELECT value FROM json_each({placeholder}))");
    }
    let mut sorted = String::new();
    let order = match &selection.sort {
        None => "run.folder".to_owned(),
        Some(text) => {
            let (name, direction) = match text.strip_prefix('-') {
                Some(name) => (name, "DESC"),
                None => (text.as_str(), "ASC"),
            };
            let key = keys.resolve(name).map_err(|problem| RunsError::Query {
                what: "--sort",
                text: text.clone(),
                column: 1 + text.chars().count() - name.chars().count(),
                problem,
            })?;
            let placeholder = compiled.bind(Sql::Integer(key.unwrap_or(-1)));
            sorted = format!("LEFT JOIN cell AS by ON by.key = {placeholder} AND by.run = run.id");
            // Runs without the key come last in both directions.
            format!("by.value IS NULL, by.value {direction}, run.folder")
        }
    };
    let limit = selection.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let limit = compiled.bind(Sql::Integer(limit));
    let sql = format!("SELECT run.id FROM run {sorted} WHERE {condition} ORDER BY {order} LIMIT {limit}");
    let mut statement = database.prepare(&sql)?;
    let found: Vec<i64> = statement
        .query_map(params_from_iter(compiled.parameters.iter()), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let columns = columns(&keys, selection.columns.as_deref(), &selection.also)?;
    let mut rows: Vec<Vec<Option<Value>>> = vec![vec![None; columns.len()]; found.len()];
    let places: HashMap<i64, usize> = found.iter().enumerate().map(|(place, run)| (*run, place)).collect();
    for (column, (name, key)) in columns.iter().enumerate() {
        let Some(key) = key else { continue };
        let is_time = matches!(name.as_str(), "created" | "changed");
        if found.len() <= FEW {
            let mut one = database.prepare_cached("SELECT value FROM cell WHERE key = ?1 AND run = ?2")?;
            for (place, run) in found.iter().enumerate() {
                let mut cells = one.query((key, run))?;
                if let Some(cell) = cells.next()? {
                    rows[place][column] = value(cell.get_ref(0)?, is_time);
                }
            }
            continue;
        }
        let mut all = database.prepare_cached("SELECT run, value FROM cell WHERE key = ?1")?;
        let mut cells = all.query([key])?;
        while let Some(cell) = cells.next()? {
            if let Some(place) = places.get(&cell.get::<_, i64>(0)?) {
                rows[*place][column] = value(cell.get_ref(1)?, is_time);
            }
        }
    }
    Ok(Table { columns: columns.into_iter().map(|(name, _)| name).collect(), rows })
}

fn columns(
    keys: &Keys,
    asked: Option<&str>,
    also: &[String],
) -> Result<Vec<(String, Option<i64>)>, RunsError> {
    let Some(text) = asked else {
        let (first, rest) = DEFAULT_COLUMNS.split_at(3);
        let also = also.iter().map(String::as_str);
        let names = first.iter().copied().chain(also).chain(rest.iter().copied());
        return Ok(names.map(|name| (name.to_owned(), keys.id(name))).collect());
    };
    let mut columns: Vec<(String, Option<i64>)> = Vec::new();
    let mut column = 1;
    for part in text.split(',') {
        let name = part.trim();
        if name == "*" {
            columns.extend(keys.sorted().into_iter().map(|(name, _)| (name.clone(), keys.id(&name))));
        } else {
            let id = keys.resolve(name).map_err(|problem| RunsError::Query {
                what: "--columns",
                text: text.to_owned(),
                column: column + part.chars().take_while(|c| c.is_whitespace()).count(),
                problem,
            })?;
            columns.push((if name == "tag" { "tags".to_owned() } else { name.to_owned() }, id));
        }
        column += part.chars().count() + 1;
    }
    // Each column only once: consumers of the table look columns up by name.
    let mut seen = std::collections::HashSet::new();
    columns.retain(|(name, _)| seen.insert(name.clone()));
    Ok(columns)
}

/// A value as stored in the index. Booleans are one-byte blobs, to distinguish them from numbers and text.
pub(crate) fn to_sql(value: &Value) -> Sql {
    match value {
        Value::Bool(value) => Sql::Blob(vec![u8::from(*value)]),
        Value::Int(value) | Value::Time(value) => Sql::Integer(*value),
        Value::Float(value) => Sql::Real(*value),
        Value::Text(text) => Sql::Text(text.clone()),
    }
}

fn value(sql: ValueRef<'_>, is_time: bool) -> Option<Value> {
    match sql {
        ValueRef::Null => None,
        ValueRef::Integer(value) if is_time => Some(Value::Time(value)),
        ValueRef::Integer(value) => Some(Value::Int(value)),
        ValueRef::Real(value) => Some(Value::Float(value)),
        ValueRef::Text(text) => Some(Value::Text(String::from_utf8_lossy(text).into_owned())),
        ValueRef::Blob(bytes) => Some(Value::Bool(bytes == [1])),
    }
}

/// A filter being compiled to SQL.
struct Compiled<'a> {
    keys: &'a Keys,
    text: &'a str,
    parameters: Vec<Sql>,
}

impl Compiled<'_> {
    fn bind(&mut self, value: Sql) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    fn filter(&mut self, filter: &Filter) -> Result<String, RunsError> {
        let joined = |parts: Vec<String>, word: &str| format!("({})", parts.join(word));
        Ok(match filter {
            Filter::And(parts) => {
                joined(parts.iter().map(|part| self.filter(part)).collect::<Result<_, _>>()?, " AND ")
            }
            Filter::Or(parts) => {
                joined(parts.iter().map(|part| self.filter(part)).collect::<Result<_, _>>()?, " OR ")
            }
            Filter::Not(inner) => format!("NOT {}", self.filter(inner)?),
            Filter::Is(comparison) => self.comparison(comparison)?,
        })
    }

    /// The runs with a value for which the comparison holds. A missing value satisfies no comparison, so `!=` and
    /// `not` select runs without the key.
    fn comparison(&mut self, comparison: &Comparison) -> Result<String, RunsError> {
        let resolved = self.keys.resolve(&comparison.key);
        let key = resolved.map_err(|problem| query_error(self.text, comparison.column, problem))?;
        let negated = if comparison.relation == Relation::Unequal { "NOT " } else { "" };
        let is_tag = matches!(comparison.key.as_str(), "tag" | "tags");
        let key = self.bind(Sql::Integer(key.unwrap_or(-1)));
        if let [literal] = comparison.values.as_slice()
            && !literal.quoted
            && literal.text == "none"
            && matches!(comparison.relation, Relation::Equal | Relation::Unequal)
        {
            return Ok(format!("NOT {negated}(run.id IN (SELECT run FROM cell WHERE key = {key}))"));
        }
        let mut tests = Vec::with_capacity(comparison.values.len());
        for literal in &comparison.values {
            let test = if is_tag {
                self.tag(comparison.relation, literal)?
            } else if matches!(comparison.key.as_str(), "created" | "changed") {
                self.time(comparison.relation, literal)?
            } else {
                self.value(comparison.relation, literal)
            };
            tests.push(test);
        }
        let tests = if tests.is_empty() { "0".to_owned() } else { tests.join(" OR ") };
        if is_tag {
            return Ok(format!("{negated}(run.id IN (SELECT run FROM tag WHERE {tests}))"));
        }
        Ok(format!("{negated}(run.id IN (SELECT run FROM cell WHERE key = {key} AND ({tests})))"))
    }

    fn tag(&mut self, relation: Relation, literal: &Literal) -> Result<String, RunsError> {
        let placeholder = self.bind(Sql::Text(literal.text.clone()));
        match relation {
            Relation::Equal | Relation::Unequal | Relation::In => Ok(format!("name = {placeholder}")),
            Relation::Contains => Ok(format!("instr(lower(name), lower({placeholder})) > 0")),
            _ => Err(query_error(self.text, literal.column, "tags support only = != ~ and in".to_owned())),
        }
    }

    fn time(&mut self, relation: Relation, literal: &Literal) -> Result<String, RunsError> {
        let (start, end) = stretch(&literal.text).ok_or_else(|| {
            let problem = format!(
                "`{}` is not a time; expected a day like `2026-11-22`, a minute `2026-11-22T07:12` (UTC)",
                literal.text
            );
            query_error(self.text, literal.column, problem)
        })?;
        let (start, end) = (self.bind(Sql::Integer(start)), self.bind(Sql::Integer(end)));
        Ok(match relation {
            Relation::Less => format!("value < {start}"),
            Relation::AtMost => format!("value < {end}"),
            Relation::Greater => format!("value >= {end}"),
            Relation::AtLeast => format!("value >= {start}"),
            Relation::Equal | Relation::Unequal | Relation::In => {
                format!("(value >= {start} AND value < {end})")
            }
            Relation::Contains => {
                let problem = "times support only = != < <= > >= and in".to_owned();
                return Err(query_error(self.text, literal.column, problem));
            }
        })
    }

    fn value(&mut self, relation: Relation, literal: &Literal) -> String {
        let number = (!literal.quoted).then(|| as_number(&literal.text)).flatten();
        let text = self.bind(Sql::Text(literal.text.clone()));
        let operator = match relation {
            Relation::Contains => {
                return format!("instr(lower(CAST(value AS TEXT)), lower({text})) > 0");
            }
            Relation::Equal | Relation::Unequal | Relation::In => {
                // A number or `true` may also be text, such as a name.
                return match (number, literal.text.as_str()) {
                    (Some(number), _) => format!("value = {text} OR value = {}", self.bind(number)),
                    (None, "true") if !literal.quoted => format!("value = {text} OR value = x'01'"),
                    (None, "false") if !literal.quoted => format!("value = {text} OR value = x'00'"),
                    (None, _) => format!("value = {text}"),
                };
            }
            Relation::Less => "<",
            Relation::AtMost => "<=",
            Relation::Greater => ">",
            Relation::AtLeast => ">=",
        };
        match number {
            Some(number) => {
                format!("typeof(value) IN ('integer', 'real') AND value {operator} {}", self.bind(number))
            }
            None => format!("typeof(value) = 'text' AND value {operator} {text}"),
        }
    }
}

fn as_number(text: &str) -> Option<Sql> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Sql::Integer(whole));
    }
    // `f64::parse` also accepts `inf` and `nan`; treat those as text.
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite())?;
    text.contains(|c: char| c.is_ascii_digit()).then_some(Sql::Real(float))
}
