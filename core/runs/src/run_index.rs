//! `runs/.index.sqlite`: the content of the run folders in queryable form. It is only a cache: opening it brings it up
//! to date, and a missing, damaged or outdated index is rebuilt from the folders.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cadre_store::RunLayout;
use rusqlite::{Connection, TransactionBehavior};

use crate::run_record::{run_folders, signature};
use crate::select::{Keys, select, to_sql};
use crate::{Origin, RunRecord, RunsError, Selection, Table};

/// Format version of the index; an index of another version is rebuilt.
pub const INDEX_FORMAT: i64 = 1;

const FILE: &str = ".index.sqlite";
const BESIDE: [&str; 3] = [FILE, ".index.sqlite-wal", ".index.sqlite-shm"];
const LOCK: &str = ".index.lock";

/// Maximum wait for another process that is updating the index; reading ten thousand runs takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

// `cell` is ordered by key because queries sort and filter by key.
const SCHEMA: &str = "
CREATE TABLE run (id INTEGER PRIMARY KEY, folder TEXT NOT NULL UNIQUE, signature BLOB NOT NULL, problem TEXT);
CREATE TABLE key (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, origin INTEGER NOT NULL);
CREATE TABLE cell (key INTEGER NOT NULL, run INTEGER NOT NULL, value NOT NULL, PRIMARY KEY (key, run)) WITHOUT ROWID;
CREATE TABLE tag (run INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;
";

/// An open index over the runs of one folder.
#[derive(Debug)]
pub struct RunIndex {
    runs: PathBuf,
    database: Connection,
    // A shared lock, held while the database is open so that no other process deletes it; none for an in-memory index.
    lock: Option<File>,
    notes: Vec<String>,
}

impl RunIndex {
    /// Opens the index of the folder `runs` and brings it up to date. A missing folder has no runs and is not created.
    /// Problems with the index are repaired and reported in [`RunIndex::notes`]; if it cannot be written (a read-only
    /// disk), it is kept in memory.
    ///
    /// # Errors
    /// If the folder of runs cannot be read.
    pub fn open(runs: &Path) -> Result<Self, RunsError> {
        if !runs.is_dir() {
            return Self::in_memory(runs, Vec::new());
        }
        let mut notes = Vec::new();
        for _ in 0..2 {
            match Self::on_disk(runs) {
                Ok(mut index) => {
                    index.notes.extend(notes);
                    return Ok(index);
                }
                Err(Failure::Runs(problem)) => return Err(problem),
                Err(Failure::NoPlace(why)) => {
                    notes.push(format!(
                        "the run index cannot be stored ({why}); reading every run from its folder"
                    ));
                    return Self::in_memory(runs, notes);
                }
                Err(Failure::Unusable(why)) => match discard(runs) {
                    Ok(()) => notes.push(format!("the run index {why}; it was rebuilt from the run folders")),
                    Err(also) => {
                        notes.push(format!(
                            "the run index {why} and {also}; reading every run from its folder"
                        ));
                        return Self::in_memory(runs, notes);
                    }
                },
            }
        }
        Self::in_memory(runs, notes)
    }

    /// Repairs made to the index, as messages for the user; empty if there were none.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Runs that could not be read completely, with the problem, by id.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn problems(&mut self) -> Result<Vec<(String, String)>, RunsError> {
        self.ask(|database| {
            let mut statement = database
                .prepare("SELECT folder, problem FROM run WHERE problem IS NOT NULL ORDER BY folder")?;
            let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Every key in use and its origin (the run itself, recipes, reports), sorted by name within each origin.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn keys(&mut self) -> Result<Vec<(String, Origin)>, RunsError> {
        self.ask(|database| Ok(Keys::load(database)?.sorted()))
    }

    /// Runs a query; the table has one row per run.
    ///
    /// # Errors
    /// If a filter or key is invalid (reported with its position), or SQLite fails.
    pub fn select(&mut self, selection: &Selection) -> Result<Table, RunsError> {
        self.ask(|database| select(database, selection))
    }

    /// Runs a query; if the index fails, it is rebuilt once.
    fn ask<T>(&mut self, question: impl Fn(&Connection) -> Result<T, RunsError>) -> Result<T, RunsError> {
        match question(&self.database) {
            Err(RunsError::Index { source }) if self.lock.is_some() => {
                let notes =
                    vec![format!("the run index is damaged ({source}); read every run from its folder")];
                let fresh = Self::in_memory(&self.runs, notes)?;
                *self = fresh;
                // The next open starts from scratch, unless another process has the index open.
                if let Err(why) = discard(&self.runs) {
                    self.notes.push(format!("the damaged index was not removed: it {why}"));
                }
                question(&self.database)
            }
            other => other,
        }
    }

    fn in_memory(runs: &Path, notes: Vec<String>) -> Result<Self, RunsError> {
        let database = Connection::open_in_memory()?;
        database.execute_batch(SCHEMA)?;
        let mut index = Self { runs: runs.to_owned(), database, lock: None, notes };
        index.refresh()?;
        Ok(index)
    }

    fn on_disk(runs: &Path) -> Result<Self, Failure> {
        let lock =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(runs.join(LOCK));
        let lock = lock.and_then(|lock| lock.lock_shared().map(|()| lock));
        let lock = lock.map_err(|problem| Failure::NoPlace(problem.to_string()))?;
        let database = Connection::open(runs.join(FILE))?;
        database.busy_timeout(PATIENCE)?;
        // WAL: readers and one writer at once. Whatever a power cut loses is read from the folders again.
        database.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        database.pragma_update(None, "synchronous", "off")?;
        database.pragma_update(None, "temp_store", "memory")?;
        let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let mut index = Self { runs: runs.to_owned(), database, lock: Some(lock), notes: Vec::new() };
        match version {
            INDEX_FORMAT => {}
            0 => index.begin()?,
            other => return Err(Failure::Unusable(format!("has version {other}, not {INDEX_FORMAT}"))),
        }
        index.refresh()?;
        Ok(index)
    }

    /// Creates the tables in an empty file; another process may be doing the same.
    fn begin(&mut self) -> rusqlite::Result<()> {
        let change = self.database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = change.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            change.execute_batch(SCHEMA)?;
            change.pragma_update(None, "user_version", INDEX_FORMAT)?;
        }
        change.commit()
    }

    /// Reads new and changed runs and removes deleted ones. Checks the file times of every run and reads only those
    /// that changed.
    fn refresh(&mut self) -> Result<(), RunsError> {
        let mut path = self.runs.clone();
        let mut bytes = Vec::new();
        let mut present: Vec<(String, Vec<u8>)> = Vec::new();
        for name in run_folders(&self.runs)? {
            path.push(&name);
            let is_run = signature(&mut path, &mut bytes);
            path.pop();
            if is_run {
                present.push((name, bytes.clone()));
            }
        }
        if difference(&present, known(&self.database)?).is_empty() {
            return Ok(());
        }
        let change = self.database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have done it while we waited.
        let difference = difference(&present, known(&change)?);
        let mut keys = Keys::load(&change)?;
        for id in difference.gone {
            forget(&change, id)?;
            change.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([id])?;
        }
        for (place, id) in difference.changed {
            let Some((name, signature)) = present.get(place) else { continue };
            let run = RunLayout::at(&self.runs.join(name));
            // The folder was deleted since it was listed.
            let Ok(record) = RunRecord::read(&run) else { continue };
            write(&change, &mut keys, id, signature, &record)?;
        }
        change
            .execute("DELETE FROM key WHERE NOT EXISTS (SELECT 1 FROM cell WHERE cell.key = key.id)", [])?;
        change.commit()?;
        Ok(())
    }
}

/// Why the index on disk cannot be used.
enum Failure {
    /// It must be discarded.
    Unusable(String),
    /// It cannot be written.
    NoPlace(String),
    /// The runs themselves cannot be read.
    Runs(RunsError),
}

impl From<rusqlite::Error> for Failure {
    fn from(source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly,
        };
        match source.sqlite_error_code() {
            Some(
                CannotOpen | DatabaseBusy | DatabaseLocked | DiskFull | OutOfMemory | PermissionDenied
                | ReadOnly,
            ) => Self::NoPlace(source.to_string()),
            _ => Self::Unusable(format!("is damaged ({source})")),
        }
    }
}

impl From<RunsError> for Failure {
    fn from(problem: RunsError) -> Self {
        match problem {
            RunsError::Index { source } => Self::from(source),
            other => Self::Runs(other),
        }
    }
}

/// Deletes the index, unless another process has it open.
fn discard(runs: &Path) -> Result<(), String> {
    let lock = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(runs.join(LOCK));
    let lock = lock.map_err(|problem| problem.to_string())?;
    lock.try_lock().map_err(|_| "is in use by another process".to_owned())?;
    for name in BESIDE {
        let path = runs.join(name);
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).map_err(|problem| format!("cannot be removed ({problem})"))?;
        }
    }
    Ok(())
}

