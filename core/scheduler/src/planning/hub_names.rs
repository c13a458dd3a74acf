//! Resolves names on Hugging Face's Hub to folders on this machine. The recipe keeps the names; stages and keys depend
//! only on the files and their digests.

use std::path::PathBuf;

use cadre_data::{DataError, Hub, HubUse, is_hub_name};
use cadre_recipe::{Recipe, Source, TokenizerSource};

/// A name that could not be resolved, with its key.
#[derive(Debug)]
pub(crate) struct Unresolved {
    /// The dotted key.
    pub(crate) key: String,
    /// The cause.
    pub(crate) problem: DataError,
}

/// The recipe with names replaced by folders, and the names that could not be resolved, which are kept.
pub(crate) fn resolve(recipe: &Recipe, hub: &Hub) -> (Recipe, Vec<Unresolved>) {
    let mut resolver = Resolver { hub, unresolved: Vec::new() };
    let mut recipe = recipe.clone();
    if let Some(path) = &mut recipe.stream.path {
        resolver.place(path, HubUse::Dataset, "stream.path");
    }
    if let Some(path) = &mut recipe.backbone.checkpoint {
        resolver.place(path, HubUse::Checkpoint, "backbone.checkpoint");
    }
    if let Some(pretrain) = &mut recipe.backbone.pretrain {
        if let TokenizerSource::File(path) = &mut pretrain.tokenizer
            && is_hub_name(path)
            && resolver.place(path, HubUse::Tokenizer, "backbone.pretrain.tokenizer.file")
        {
            path.push("tokenizer.json");
        }
        for (place, source) in pretrain.corpus.iter_mut().enumerate() {
            resolver.source(source, &format!("backbone.pretrain.corpus[{place}]"));
        }
    }
    for (place, import) in recipe.expert.iter_mut().flat_map(|expert| &mut expert.import).enumerate() {
        resolver.place(&mut import.adapter, HubUse::Adapter, &format!("expert.import[{place}].adapter"));
    }
    let pseudo = recipe.rehearsal.as_mut().and_then(|rehearsal| rehearsal.pseudo_negatives.as_mut());
    if let Some(source) = pseudo {
        resolver.source(source, "rehearsal.pseudo-negatives");
    }
    if let Some(source) = &mut recipe.evaluation.out_of_distribution {
        resolver.source(source, "evaluation.out-of-distribution");
    }
    (recipe, resolver.unresolved)
}

struct Resolver<'a> {
    hub: &'a Hub,
    unresolved: Vec<Unresolved>,
}

impl Resolver<'_> {
    fn source(&mut self, source: &mut Source, key: &str) {
        if let Some(path) = &mut source.path {
            self.place(path, HubUse::Dataset, &format!("{key}.path"));
        }
    }

    /// Replaces a name by its folder. Returns whether the path is now on this machine.
    fn place(&mut self, path: &mut PathBuf, what: HubUse, key: &str) -> bool {
        if !is_hub_name(path) {
            return true;
        }
        match self.hub.resolve(path, what) {
            Ok(place) => *path = place,
            Err(problem) => {
                self.unresolved.push(Unresolved { key: key.to_owned(), problem });
                return false;
            }
        }
        true
    }
}
