//! The index follows the folders, and is rebuilt from them after any damage.

use std::fs;

use cadre_runs::{RunIndex, Value, change_tags};

use super::{Runs, column, everything, ids, names};

#[test]
fn the_index_follows_the_folders() {
    let runs = Runs::new();
    runs.done("see-a", 0.2, 80.0);
    let begun = runs.begin("see-b", 0.4);
    let mut index = runs.open();
    assert!(index.notes().is_empty(), "{:?}", index.notes());
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    assert_eq!(column(&mut index, "state"), [text("done"), text("begun")]);
    assert_eq!(column(&mut index, "average-score"), [Some(Value::Float(80.0)), None]);
    assert_eq!(column(&mut index, "routing.router.threshold"), [0.2, 0.4].map(|it| Some(Value::Float(it))));
    drop(index);

    // A report is added, a recipe changes, a run is deleted, one is created, one is tagged: the next open sees each.
    let report = fs::read(runs.run("see-a").report_json()).unwrap();
    fs::write(begun.report_json(), report).unwrap();
    assert_eq!(column(&mut runs.open(), "state"), [text("done"), text("done")]);
    runs.begin("see-b", 0.9);
    fs::remove_dir_all(runs.run("see-a").folder()).unwrap();
    runs.done("other-c", 0.1, 10.0);
    change_tags(&begun, &["good".to_owned()], &[]).unwrap();
    let mut index = runs.open();
    assert_eq!(ids(&mut index, None, None), ["other-c", "see-b"]);
    assert_eq!(column(&mut index, "routing.router.threshold"), [0.1, 0.9].map(|it| Some(Value::Float(it))));
    assert_eq!(column(&mut index, "tags"), [None, text("good")]);
}

#[test]
fn times_come_from_the_events_and_the_report() {
    let runs = Runs::new();
    let run = runs.done("see-a", 0.2, 80.0);
    fs::write(run.events(), "{\"stage\":\"x\",\"kind\":\"started\",\"time\":1795325772679}\n{\"sta").unwrap();
    assert_eq!(column(&mut runs.open(), "created"), [Some(Value::Time(1_795_325_772_679))]);
    let mut index = runs.open();
    let Some(Value::Time(changed)) = column(&mut index, "changed")[0] else { panic!() };
    let written = fs::metadata(run.report_json()).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(changed as u128, written);
}

#[test]
fn a_damaged_index_is_rebuilt_with_a_note() {
    let runs = Runs::new();
    runs.done("see-a", 0.2, 80.0);
    runs.done("see-b", 0.3, 70.0);
    let whole = everything(&mut runs.open());
    let file = runs.path().join(".index.sqlite");
    let good = fs::read(&file).unwrap();
    let mut damages = vec![b"not a database at all".to_vec(), vec![0; 4096], good[..good.len() / 2].to_vec()];
    // Overwrite a page of tables, and the header's page.
    for at in [0, 4096, good.len() - 4096] {
        let mut bytes = good.clone();
        bytes[at..at + 2048].fill(0xa5);
        damages.push(bytes);
    }
    let mut with_notes = 0;
    for damage in damages {
        fs::write(&file, &damage).unwrap();
        let mut index = runs.open();
        assert_eq!(everything(&mut index), whole);
        with_notes += usize::from(!index.notes().is_empty());
        drop(index);
        let mut again = runs.open();
        assert_eq!(everything(&mut again), whole);
        assert!(again.notes().is_empty(), "{:?}", again.notes());
    }
    assert!(with_notes >= 4, "{with_notes}");
    fs::remove_file(&file).unwrap();
    assert_eq!(everything(&mut runs.open()), whole);
}

#[test]
fn an_index_of_another_version_is_rebuilt() {
    let runs = Runs::new();
    runs.done("see-a", 0.2, 80.0);
    drop(runs.open());
    let database = rusqlite::Connection::open(runs.path().join(".index.sqlite")).unwrap();
    database
        .execute_batch("PRAGMA user_version = 7; DROP TABLE cell; CREATE TABLE cell (all_other TEXT)")
        .unwrap();
    drop(database);
    let mut index = runs.open();
    assert!(index.notes()[0].contains("version 7"), "{:?}", index.notes());
    assert_eq!(ids(&mut index, None, None), ["see-a"]);
}

#[test]
fn a_damaged_run_is_listed_with_its_problem() {
    let runs = Runs::new();
    let run = runs.done("see-a", 0.2, 80.0);
    runs.done("see-b", 0.3, 70.0);
    fs::write(run.report_json(), "{\"format-version\": 9}").unwrap();
    fs::write(run.tags(), "{").unwrap();
    let mut index = runs.open();
    assert_eq!(ids(&mut index, Some("state = damaged and seed = 2"), None), ["see-a"]);
    let problems = index.problems().unwrap();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].1.contains("report.json") && problems[0].1.contains("tags.json"), "{problems:?}");
    fs::write(run.recipe(), "name = \"x\"\nseed = \n").unwrap();
    assert!(runs.open().problems().unwrap()[0].1.contains("recipe.toml: line 2"));
}

#[test]
fn reading_creates_no_folder_and_works_in_a_read_only_one() {
    let runs = Runs::new();
    let mut none = runs.open();
    assert!(ids(&mut none, None, None).is_empty());
    assert!(!runs.path().exists());
    runs.done("see-a", 0.2, 80.0);
    // A folder in place of the index, so that no process can create the file.
    fs::create_dir(runs.path().join(".index.sqlite")).unwrap();
    let mut index = runs.open();
    assert_eq!(ids(&mut index, None, None), ["see-a"]);
    assert_eq!(index.notes().len(), 1, "{:?}", index.notes());
}

#[test]
fn several_processes_can_use_the_index_at_once() {
    let runs = Runs::new();
    for run in 0..20 {
        runs.done(&format!("see-{run:02}"), 0.2, f64::from(run));
    }
    let path = runs.path();
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..6).map(|_| scope.spawn(|| ids(&mut RunIndex::open(&path).unwrap(), None, None))).collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap().len(), 20);
        }
    });
    // An open index must not be affected when another is rebuilt beside it.
    let mut one = runs.open();
    runs.done("see-99", 0.2, 1.0);
    assert_eq!(ids(&mut runs.open(), None, None).len(), 21);
    assert!(ids(&mut one, None, None).len() >= 20);
    assert!(names(&path).iter().filter(|name| name.starts_with(".index")).count() >= 2);
}