/// Every run in the index, with the file signatures recorded when it was read.
fn known(database: &Connection) -> rusqlite::Result<HashMap<String, (i64, Vec<u8>)>> {
    let mut statement = database.prepare_cached("SELECT folder, id, signature FROM run")?;
    let mut rows = statement.query([])?;
    let mut known = HashMap::new();
    while let Some(row) = rows.next()? {
        known.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
    }
    Ok(known)
}

struct Difference {
    /// Indices into the list of runs, with their ids in the index; `None` for new runs.
    changed: Vec<(usize, Option<i64>)>,
    /// Ids of deleted runs.
    gone: Vec<i64>,
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty()
    }
}

fn difference(present: &[(String, Vec<u8>)], mut known: HashMap<String, (i64, Vec<u8>)>) -> Difference {
    let mut changed = Vec::new();
    for (place, (name, signature)) in present.iter().enumerate() {
        match known.remove(name) {
            Some((_, before)) if before == *signature => {}
            Some((id, _)) => changed.push((place, Some(id))),
            None => changed.push((place, None)),
        }
    }
    Difference { changed, gone: known.into_values().map(|(id, _)| id).collect() }
}

/// Deletes a run's values and tags.
fn forget(change: &Connection, id: i64) -> rusqlite::Result<()> {
    change
        .prepare_cached("DELETE FROM cell WHERE key IN (SELECT id FROM key) AND run = ?1")?
        .execute([id])?;
    change.prepare_cached("DELETE FROM tag WHERE run = ?1")?.execute([id])?;
    Ok(())
}

