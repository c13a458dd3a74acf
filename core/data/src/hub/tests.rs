//! Tests of name resolution with a generated cache, a fake Hub in this process, and an unreachable one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::{Hub, HubSettings, HubUse, is_hub_name};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A Hub with one commit of one repository.
struct FakeHub {
    endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeHub {
    fn start(files: &[(&str, &str)]) -> Self {
        Self::with(files, None)
    }

    /// `cut` is a file whose body ends early.
    fn with(files: &[(&str, &str)], cut: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let files: BTreeMap<String, String> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (files, seen) = (files.clone(), seen.clone());
                std::thread::spawn(move || answer(stream, &files, &seen, cut));
            }
        });
        Self { endpoint, asked }
    }

    /// The paths requested since the last call.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

/// Answers every request on a connection.
fn answer(
    stream: TcpStream,
    files: &BTreeMap<String, String>,
    seen: &Mutex<Vec<String>>,
    cut: Option<&str>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut to = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let path = line.split(' ').nth(1)?.to_owned();
        let mut range = None;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(bytes) = header.to_lowercase().strip_prefix("range: bytes=") {
                let (from, until) = bytes.trim().split_once('-')?;
                range = Some((from.parse::<usize>().ok()?, until.parse::<usize>().ok()));
            }
        }
        seen.lock().expect("no panic").push(path.clone());
        if path.starts_with("/api/") {
            let siblings: Vec<_> =
                files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
            let known = path.contains("/org/name/");
            let body = serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string();
            let status = if known { "200 OK" } else { "404 Not Found" };
            write!(to, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok()?;
            continue;
        }
        let file = path.split_once(&format!("/resolve/{COMMIT}/")).map(|(_, file)| file);
        let Some(body) = file.and_then(|file| files.get(file)) else {
            write!(to, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").ok()?;
            continue;
        };
        let (from, until) = range.unwrap_or((0, None));
        let end = until.map_or(body.len(), |until| (until + 1).min(body.len()));
        let part = body.get(from..end).unwrap_or_default();
        let (all, length) = (body.len(), part.len());
        let etag = format!("{:x}", file.map_or(0, |file| file.bytes().map(usize::from).sum::<usize>()));
        write!(
            to,
            "HTTP/1.1 206 Partial Content\r\netag: \"{etag}\"\r\nx-repo-commit: {COMMIT}\r\ncontent-range: bytes {from}-{end}/{all}\r\ncontent-length: {length}\r\n\r\n"
        )
        .ok()?;
        if cut.is_some() && cut == file && until.is_none() {
            to.write_all(&part.as_bytes()[..length / 2]).ok()?;
            return None;
        }
        to.write_all(part.as_bytes()).ok()?;
    }
}

fn hub(cache: &Path, endpoint: &str) -> Hub {
    Hub::new(HubSettings {
        cache: cache.to_owned(),
        endpoint: endpoint.to_owned(),
        token: None,
        offline: false,
    })
}

/// An address on which nothing listens.
fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn resolve(hub: &Hub, name: &str, what: HubUse) -> Result<PathBuf, String> {
    hub.resolve(Path::new(name), what).map_err(|error| error.to_string())
}

/// A cache as Hugging Face's own tools leave it.
fn cache(repository: &str, files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join(repository);
    std::fs::create_dir_all(at.join("refs")).expect("made");
    std::fs::write(at.join("refs/main"), COMMIT).expect("written");
    for name in files {
        let file = at.join("snapshots").join(COMMIT).join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        let shards = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
        std::fs::write(file, if name.ends_with("index.json") { shards } else { "{}" }).expect("written");
    }
    folder
}

const MODEL: [(&str, &str); 7] = [
    ("config.json", "{}"),
    ("model.safetensors", "weights"),
    ("tokenizer.json", "{\"version\": 1}"),
    ("chat_template.jinja", "{{ messages }}"),
    ("pytorch_model.bin", "not wanted"),
    ("onnx/model.safetensors", "not wanted"),
    ("README.md", "not wanted"),
];

