//! JSON as Python's `json` reads it, out of files of any size and of anybody: `python` reads one text, `pieces` takes
//! the rows of a file one by one. Knows no field.

pub(super) mod pieces;
pub(super) mod python;
