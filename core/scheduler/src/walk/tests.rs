//! Walks with a body that writes a line: caching, order, failure, stop, damage, panic, several walkers.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cadre_store::{ArtifactStore, KeyLock, Lookup};
use serde_json::json;
use tempfile::TempDir;

use super::{WalkOptions, WalkOutcome, walk};
use crate::error::WalkError;
use crate::fixture::{Fixture, names, stage};
use crate::planning::plan::{Plan, StageState};
use crate::walk::event::{Event, EventKind, EventSink, StopFlag};
use crate::walk::executor::{StageError, StageExecutor, StageJob, StageOutcome};

/// A body for tests: writes its stage's name; fails, panics or stops at the given stages.
#[derive(Default)]
struct Body {
    did: Mutex<Vec<String>>,
    fails: BTreeSet<&'static str>,
    panics: BTreeSet<&'static str>,
    /// Raises the flag when it comes to this stage, and obeys it.
    stops_at: Option<&'static str>,
    pause: Duration,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Body {
    fn did(&self) -> Vec<String> {
        self.did.lock().unwrap().clone()
    }
}

impl StageExecutor for Body {
    fn execute(&self, job: &StageJob<'_>) -> Result<StageOutcome, StageError> {
        let name = job.spec.name.as_str();
        self.did.lock().unwrap().push(name.to_owned());
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(self.pause);
        self.running.fetch_sub(1, Ordering::SeqCst);
        for input in &job.inputs {
            assert_eq!(input.artifact.read("name")?, input.name.as_bytes());
        }
        let checkpoint = job.workspace.join("checkpoint");
        if self.stops_at == Some(name) {
            fs::write(&checkpoint, "half-way")?;
            job.stop.request();
        }
        if job.stop.is_requested() && self.stops_at == Some(name) {
            return Ok(StageOutcome::Stopped);
        }
        assert!(!self.panics.contains(name), "{name} panics");
        if self.fails.contains(name) {
            return Err(format!("{name} has no luck").into());
        }
        job.progress(1, 1, "rows");
        job.draft.write("name", name.as_bytes())?;
        let resumed = checkpoint.exists();
        Ok(StageOutcome::Done(json!({ "resumed": resumed, "training-tokens": 100 })))
    }
}

#[derive(Default)]
struct Ears(Mutex<Vec<Event>>);

impl EventSink for Ears {
    fn send(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Ears {
    fn heard(&self, stage: &str) -> Vec<EventKind> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|event| event.stage == stage)
            .map(|event| event.kind.clone())
            .collect()
    }
}

struct Ground {
    fixture: Fixture,
    folder: TempDir,
    plan: Plan,
}

impl Ground {
    fn new() -> Self {
        let fixture = Fixture::new();
        let plan = fixture.plan(&fixture.recipe());
        Self { fixture, folder: tempfile::tempdir().unwrap(), plan }
    }

    /// The store as a new process sees it.
    fn store(&self) -> ArtifactStore {
        ArtifactStore::open(self.folder.path()).unwrap()
    }

    fn walk(&self, body: &Body, options: &WalkOptions) -> (Result<WalkOutcome, WalkError>, Ears) {
        let ears = Ears::default();
        (walk(&self.plan, &self.store(), body, &ears, options), ears)
    }

