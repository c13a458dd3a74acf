//! Assembles rows from columns by repetition and definition levels (the Dremel paper, Melnik et al. 2010). Counts the
//! size of a row during assembly, so that no row exceeds the limit.

use bytes::Bytes;
use parquet::basic::Repetition;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::TypePtr;

use super::page_guard::{Guard, Held};
use super::schema::{element_of, repeated_of};
use super::value::{Meaning, Value};
use crate::format::bounds::{MAX_ROW, size};
use crate::format::cell::Cell;
use crate::format::json::python::MAX_VALUES;

/// Number of rows that a flat column reads ahead.
const AHEAD: usize = 256;
/// Number of rows that a column of lists reads ahead.
const LISTS_AHEAD: usize = 16;

/// Why a row cannot be assembled.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The file is inconsistent.
    Damaged(String),
    /// A row exceeds a limit.
    TooMuch {
        /// The size found.
        found: String,
        /// The limit.
        limit: String,
    },
}

impl From<ParquetError> for Trouble {
    fn from(error: ParquetError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Assembles the columns of a row group into rows.
pub(super) struct Assembly {
    roots: Vec<Node>,
    leaves: Vec<Leaf>,
    texts: usize,
    values: usize,
}

impl Assembly {
    /// Opens these columns of a row group.
    pub(super) fn new(
        fields: &[TypePtr],
        group: &dyn RowGroupReader,
        bytes: &Bytes,
    ) -> Result<Self, ParquetError> {
        let mut leaves = Vec::new();
        let held = Held::default();
        let mut roots = Vec::new();
        for field in fields {
            let mut path = vec![field.name().to_owned()];
            roots.push(node(field, &mut path, Levels::default(), &mut |path| {
                leaves.push(leaf(path, group, bytes, &held)?);
                Ok(leaves.len() - 1)
            })?);
        }
        Ok(Self { roots, leaves, texts: 0, values: 0 })
    }

    /// The cells of the next row, one per column.
    pub(super) fn next_row(&mut self) -> Result<Vec<Cell>, Trouble> {
        (self.texts, self.values) = (0, 0);
        for leaf in &mut self.leaves {
            leaf.begin()?;
        }
        let roots = std::mem::take(&mut self.roots);
        let cells = roots.iter().map(|root| self.read(root)).collect::<Result<Vec<_>, _>>();
        self.roots = roots;
        match self.leaves.iter().find(|leaf| leaf.repetition() != 0) {
            Some(_) if cells.is_ok() => Err(damaged("columns that belong together have different lengths")),
            _ => cells,
        }
    }

    /// Whether no column has another row.
    pub(super) fn is_over(&mut self) -> Result<bool, ParquetError> {
        for leaf in &mut self.leaves {
            if !leaf.is_over()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read(&mut self, node: &Node) -> Result<Cell, Trouble> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Trouble::TooMuch {
                found: format!("more than {MAX_VALUES} values in one row"),
                limit: MAX_VALUES.to_string(),
            });
        }
        let there = self.leaves[node.first].definition()? >= node.definition;
        match node.repetition {
            Repetition::REQUIRED => self.content(node),
            Repetition::OPTIONAL if there => self.content(node),
            Repetition::OPTIONAL => self.pass(node).map(|()| Cell::Null),
            Repetition::REPEATED if !there => self.pass(node).map(|()| Cell::List(Vec::new())),
            Repetition::REPEATED => {
                let mut list = vec![self.content(node)?];
                while self.leaves[node.first].repetition() == node.level {
                    self.values += 1;
                    if self.values > MAX_VALUES {
                        return Err(Trouble::TooMuch {
                            found: format!("more than {MAX_VALUES} values in one row"),
                            limit: MAX_VALUES.to_string(),
                        });
                    }
                    list.push(self.content(node)?);
                }
                Ok(Cell::List(list))
            }
        }
    }

    fn content(&mut self, node: &Node) -> Result<Cell, Trouble> {
        match &node.kind {
            Kind::Leaf(leaf) => {
                let leaf = &mut self.leaves[*leaf];
                self.texts += leaf.length();
                if self.texts > MAX_ROW {
                    return Err(Trouble::TooMuch {
                        found: format!("texts of more than {} in one row", size(MAX_ROW)),
                        limit: size(MAX_ROW),
                    });
                }
                leaf.take()
            }
            Kind::Wrapped(inner) => self.read(inner),
            Kind::Record(fields) => {
                let read = fields.iter().map(|(name, field)| Ok((name.clone(), self.read(field)?)));
                read.collect::<Result<Vec<_>, Trouble>>().map(Cell::Record)
            }
        }
    }

    /// Skips a missing value: every column below the node has one entry for it.
    fn pass(&mut self, node: &Node) -> Result<(), Trouble> {
        match &node.kind {
            Kind::Leaf(leaf) => self.leaves[*leaf].pass(),
            Kind::Wrapped(inner) => self.pass(inner),
            Kind::Record(fields) => fields.iter().try_for_each(|(_, field)| self.pass(field)),
        }
    }
}

fn damaged(problem: &str) -> Trouble {
    Trouble::Damaged(problem.to_owned())
}

/// A field of the schema that is read.
struct Node {
    kind: Kind,
    repetition: Repetition,
    /// The minimum definition level at which the field is present.
    definition: i16,
    /// The repetition level of the field's own list.
    level: i16,
    /// Index of the first column below the field.
    first: usize,
}

enum Kind {
    Leaf(usize),
    /// A group that stands for its only child: the outer groups of a list.
    Wrapped(Box<Node>),
    Record(Vec<(String, Node)>),
}

#[derive(Default, Clone, Copy)]
struct Levels {
    definition: i16,
    repetition: i16,
}

/// The node of a field; `leaf` opens the column of a path.
fn node(
    field: &TypePtr,
    path: &mut Vec<String>,
    mut levels: Levels,
    leaf: &mut dyn FnMut(&[String]) -> Result<usize, ParquetError>,
) -> Result<Node, ParquetError> {
    let repetition = field.get_basic_info().repetition();
    levels.definition += i16::from(repetition != Repetition::REQUIRED);
    levels.repetition += i16::from(repetition == Repetition::REPEATED);
    let mut below = |inner: &TypePtr, path: &mut Vec<String>| {
        path.push(inner.name().to_owned());
        let inner = node(inner, path, levels, leaf);
        path.pop();
        inner
    };
    let (kind, first) = if field.is_primitive() {
        let leaf = leaf(path)?;
        (Kind::Leaf(leaf), leaf)
    } else if let Some(repeated) = repeated_of(field) {
        let inner = below(repeated, path)?;
        let first = inner.first;
        (Kind::Wrapped(Box::new(inner)), first)
    } else if let Some(element) = element_of(field).filter(|_| repetition == Repetition::REPEATED) {
        let inner = below(element, path)?;
        let first = inner.first;
        (Kind::Wrapped(Box::new(inner)), first)
    } else {
        let mut fields = Vec::new();
        for inner in field.get_fields() {
            fields.push((inner.name().to_owned(), below(inner, path)?));
        }
        let first = fields.first().map(|(_, field)| field.first);
        let first = first.ok_or_else(|| ParquetError::General("an empty group".to_owned()))?;
        (Kind::Record(fields), first)
    };
    Ok(Node { kind, repetition, definition: levels.definition, level: levels.repetition, first })
}

/// Opens the column of a path.
fn leaf(
    path: &[String],
    group: &dyn RowGroupReader,
    bytes: &Bytes,
    held: &Held,
) -> Result<Leaf, ParquetError> {
    let metadata = group.metadata();
    let found = metadata.columns().iter().position(|chunk| chunk.column_path().parts() == path);
    let place = found.ok_or_else(|| ParquetError::General(format!("no column {}", path.join("."))))?;
    let chunk = metadata.column(place);
    let column = chunk.column_descr_ptr();
    let pages = group.get_column_page_reader(place)?;
    let guard = Guard::new(pages, chunk, metadata.num_rows(), bytes, held)?;
    let meaning = Meaning::of(&column);
    let (definition, repetition) = (column.max_def_level(), column.max_rep_level());
    let values: Box<dyn Values> = match get_column_reader(column, Box::new(guard)) {
        ColumnReader::BoolColumnReader(reader) => Typed::boxed(reader, meaning),
        ColumnReader::Int32ColumnReader(reader) => Typed::boxed(reader, meaning),
        ColumnReader::Int64ColumnReader(reader) => Typed::boxed(reader, meaning),
        ColumnReader::Int96ColumnReader(reader) => Typed::boxed(reader, meaning),
        ColumnReader::FloatColumnReader(reader) => Typed::boxed(reader, meaning),
        ColumnReader::DoubleColumnReader(reader) => Typed::boxed(reader, meaning),
        ColumnReader::ByteArrayColumnReader(reader) => Typed::boxed(reader, meaning),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => Typed::boxed(reader, meaning),
    };
    Ok(Leaf {
        values,
        most_definition: definition,
        most_repetition: repetition,
        definitions: Vec::new(),
        repetitions: Vec::new(),
        entries: 0,
        at: 0,
        value: 0,
    })
}

/// A column with some of its entries read ahead, always up to the end of a row.
struct Leaf {
    values: Box<dyn Values>,
    most_definition: i16,
    most_repetition: i16,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    entries: usize,
    at: usize,
    value: usize,
}

impl Leaf {
    /// Moves to the first entry of a row.
    fn begin(&mut self) -> Result<(), Trouble> {
        if self.is_over()? {
            return Err(damaged("a column has fewer rows than the file states"));
        }
        if self.repetition() != 0 {
            return Err(damaged("a row begins inside a list"));
        }
        Ok(())
    }

