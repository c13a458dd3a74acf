//! Flattens recipes and reports into dotted keys with scalar values.

use cadre_eval::{EvalError, Report};
use serde_json::Value as Json;

use crate::Value;

/// Dotted keys with their values, in file order.
pub(crate) type Values = Vec<(String, Value)>;

/// Every value of an expanded recipe. A list of scalars is one value, its JSON text; in a list of tables, each table's
/// index is part of the key (`backbone.pretrain.corpus.0.format`).
pub(crate) fn recipe_values(text: &str) -> Result<Values, toml::de::Error> {
    let table: toml::Table = toml::from_str(text)?;
    let mut values = Vec::with_capacity(128);
    for (key, value) in &table {
        recipe_value(key, value, &mut values);
    }
    Ok(values)
}

fn recipe_value(key: &str, value: &toml::Value, values: &mut Values) {
    let one = match value {
        toml::Value::Boolean(value) => Value::Bool(*value),
        toml::Value::Integer(value) => Value::Int(*value),
        toml::Value::Float(value) if value.is_finite() => Value::Float(*value),
        toml::Value::Float(value) => Value::Text(value.to_string()),
        toml::Value::String(text) => Value::Text(text.clone()),
        toml::Value::Datetime(moment) => Value::Text(moment.to_string()),
        toml::Value::Table(table) => {
            for (name, value) in table {
                recipe_value(&format!("{key}.{name}"), value, values);
            }
            return;
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            for (index, value) in items.iter().enumerate() {
                recipe_value(&format!("{key}.{index}"), value, values);
            }
            return;
        }
        toml::Value::Array(items) => Value::Text(Json::from_iter(items.iter().map(as_json)).to_string()),
    };
    values.push((key.to_owned(), one));
}

fn as_json(value: &toml::Value) -> Json {
    match value {
        toml::Value::Boolean(value) => Json::from(*value),
        toml::Value::Integer(value) => Json::from(*value),
        // JSON cannot represent nan and inf; they become null.
        toml::Value::Float(value) => Json::from(*value),
        toml::Value::String(text) => Json::from(text.clone()),
        toml::Value::Datetime(moment) => Json::from(moment.to_string()),
        toml::Value::Array(items) => Json::from_iter(items.iter().map(as_json)),
        toml::Value::Table(table) => {
            Json::from_iter(table.iter().map(|(name, value)| (name.clone(), as_json(value))))
        }
    }
}

/// Every scalar of a `report.json`, and from its lists: `tasks` (their number), `score.<task>` (the last row of R),
/// `experts.<task>.…`. Matrices and file digests are left out.
pub(crate) fn report_values(text: &str) -> Result<Values, EvalError> {
    let report = Report::from_json(text)?;
    let json: Json = serde_json::from_str(text).map_err(EvalError::Malformed)?;
    let mut values = Vec::with_capacity(64);
    if let Json::Object(fields) = &json {
        for (name, value) in fields {
            if name != "format-version" {
                plain_values(name, value, &mut values);
            }
        }
    }
    values.push(("tasks".to_owned(), Value::Int(i64::try_from(report.tasks.len()).unwrap_or(i64::MAX))));
    if let Some(last) = report.score_matrix.rows().last() {
        for (task, score) in report.tasks.iter().zip(last) {
            if let Some(score) = score {
                values.push((format!("score.{task}"), Value::Float(*score)));
            }
        }
    }
    let experts = json.get("experts").and_then(Json::as_array).into_iter().flatten();
    for (expert, json) in report.experts.iter().zip(experts) {
        for (name, value) in json.as_object().into_iter().flatten() {
            if name != "task" {
                plain_values(&format!("experts.{}.{name}", expert.task), value, &mut values);
            }
        }
    }
    Ok(values)
}

fn plain_values(key: &str, value: &Json, values: &mut Values) {
    match value {
        Json::Object(fields) => {
            for (name, value) in fields {
                plain_values(&format!("{key}.{name}"), value, values);
            }
        }
        plain => values.extend(Value::of_json(plain).map(|value| (key.to_owned(), value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(values: &'a Values, key: &str) -> Option<&'a Value> {
        values.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    #[test]
    fn recipes_become_dotted_keys() {
        let text = "name = \"see\"\nseed = 2 # --set\n[routing.router]\nthreshold = 0.5\n[expert.adapter]\n\
                    targets = [\"q\", \"v\"]\ntied = true\n[[corpus]]\nformat = \"synthetic\"\ntasks = [\"a\"]\n";
        let values = recipe_values(text).unwrap();
        assert_eq!(get(&values, "routing.router.threshold"), Some(&Value::Float(0.5)));
        assert_eq!(get(&values, "seed"), Some(&Value::Int(2)));
        assert_eq!(get(&values, "expert.adapter.tied"), Some(&Value::Bool(true)));
        assert_eq!(get(&values, "expert.adapter.targets"), Some(&Value::Text("[\"q\",\"v\"]".to_owned())));
        assert_eq!(get(&values, "corpus.0.tasks"), Some(&Value::Text("[\"a\"]".to_owned())));
        assert!(recipe_values("name = ").is_err());
    }

    #[test]
    fn reports_become_figures() {
        let text = include_str!("../samples/report.json");
        let values = report_values(text).unwrap();
        let float = |key: &str| match get(&values, key) {
            Some(Value::Float(value)) => *value,
            other => panic!("{key}: {other:?}"),
        };
        assert_eq!(float("average-score"), 87.873_809_031_009_42);
        assert_eq!(float("score.sort"), 78.299_999_500_399_88);
        assert_eq!(float("routing.accuracy"), 0.988_571_428_571_428_5);
        assert_eq!(float("experts.polarity.final-loss"), 0.107_014_909_386_634_83);
        assert_eq!(get(&values, "cost.training-tokens"), Some(&Value::Int(4_260_155)));
        assert_eq!(get(&values, "cost.stages.run"), Some(&Value::Int(27)));
        assert_eq!(get(&values, "tasks"), Some(&Value::Int(7)));
        assert_eq!(get(&values, "provenance.backend"), Some(&Value::Text("cpu".to_owned())));
        assert!(values.iter().all(|(key, _)| !key.contains("matrix") && !key.contains("confusion")));
        let damaged = text.replace("\"seed\": 2", "\"seed\": \"two\"");
        assert!(report_values(&damaged).is_err());
    }
}
