//! JSON as Python's `json` reads it, from untrusted files of any size: `python` parses one text, `pieces` splits a file
//! into rows.

pub(super) mod pieces;
pub(super) mod python;