    fn is_over(&mut self) -> Result<bool, ParquetError> {
        if self.at < self.entries {
            return Ok(false);
        }
        self.definitions.clear();
        self.repetitions.clear();
        (self.at, self.value) = (0, 0);
        let ahead = if self.most_repetition > 0 { LISTS_AHEAD } else { AHEAD };
        self.entries = self.values.fill(ahead, &mut self.definitions, &mut self.repetitions)?;
        Ok(self.entries == 0)
    }

    /// The repetition level of the current entry; 0 at the end of the entries read, because they end with a row.
    fn repetition(&self) -> i16 {
        if self.at >= self.entries { 0 } else { self.repetitions.get(self.at).copied().unwrap_or(0) }
    }

    fn definition(&self) -> Result<i16, Trouble> {
        if self.at >= self.entries {
            return Err(damaged("columns that belong together have different lengths"));
        }
        Ok(if self.most_definition == 0 { 0 } else { self.definitions.get(self.at).copied().unwrap_or(0) })
    }

    /// Number of bytes of the current value.
    fn length(&self) -> usize {
        self.values.length(self.value)
    }

    fn take(&mut self) -> Result<Cell, Trouble> {
        if self.definition()? != self.most_definition {
            return Err(damaged("a required value is missing"));
        }
        let cell = self.values.cell(self.value).ok_or_else(|| damaged("a column has too few values"))?;
        self.at += 1;
        self.value += 1;
        Ok(cell)
    }

