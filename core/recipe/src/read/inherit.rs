//! Reads a recipe file and all files that it inherits, as layers.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostics::expectation::{did_you_mean, nearest};
use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::recipe_error::{MAX_PLACED, RecipeError};
use crate::read::layer::{Layer, LayerKind, LayerText, Located, Node, parse};
use crate::read::missing;
use crate::read::path_value::{clean, recipes_folder};

/// The largest recipe file, in bytes.
const LARGEST: u64 = 1 << 20;
/// Maximum length of a chain of inheritance, including the recipe.
const LONGEST_CHAIN: usize = 16;
/// Maximum number of files of a recipe, including itself.
const MAX_FILES: usize = 64;

/// Keys that describe a single file and are not inherited.
const OWN: [&str; 3] = ["name", "reference", "summary"];

/// A recipe and the files that it inherits.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// Lowest first; the recipe itself comes last.
    pub(crate) layers: Vec<Layer>,
    /// All files, in the order in which they were read.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) errors: Vec<RecipeError>,
    /// Number of further errors that are not shown.
    pub(crate) more: usize,
    /// Files read so far, each with the chain of files that leads to it.
    ways: BTreeMap<PathBuf, Vec<String>>,
}

/// Reads a recipe and all files that it inherits.
pub(crate) fn read(path: &Path) -> Family {
    let mut family = Family::default();
    family.file(path, path.display().to_string(), &[], None);
    family
}

impl Family {
    /// Reads a file after the files that it inherits. `by` is the entry that inherits it.
    fn file(
        &mut self,
        path: &Path,
        shown: String,
        way: &[(PathBuf, String)],
        by: Option<(&Arc<LayerText>, Range<usize>)>,
    ) {
        let at = |mistake| match &by {
            Some((source, span)) => RecipeError::at_text(source, span.clone(), mistake),
            None => RecipeError::whole(&shown, mistake),
        };
        let too_much = |what, found, limit| at(Mistake::InheritTooMuch { what, found, limit });
        if way.len() >= LONGEST_CHAIN {
            self.errors.push(too_much(
                "length of the chain of inherited files",
                way.len() + 1,
                LONGEST_CHAIN,
            ));
            return;
        }
        if self.files.len() >= MAX_FILES {
            // Reported once, not for every further file.
            if self.files.len() == MAX_FILES {
                self.errors.push(too_much("number of files", self.files.len() + 1, MAX_FILES));
                self.files.push(path.to_owned());
            }
            return;
        }
        let (file, text) = match open(path) {
            Ok(read) => read,
            Err(cause) => {
                let mut error = at(Mistake::Unreadable { file: PathBuf::from(&shown), cause });
                if by.is_none() {
                    error.suggestion = missing::suggestion(path);
                }
                self.errors.push(error);
                return;
            }
        };
        let names = || way.iter().map(|(_, name)| name.clone()).chain([shown.clone()]).collect::<Vec<_>>();
        if let Some(start) = way.iter().position(|(above, _)| *above == file) {
            self.errors.push(at(Mistake::InheritCycle { chain: names().split_off(start) }));
            return;
        }
        if let Some(first) = self.ways.get(&file) {
            let mut second = names();
            second.pop();
            self.errors.push(at(Mistake::InheritDiamond {
                file: shown.clone(),
                first: first.clone(),
                second,
            }));
            return;
        }
        self.ways.insert(file.clone(), way.iter().map(|(_, name)| name.clone()).collect());
        self.files.push(file.clone());

        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let kind = LayerKind::File { shown: shown.clone(), inherited: !way.is_empty() };
        let source = Arc::new(LayerText::new(kind, text, folder));
        let (mut root, mistakes) = parse(&source.name(), &source.text);
        self.more += mistakes.len().saturating_sub(MAX_PLACED);
        for (span, mistake, hint) in mistakes.into_iter().take(MAX_PLACED) {
            let error = RecipeError::at_text(&source, span, mistake);
            self.errors.push(RecipeError { suggestion: hint, ..error });
        }
        let mut way = way.to_vec();
        way.push((file, shown));
        if let Some(list) = root.remove("inherit") {
            self.ancestors(&source, &list, &way);
        }
        if way.len() > 1 {
            root.retain(|key, _| !OWN.contains(&key.as_str()));
        }
        self.layers.push(Layer { source, root: Arc::new(root) });
    }

    fn ancestors(&mut self, source: &Arc<LayerText>, list: &Located, way: &[(PathBuf, String)]) {
        let wrong = |span: &Range<usize>| {
            RecipeError::at_text(source, span.clone(), Mistake::InheritForm)
                .expected("a list of paths in quotes")
        };
        let Node::List(items) = &list.node else {
            self.errors.push(wrong(&list.span));
            return;
        };
        for item in items {
            match &item.node {
                Node::Leaf(serde_json::Value::String(name)) => match locate(name, &source.folder) {
                    Ok(path) => {
                        let shown = shown(&path, way);
                        self.file(&path, shown, way, Some((source, item.span.clone())));
                    }
                    Err(near) => {
                        let mistake = Mistake::InheritMissing { name: name.clone() };
                        let mut error = RecipeError::at_text(source, item.span.clone(), mistake)
                            .expected("a file beside this one, or in the folder `recipes`");
                        error.suggestion = near.map(|near| did_you_mean(&near));
                        self.errors.push(error);
                    }
                },
                _ => self.errors.push(wrong(&item.span)),
            }
        }
    }
}

/// Finds an inherited file: beside the file that inherits it, or in the folder `recipes` above.
fn locate(name: &str, folder: &Path) -> Result<PathBuf, Option<String>> {
    let folders = [Some(folder), recipes_folder(folder)];
    let folders: Vec<&Path> = folders.into_iter().flatten().collect();
    let found = folders.iter().map(|folder| clean(&folder.join(name))).find(|path| path.is_file());
    found.ok_or_else(|| {
        let parent = Path::new(name).parent().unwrap_or(Path::new(""));
        let beside = folders.iter().filter_map(|folder| std::fs::read_dir(folder.join(parent)).ok());
        let names: Vec<String> = beside
            .flat_map(|entries| entries.filter_map(Result::ok))
            .map(|entry| parent.join(entry.file_name()).display().to_string())
            .filter(|name| name.ends_with(".toml"))
            .collect();
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    })
}

/// The path of a file as shown in messages: relative if the path of the recipe is relative.
fn shown(path: &Path, way: &[(PathBuf, String)]) -> String {
    let Some((main, name)) = way.first() else {
        return path.display().to_string();
    };
    let (Some(folder), Some(named)) = (main.parent(), Path::new(name).parent()) else {
        return path.display().to_string();
    };
    for (folder, named) in folder.ancestors().zip(named.ancestors()) {
        if let Ok(rest) = path.strip_prefix(folder) {
            return named.join(rest).display().to_string();
        }
        // Nothing can be derived above `..`, `/` or an empty path.
        if named.file_name().is_none() {
            break;
        }
    }
    path.display().to_string()
}

fn open(path: &Path) -> std::io::Result<(PathBuf, String)> {
    let file = path.canonicalize()?;
    let mut text = String::new();
    std::fs::File::open(&file)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        let bytes = std::fs::metadata(&file).map_or(text.len() as u64, |facts| facts.len());
        let problem = format!("it has {bytes} bytes, but the limit is {LARGEST}");
        return Err(std::io::Error::other(problem));
    }
    Ok((file, text))
}
