//! The scale on which a report shows claims, and the position of the threshold. This is the only code that interprets
//! the settings of a shipped router: routers do not return their scores and threshold.

use cadre_eval::ClaimScale;
use cadre_scheduler::PluginWork;
use serde::Deserialize;

use crate::ensemble::SeenClaim;
use crate::records::RouteRow;

/// How claims are shown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct ClaimAxis {
    /// The scale of a claim.
    pub(super) scale: ClaimScale,
    /// The smallest claim with which the router accepts an expert; `None` if unknown.
    pub(super) threshold: Option<f64>,
}

/// The settings of the shipped router `see`, with its defaults.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct SeeSettings {
    threshold: f32,
    score: SeeScore,
    #[serde(rename = "order")]
    _order: serde_json::Value,
    #[serde(rename = "max-probes")]
    _max_probes: serde_json::Value,
}

impl Default for SeeSettings {
    fn default() -> Self {
        let none = serde_json::Value::Null;
        Self { threshold: 0.5, score: SeeScore::Renormalised, _order: none.clone(), _max_probes: none }
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SeeScore {
    Renormalised,
    Raw,
    Greedy,
}

impl ClaimAxis {
    /// The axis for a router and its routes. A router other than the shipped `see`, or one whose decisions differ from
    /// those of `see` with these settings, gets no threshold.
    pub(super) fn of<'a>(router: Option<&PluginWork>, routes: impl Iterator<Item = &'a RouteRow>) -> Self {
        let see = router.filter(|router| router.plugin == "see");
        let settings = see.map(|router| serde_json::Value::Object(router.settings.clone()));
        let Some(settings) =
            settings.and_then(|settings| serde_json::from_value::<SeeSettings>(settings).ok())
        else {
            return Self::default();
        };
        let scale = match settings.score {
            SeeScore::Renormalised => ClaimScale::Renormalised,
            SeeScore::Raw => ClaimScale::Raw,
            SeeScore::Greedy => return Self::default(),
        };
        let axis = Self { scale, threshold: Some(shortest(settings.threshold)) };
        if routes.into_iter().all(|route| axis.explains(route, settings.threshold)) {
            axis
        } else {
            Self::default()
        }
    }

    /// A claim on this scale, 0..=1.
    pub(super) fn claim(&self, seen: &SeenClaim) -> f64 {
        match self.scale {
            ClaimScale::Renormalised => seen.share(),
            ClaimScale::Raw => f64::from(seen.accept),
        }
    }

    /// Whether the first claim at or above the threshold answered, as in `see`; computed in its precision.
    fn explains(&self, route: &RouteRow, threshold: f32) -> bool {
        let accepts = |&&(_, accept, reject): &&(u32, f32, f32)| match self.scale {
            ClaimScale::Renormalised => accept + reject > 0.0 && accept / (accept + reject) >= threshold,
            ClaimScale::Raw => accept >= threshold,
        };
        route.claims.iter().find(accepts).map(|(expert, ..)| *expert) == route.chosen
    }
}

/// The shortest decimal representation of an f32: 0.3, not 0.30000001192092896.
pub(super) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use cadre_store::Digest;
    use serde_json::json;

    use super::*;

    fn router(plugin: &str, settings: serde_json::Value) -> PluginWork {
        PluginWork {
            plugin: plugin.to_owned(),
            path: "router.wasm".into(),
            digest: Digest::of_bytes(b"router"),
            settings: settings.as_object().unwrap().clone(),
        }
    }

    fn route(claims: &[(u32, f32, f32)], chosen: Option<u32>) -> RouteRow {
        RouteRow {
            id: String::new(),
            task: None,
            query: Digest::of_bytes(b"query"),
            asked: Vec::new(),
            claims: claims.to_vec(),
            chosen,
            mix: Vec::new(),
            outcome: None,
        }
    }

    fn axis(plugin: &str, settings: serde_json::Value, routes: &[RouteRow]) -> (ClaimScale, Option<f64>) {
        let axis = ClaimAxis::of(Some(&router(plugin, settings)), routes.iter());
        (axis.scale, axis.threshold)
    }

    #[test]
    fn the_threshold_of_see_is_on_the_scale_that_it_compares() {
        use ClaimScale::{Raw, Renormalised};
        assert_eq!(axis("see", json!({}), &[]), (Renormalised, Some(0.5)));
        assert_eq!(
            axis("see", json!({ "threshold": 0.3, "order": "oldest-first" }), &[]),
            (Renormalised, Some(0.3))
        );
        assert_eq!(axis("see", json!({ "threshold": 0.3, "score": "raw" }), &[]), (Raw, Some(0.3)));
        assert_eq!(axis("see", json!({ "threshold": 0.3, "score": "greedy" }), &[]), (Renormalised, None));
    }

    #[test]
    fn an_unknown_router_has_no_threshold() {
        for (plugin, settings) in [
            ("my-router", json!({ "threshold": 0.3 })),
            // A different router under the shipped name, with settings that the shipped one does not have.
            ("see", json!({ "threshold": 0.3, "margin": 0.1 })),
            ("see", json!({ "threshold": "high" })),
        ] {
            assert_eq!(axis(plugin, settings, &[]).1, None);
        }
        assert_eq!(ClaimAxis::of(None, [].iter()), ClaimAxis::default());
    }

    #[test]
    fn unexplained_decisions_have_no_threshold() {
        let settings = json!({ "threshold": 0.6 });
        let right =
            [route(&[(1, 0.1, 0.3), (0, 0.3, 0.2)], Some(0)), route(&[(1, 0.1, 0.3), (0, 0.0, 0.0)], None)];
        assert_eq!(axis("see", settings.clone(), &right).1, Some(0.6));
        // Raw probabilities compared with 0.6 would have accepted neither.
        assert_eq!(
            axis("see", json!({ "threshold": 0.6, "score": "raw" }), &right),
            (ClaimScale::Renormalised, None)
        );
        let wrong = [route(&[(1, 0.1, 0.3), (0, 0.3, 0.2)], None)];
        assert_eq!(axis("see", settings, &wrong).1, None);
    }
}