    fn pass(&mut self) -> Result<(), Trouble> {
        if self.definition()? == self.most_definition && self.most_definition > 0 {
            return Err(damaged("columns that belong together differ in what is missing"));
        }
        self.at += 1;
        Ok(())
    }
}

/// The values of a column, of any type.
trait Values {
    /// Reads `rows` more rows; returns the number of entries.
    fn fill(
        &mut self,
        rows: usize,
        definitions: &mut Vec<i16>,
        repetitions: &mut Vec<i16>,
    ) -> Result<usize, ParquetError>;
    fn cell(&self, at: usize) -> Option<Cell>;
    fn length(&self, at: usize) -> usize;
}

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
    meaning: Meaning,
}

impl<T: DataType + 'static> Typed<T>
where
    T::T: Value,
{
    fn boxed(reader: ColumnReaderImpl<T>, meaning: Meaning) -> Box<dyn Values> {
        Box::new(Self { reader, values: Vec::new(), meaning })
    }
}

impl<T: DataType> Values for Typed<T>
where
    T::T: Value,
{
    fn fill(
        &mut self,
        rows: usize,
        definitions: &mut Vec<i16>,
        repetitions: &mut Vec<i16>,
    ) -> Result<usize, ParquetError> {
        self.values.clear();
        let (_, values, levels) =
            self.reader.read_records(rows, Some(definitions), Some(repetitions), &mut self.values)?;
        Ok(values.max(levels))
    }

    fn cell(&self, at: usize) -> Option<Cell> {
        self.values.get(at).map(|value| value.cell(self.meaning))
    }

    fn length(&self, at: usize) -> usize {
        self.values.get(at).map_or(0, Value::length)
    }
}
