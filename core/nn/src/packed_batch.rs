//! The tokens of one forward pass: packed sequences, with the start of each sequence and the position of each token.

use std::sync::Arc;

use crate::kernel::Segment;

/// Tokens of several rows, packed without padding.
#[derive(Clone, Debug)]
pub(crate) struct PackedBatch {
    ids: Arc<Vec<usize>>,
    positions: Arc<Vec<usize>>,
    rows: Arc<Vec<usize>>,
    segments: Arc<Vec<Segment>>,
}

impl PackedBatch {
    /// `rows` gives the ids of each row and the number of its tokens that are already in the cache.
    pub(crate) fn new<'a>(rows: impl IntoIterator<Item = (&'a [u32], usize)>) -> Self {
        let (mut ids, mut positions, mut row_of, mut segments) = (vec![], vec![], vec![], vec![]);
        for (row, (tokens, cached)) in rows.into_iter().enumerate() {
            segments.push(Segment { start: ids.len(), length: tokens.len() });
            ids.extend(tokens.iter().map(|&id| id as usize));
            positions.extend(cached..cached + tokens.len());
            row_of.extend(std::iter::repeat_n(row, tokens.len()));
        }
        Self {
            ids: Arc::new(ids),
            positions: Arc::new(positions),
            rows: Arc::new(row_of),
            segments: Arc::new(segments),
        }
    }

    /// Token ids; those at or above the vocabulary size are added tokens.
    pub(crate) fn indices(&self) -> &Arc<Vec<usize>> {
        &self.ids
    }

    /// Position of each token in its row.
    pub(crate) fn positions(&self) -> &Arc<Vec<usize>> {
        &self.positions
    }

    /// Row of each token.
    pub(crate) fn rows(&self) -> &Arc<Vec<usize>> {
        &self.rows
    }

    /// The segment of each row.
    pub(crate) fn segments(&self) -> &Arc<Vec<Segment>> {
        &self.segments
    }

    /// Index of the last token of each row.
    pub(crate) fn last_tokens(&self) -> Arc<Vec<usize>> {
        Arc::new(self.segments.iter().map(|segment| segment.start + segment.length - 1).collect())
    }
}
