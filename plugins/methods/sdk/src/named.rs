//! Tensors by name.

use crate::Tensor;
use crate::bindings::cadre::method::tensors::Named as Raw;

/// Named tensors, in the order in which they were given: side tensors, parameters, buffers, tags, outputs.
#[derive(Clone, Debug, Default)]
pub struct Named(Vec<(String, Tensor)>);

impl Named {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tensor with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<Tensor> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, tensor)| *tensor)
    }

    /// The tensor with this name.
    ///
    /// # Errors
    /// There is none; the message lists the names that exist.
    pub fn get(&self, name: &str) -> Result<Tensor, String> {
        self.find(name).ok_or_else(|| {
            let known: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            match known.is_empty() {
                true => format!("there is no tensor `{name}`: none is given"),
                false => format!("there is no tensor `{name}`; there are: {}", known.join(", ")),
            }
        })
    }

    /// With another tensor.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, tensor: Tensor) -> Self {
        self.push(name, tensor);
        self
    }

    /// With a list of tensors, named `name/0`, `name/1`, …, as case files name the entries of a list.
    #[must_use]
    pub fn with_list(mut self, name: &str, tensors: impl IntoIterator<Item = Tensor>) -> Self {
        for (index, tensor) in tensors.into_iter().enumerate() {
            self.push(format!("{name}/{index}"), tensor);
        }
        self
    }

    /// Adds a tensor.
    pub fn push(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.0.push((name.into(), tensor));
    }

    /// Names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), *tensor))
    }

    /// Those whose names end in this, without the ending. A term gets the buffer `fisher` of the tensor `a` as `fisher.a`.
    #[must_use]
    pub fn ending(&self, ending: &str) -> Self {
        let part = |(name, tensor): &(String, Tensor)| Some((name.strip_suffix(ending)?.to_owned(), *tensor));
        Self(self.0.iter().filter_map(part).collect())
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Tensor)> for Named {
    fn from_iter<T: IntoIterator<Item = (String, Tensor)>>(tensors: T) -> Self {
        Self(tensors.into_iter().collect())
    }
}

impl From<Vec<Raw>> for Named {
    fn from(raw: Vec<Raw>) -> Self {
        raw.into_iter().map(|named| (named.name, Tensor::of(named.value))).collect()
    }
}

impl From<Named> for Vec<Raw> {
    fn from(named: Named) -> Self {
        named.0.into_iter().map(|(name, tensor)| Raw { name, value: tensor.number() }).collect()
    }
}