    fn flip(&self, name: &str) {
        let Lookup::Whole(artifact) = self.store().get(&stage(&self.plan, name).key).unwrap() else {
            panic!("{name}")
        };
        let mut bytes = fs::read(artifact.path("name")).unwrap();
        bytes[0] ^= 1;
        fs::write(artifact.path("name"), bytes).unwrap();
    }
}

#[test]
fn everything_is_done_once_and_found_the_second_time() {
    let ground = Ground::new();
    let body = Body::default();
    let (outcome, ears) = ground.walk(&body, &WalkOptions::default());
    let outcome = outcome.unwrap();
    assert_eq!(outcome.done, names(&ground.plan));
    assert!(!outcome.stopped());
    assert_eq!(body.did(), names(&ground.plan), "one job goes in the order of the plan");
    let heard = ears.heard("train/a");
    assert!(matches!(heard[0], EventKind::Started));
    assert!(matches!(&heard[1], EventKind::Progress { done: 1, total: 1, unit } if unit == "rows"));
    assert!(matches!(heard[2], EventKind::Finished { .. }));
    let manifest = ground.store().manifest(&stage(&ground.plan, "train/a").key).unwrap().unwrap();
    assert_eq!((manifest.stage.as_str(), manifest.kind.as_str()), ("train/a", "train"));
    assert_eq!(manifest.made_by, ground.plan.run_key.to_string());

    let body = Body::default();
    let (outcome, ears) = ground.walk(&body, &WalkOptions { jobs: 3, ..WalkOptions::default() });
    assert_eq!(outcome.unwrap().cached, names(&ground.plan));
    assert_eq!(body.did(), [""; 0]);
    assert_eq!(ears.heard("report"), [EventKind::Cached]);
    assert_eq!(
        ground.plan.status(&ground.store()).unwrap().count(StageState::Cached),
        ground.plan.stages.len()
    );
}

#[test]
fn what_changes_nothing_is_not_done_again_by_another_run() {
    let ground = Ground::new();
    ground.walk(&Body::default(), &WalkOptions::default()).0.unwrap();
    let mut recipe = ground.fixture.recipe();
    crate::fixture::set(&mut recipe, "routing.router.threshold", json!(0.9));
    let other = Ground { plan: ground.fixture.plan(&recipe), ..ground };
    let body = Body::default();
    other.walk(&body, &WalkOptions::default()).0.unwrap();
    assert_eq!(body.did(), ["evaluate/a", "evaluate/b", "evaluate/c", "out-of-distribution", "report"]);
}

#[test]
fn several_jobs_run_side_by_side() {
    let ground = Ground::new();
    let body = Body { pause: Duration::from_millis(20), ..Body::default() };
    ground.walk(&body, &WalkOptions { jobs: 3, ..WalkOptions::default() }).0.unwrap();
    assert!((2..=3).contains(&body.most.load(Ordering::SeqCst)));
    let mut did = body.did();
    did.sort();
    let mut all = names(&ground.plan);
    all.sort_unstable();
    assert_eq!(did, all);
}

#[test]
fn a_failure_keeps_what_was_finished() {
    let ground = Ground::new();
    let body = Body { fails: BTreeSet::from(["train/b"]), ..Body::default() };
    let (outcome, ears) = ground.walk(&body, &WalkOptions::default());
    let message = cadre_store::chain(&outcome.unwrap_err());
    assert!(message.contains("train/b") && message.contains("has no luck"), "{message}");
    assert!(matches!(&ears.heard("train/b")[1], EventKind::Failed { .. }));
    assert!(!body.did().contains(&"compose/c".to_owned()), "nothing is begun after it");

    let body = Body::default();
    ground.walk(&body, &WalkOptions::default()).0.unwrap();
    assert_eq!(body.did()[0], "train/b");
    assert!(!body.did().contains(&"train/a".to_owned()));
}

#[test]
fn on_demand_the_rest_goes_on_after_a_failure() {
    let ground = Ground::new();
    let body = Body { fails: BTreeSet::from(["train/b", "describe/c"]), ..Body::default() };
    let options = WalkOptions { keep_going: true, ..WalkOptions::default() };
    let problem = ground.walk(&body, &options).0.unwrap_err();
    let WalkError::Several { first, also } = &problem else { panic!("{problem}") };
    let WalkError::Stage { stage, .. } = first.as_ref() else { panic!("{problem}") };
    assert_eq!((stage.as_str(), also[0].0.as_str()), ("train/b", "describe/c"));
    assert!(problem.to_string().contains("describe/c has no luck"));
    let did = body.did();
    assert!(did.contains(&"train/c".to_owned()) && !did.contains(&"evaluate/b".to_owned()));
}

#[test]
fn a_panic_is_a_failure_of_its_stage() {
    let ground = Ground::new();
    let body = Body { panics: BTreeSet::from(["compose/b"]), ..Body::default() };
    let (outcome, _) = ground.walk(&body, &WalkOptions { jobs: 2, ..WalkOptions::default() });
    let message = outcome.unwrap_err().to_string();
    assert!(message.contains("compose/b panics"), "{message}");
    ground.walk(&Body::default(), &WalkOptions::default()).0.unwrap();
}

#[test]
fn a_stop_keeps_the_workspace_and_the_next_walk_goes_on() {
    let ground = Ground::new();
    let body = Body { stops_at: Some("train/b"), ..Body::default() };
    let (outcome, ears) = ground.walk(&body, &WalkOptions::default());
    let outcome = outcome.unwrap();
    assert!(outcome.stopped());
    assert_eq!(outcome.left[0], "train/b");
    assert_eq!(ears.heard("train/b").last(), Some(&EventKind::Stopped));
    let place = ground.plan.stages.iter().position(|stage| stage.name == "train/b").unwrap();
    assert_eq!(ground.plan.status(&ground.store()).unwrap().stages[place], StageState::Interrupted);

    ground.walk(&Body::default(), &WalkOptions::default()).0.unwrap();
    let facts = |name: &str| ground.store().manifest(&stage(&ground.plan, name).key).unwrap().unwrap().facts;
    assert_eq!(facts("train/b")["resumed"], true);
    assert_eq!(facts("train/c")["resumed"], false);
    // The speed of a resumed stage would be that of a part of it.
    let speeds = fs::read_to_string(ground.folder.path().join("speeds.jsonl")).unwrap();
    let kinds: Vec<&str> = speeds
        .lines()
        .map(|line| if line.contains("\"kind\":\"backbone\"") { "backbone" } else { "train" })
        .collect();
    assert_eq!(kinds, ["backbone", "train", "train"], "{speeds}");
}

#[test]
fn nothing_is_begun_when_the_flag_is_up() {
    let ground = Ground::new();
    let stop = StopFlag::new();
    stop.clone().request();
    let body = Body::default();
    let outcome = ground.walk(&body, &WalkOptions { jobs: 2, stop, keep_going: false }).0.unwrap();
    assert_eq!(outcome.left, names(&ground.plan));
    assert_eq!(body.did(), [""; 0]);
}

#[test]
fn damaged_inputs_are_made_again_and_only_they() {
    let ground = Ground::new();
    ground.walk(&Body::default(), &WalkOptions::default()).0.unwrap();
    ground.flip("train/a");
    // The damage is found by who reads the artifact: here a stage that has to be done again.
    fs::remove_file(ground.store().root().join(object(&ground, "evaluate/c")).join("name")).unwrap();
    let body = Body::default();
    let (outcome, ears) = ground.walk(&body, &WalkOptions::default());
    outcome.unwrap();
    assert_eq!(body.did(), ["train/a", "evaluate/c"]);
    assert!(matches!(&ears.heard("train/a")[1], EventKind::Damaged { file, .. } if file == "name"));
    assert!(
        matches!(&ears.heard("evaluate/c")[0], EventKind::Damaged { problem, .. } if problem == "it is missing")
    );
    assert_eq!(fs::read_dir(ground.folder.path().join("quarantine")).unwrap().count(), 2);
}

fn object(ground: &Ground, name: &str) -> String {
    let key = stage(&ground.plan, name).key.to_string();
    format!("objects/{}/{key}", &key[..2])
}

#[test]
fn a_lost_input_is_made_again() {
    let ground = Ground::new();
    ground.walk(&Body::default(), &WalkOptions::default()).0.unwrap();
    for name in ["prepare/a", "report"] {
        fs::remove_dir_all(ground.folder.path().join(object(&ground, name))).unwrap();
    }
    let body = Body::default();
    ground.walk(&body, &WalkOptions { jobs: 2, ..WalkOptions::default() }).0.unwrap();
    assert_eq!(body.did(), ["prepare/a", "report"]);
}

#[test]
fn walkers_of_one_store_share_the_work() {
    let ground = Ground::new();
    let body = Body { pause: Duration::from_millis(5), ..Body::default() };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| ground.walk(&body, &WalkOptions { jobs: 2, ..WalkOptions::default() }).0.unwrap());
        }
    });
    let mut did = body.did();
    did.sort();
    let mut all = names(&ground.plan);
    all.sort_unstable();
    assert_eq!(did, all, "each stage once");
}

/// Lets go of a lock when a stage is finished.
struct LetsGo<'a> {
    ears: &'a Ears,
    at: &'static str,
    lock: Mutex<Option<KeyLock>>,
}

impl EventSink for LetsGo<'_> {
    fn send(&self, event: &Event) {
        self.ears.send(event);
        if event.stage == self.at && matches!(event.kind, EventKind::Finished { .. }) {
            self.lock.lock().unwrap().take();
        }
    }
}

#[test]
fn a_held_key_is_waited_for_while_other_stages_are_done() {
    let ground = Ground::new();
    let lock = ground.store().try_lock(&stage(&ground.plan, "prepare/b").key).unwrap();
    assert!(lock.is_some());
    let ears = Ears::default();
    let listener = LetsGo { ears: &ears, at: "train/a", lock: Mutex::new(lock) };
    let body = Body::default();
    let outcome = walk(&ground.plan, &ground.store(), &body, &listener, &WalkOptions::default()).unwrap();
    assert_eq!(outcome.done.len(), ground.plan.stages.len());
    let heard = ears.heard("prepare/b");
    assert!(matches!(heard[0], EventKind::Waiting { pid } if pid == std::process::id()));
    assert!(matches!(heard[1], EventKind::Started), "the wait is told of once");
}