fn write(
    change: &Connection,
    keys: &mut Keys,
    id: Option<i64>,
    signature: &[u8],
    record: &RunRecord,
) -> rusqlite::Result<()> {
    let id =
        match id {
            Some(id) => {
                forget(change, id)?;
                change
                    .prepare_cached("UPDATE run SET signature = ?2, problem = ?3 WHERE id = ?1")?
                    .execute((id, signature, &record.problem))?;
                id
            }
            None => {
                change
                    .prepare_cached("INSERT INTO run (folder, signature, problem) VALUES (?1, ?2, ?3)")?
                    .execute((&record.id, signature, &record.problem))?;
                change.last_insert_rowid()
            }
        };
    let mut cell = change.prepare_cached("INSERT INTO cell (key, run, value) VALUES (?1, ?2, ?3)")?;
    for (name, origin, value) in &record.values {
        let key = match keys.id(name) {
            Some(key) => key,
            None => {
                change
                    .prepare_cached("INSERT INTO key (name, origin) VALUES (?1, ?2)")?
                    .execute((name, *origin as i64))?;
                let key = change.last_insert_rowid();
                keys.insert(name, key, *origin);
                key
            }
        };
        cell.execute((key, id, to_sql(value)))?;
    }
    let mut tag = change.prepare_cached("INSERT INTO tag (run, name) VALUES (?1, ?2)")?;
    for name in &record.tags {
        tag.execute((id, name))?;
    }
    Ok(())
}