#[test]
fn a_model_is_fetched_once_and_only_what_is_needed() {
    let server = FakeHub::start(&MODEL);
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(folder.path(), &server.endpoint);
    let at = resolve(&hub, "hf://org/name", HubUse::Checkpoint).expect("fetched");
    assert_eq!(at, folder.path().join("models--org--name/snapshots").join(COMMIT));
    assert_eq!(std::fs::read_to_string(at.join("model.safetensors")).expect("there"), "weights");
    for wanted in ["config.json", "tokenizer.json", "chat_template.jinja"] {
        assert!(at.join(wanted).is_file(), "{wanted}");
    }
    for other in ["pytorch_model.bin", "README.md", "onnx/model.safetensors"] {
        assert!(!at.join(other).exists(), "{other}");
    }
    assert_eq!(server.asked()[0], "/api/models/org/name/revision/main");
    assert_eq!(resolve(&hub, "hf://org/name", HubUse::Checkpoint), Ok(at.clone()));
    assert_eq!(server.asked(), Vec::<String>::new(), "what is whole is not asked for again");
    // The cache alone is sufficient from now on, and its revision is used as it was.
    let without = self::hub(folder.path(), &dead());
    assert_eq!(resolve(&without, "hf://org/name", HubUse::Checkpoint), Ok(at.clone()));
    assert_eq!(resolve(&without, &format!("hf://org/name@{COMMIT}"), HubUse::Checkpoint), Ok(at.clone()));
    // A lost file is downloaded again; without a network this is an error.
    std::fs::remove_file(at.join("tokenizer.json")).expect("removed");
    let error = resolve(&without, "hf://org/name", HubUse::Checkpoint).expect_err("not whole");
    assert!(
        error.contains("one of its files is missing") && error.contains("hf download org/name"),
        "{error}"
    );
    assert_eq!(resolve(&hub, "hf://org/name", HubUse::Checkpoint), Ok(at.clone()));
    assert!(at.join("tokenizer.json").is_file());
}

#[test]
fn rows_of_a_folder_of_a_data_set() {
    let server = FakeHub::start(&[
        ("main/train-00000-of-00001.jsonl", "{}"),
        ("main/test-00000-of-00001.jsonl", "{}"),
        ("socratic/train.jsonl", "{}"),
        ("main/picture.png", "not wanted"),
        (".gitattributes.json", "not wanted"),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(folder.path(), &server.endpoint);
    let at = resolve(&hub, "hf://datasets/org/name/main", HubUse::Dataset).expect("fetched");
    let snapshot = folder.path().join("datasets--org--name/snapshots").join(COMMIT);
    assert_eq!(at, snapshot.join("main"));
    assert!(at.join("test-00000-of-00001.jsonl").is_file() && !at.join("picture.png").exists());
    assert!(!snapshot.join("socratic").exists(), "not asked for");
    assert_eq!(server.asked()[0], "/api/datasets/org/name/revision/main");
    let all = resolve(&hub, "hf://datasets/org/name", HubUse::Dataset).expect("the rest, too");
    assert_eq!(all, snapshot);
    assert!(all.join("socratic/train.jsonl").is_file() && !all.join(".gitattributes.json").exists());
    let error = resolve(&hub, "hf://datasets/org/name/other", HubUse::Dataset).expect_err("no such folder");
    assert!(
        error.contains("there are no files ending in .jsonl, .json, .csv, .tsv or .parquet in other"),
        "{error}"
    );
    let error = resolve(&hub, "hf://datasets/org/none", HubUse::Dataset).expect_err("no such data set");
    assert!(error.contains("status 404: no such repository, revision or file"), "{error}");
}

#[test]
fn neither_cache_nor_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = dead();
    let hub = hub(folder.path(), &endpoint);
    let error = resolve(&hub, "hf://datasets/org/name@v2", HubUse::Dataset).expect_err("nowhere");
    assert!(!error.contains('\n'), "{error}");
    let place = folder.path().join("datasets--org--name").display().to_string();
    for part in [
        "hf://datasets/org/name@v2: not whole in the cache (",
        &place,
        "it has no revision `v2`",
        &format!("cannot be downloaded from {endpoint}: "),
        "onnection refused",
        "`hf download org/name --repo-type dataset --revision v2` downloads it",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let offline = Hub::new(HubSettings { offline: true, ..hub.settings.clone() });
    let error = resolve(&offline, "hf://org/name", HubUse::Adapter).expect_err("offline");
    assert!(error.contains("HF_HUB_OFFLINE is set"), "{error}");
    assert!(std::fs::read_dir(folder.path()).expect("a folder").next().is_none(), "nothing was written");
}

#[test]
fn a_copy_of_another_program_is_used_where_nothing_is_missing() {
    let whole = [
        "config.json",
        "tokenizer.json",
        "model.safetensors.index.json",
        "model-1.safetensors",
        "model-2.safetensors",
    ];
    let at = |folder: &TempDir| folder.path().join("models--org--name/snapshots").join(COMMIT);
    let folder = cache("models--org--name", &whole);
    let found = resolve(&hub(folder.path(), &dead()), "hf://org/name", HubUse::Checkpoint);
    assert_eq!(found, Ok(at(&folder)));
    for (left_out, expected) in [
        (
            "model-2.safetensors",
            "1 of 2 shards listed in model.safetensors.index.json are missing, such as model-2.safetensors",
        ),
        ("config.json", "config.json is missing"),
        ("tokenizer.json", "tokenizer.json is missing"),
    ] {
        let files: Vec<&str> = whole.into_iter().filter(|name| *name != left_out).collect();
        let folder = cache("models--org--name", &files);
        let error =
            resolve(&hub(folder.path(), &dead()), "hf://org/name", HubUse::Checkpoint).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
    let folder = cache("models--org--name", &["adapter_config.json"]);
    let error =
        resolve(&hub(folder.path(), &dead()), "hf://org/name", HubUse::Adapter).expect_err("no weights");
    assert!(error.contains("adapter_model.safetensors is missing"), "{error}");
    let folder = cache("datasets--org--name", &["data/train.parquet"]);
    let hub = hub(folder.path(), &dead());
    assert!(resolve(&hub, "hf://datasets/org/name/data", HubUse::Dataset).is_ok());
    let error = resolve(&hub, "hf://datasets/org/name/other", HubUse::Dataset).expect_err("no such folder");
    assert!(error.contains("there are no rows in"), "{error}");
}

#[test]
fn a_partial_copy_is_made_whole_at_the_revision_it_is_of() {
    let server = FakeHub::start(&MODEL);
    let folder = cache("models--org--name", &["config.json", "tokenizer.json", "model.safetensors"]);
    let at =
        resolve(&hub(folder.path(), &server.endpoint), "hf://org/name", HubUse::Checkpoint).expect("whole");
    assert!(at.join("chat_template.jinja").is_file(), "what could not be seen to be missing");
    let asked = server.asked();
    assert_eq!(asked[0], format!("/api/models/org/name/revision/{COMMIT}"));
    assert!(asked[1..].iter().all(|path| path.ends_with("/chat_template.jinja")), "{asked:?}");
}

#[test]
fn a_body_that_ends_early_is_not_taken_for_the_file() {
    let long = "w".repeat(100_000);
    let files = [("config.json", "{}"), ("tokenizer.json", "{}"), ("model.safetensors", long.as_str())];
    let server = FakeHub::with(&files, Some("model.safetensors"));
    let folder = tempfile::tempdir().expect("a folder");
    let error =
        resolve(&hub(folder.path(), &server.endpoint), "hf://org/name", HubUse::Checkpoint).expect_err("cut");
    assert!(error.contains("model.safetensors: "), "{error}");
    let place = folder.path().join("models--org--name");
    assert!(!place.join("snapshots").join(COMMIT).join("model.safetensors").exists());
    assert!(!place.join("refs/main").exists(), "the name leads to whole copies only");
    // The next call resumes.
    let server = FakeHub::start(&files);
    let at =
        resolve(&hub(folder.path(), &server.endpoint), "hf://org/name", HubUse::Checkpoint).expect("whole");
    assert_eq!(std::fs::read_to_string(at.join("model.safetensors")).expect("there"), long);
}

#[test]
fn a_hub_that_names_files_outside_is_refused() {
    let server = FakeHub::start(&[("../../../outside.json", "{}"), ("config.json", "{}")]);
    let folder = tempfile::tempdir().expect("a folder");
    let error = resolve(&hub(folder.path(), &server.endpoint), "hf://org/name", HubUse::Checkpoint)
        .expect_err("outside");
    assert!(error.contains("the Hub returned `../../../outside.json` as a file name"), "{error}");
}

#[test]
fn settings_as_hugging_faces_own_tools_read_them() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("token"), "hf_secret\n").expect("written");
    let text = home.path().to_str().expect("text").to_owned();
    let with = |variables: &[(&str, &str)]| {
        HubSettings::from_variables(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let plain = with(&[("HOME", "/home/me")]);
    assert_eq!(plain.cache, Path::new("/home/me/.cache/huggingface/hub"));
    assert_eq!(
        (plain.endpoint.as_str(), plain.token, plain.offline),
        ("https://huggingface.co", None, false)
    );
    let set = with(&[("HF_HOME", &text), ("HF_ENDPOINT", "http://mirror/"), ("HF_HUB_OFFLINE", "1")]);
    assert_eq!((set.cache, set.endpoint.as_str()), (home.path().join("hub"), "http://mirror"));
    assert_eq!((set.token.as_deref(), set.offline), (Some("hf_secret"), true));
    let own =
        with(&[("HF_HOME", &text), ("HF_HUB_CACHE", "/c"), ("HF_TOKEN", "mine"), ("HF_HUB_OFFLINE", "0")]);
    assert_eq!(
        (own.cache.as_path(), own.token.as_deref(), own.offline),
        (Path::new("/c"), Some("mine"), false)
    );
}

#[test]
fn hub_names_are_distinguished_from_paths() {
    assert!(is_hub_name(Path::new("hf://org/name")));
    assert!(!is_hub_name(Path::new("/data/hf://org/name")) && !is_hub_name(Path::new("data")));
}
