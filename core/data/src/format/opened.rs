//! Opens a file of rows for reading: decompresses it if its name says so, strips a byte-order mark, and limits the
//! decompressed size.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::bounds::{MAX_EXPANDED, MAX_RATIO, MAX_WHOLE, size};
use crate::error::DataError;

/// Endings of compressed files that are decompressed while reading.
pub(super) const PACKED: [&str; 2] = ["gz", "zst"];

/// The ending that gives the type of a file's rows: the one before `.gz` or `.zst`, if there is such.
pub(crate) fn ending(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?;
    let inner = PACKED.iter().find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.'));
    inner.unwrap_or(name).rsplit_once('.').map(|(_, ending)| ending)
}

/// Opens a file. `expected` describes the file for the error if it is missing.
pub(super) fn open(file: &Path, expected: &str) -> Result<Box<dyn BufRead>, DataError> {
    let trouble = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => {
            DataError::NotThere { file: file.to_owned(), expected: expected.to_owned() }
        }
        _ => DataError::Read { file: file.to_owned(), source },
    };
    let opened = File::open(file).map_err(trouble)?;
    let length = opened.metadata().map_err(trouble)?.len();
    let packed = file.extension().and_then(|ending| ending.to_str());
    let mut rows: Box<dyn BufRead> = match packed {
        Some("gz") => unpacked(flate2::read::MultiGzDecoder::new(BufReader::new(opened)), length),
        Some("zst") => unpacked(zstd::stream::read::Decoder::new(opened).map_err(trouble)?, length),
        _ => Box::new(BufReader::with_capacity(1 << 16, opened)),
    };
    let head = rows.fill_buf().map_err(trouble)?;
    if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
        let expected = "UTF-8 text, but the file begins with the byte-order mark of UTF-16; save it as UTF-8";
        return Err(super::json_rows::row_error(file, 1, expected.to_owned(), "\u{feff}"));
    }
    let mark = if head.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    rows.consume(mark);
    Ok(rows)
}

/// All bytes of a file, decompressed and without a byte-order mark.
pub(super) fn whole(file: &Path, expected: &str) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let rows = open(file, expected)?;
    let read = rows.take(MAX_WHOLE as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|source| DataError::Read { file: file.to_owned(), source })?;
    bound(file, bytes.len())?;
    Ok(bytes)
}

/// All bytes of a file, as stored.
pub(super) fn raw(file: &Path, expected: &str) -> Result<Vec<u8>, DataError> {
    let trouble = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => {
            DataError::NotThere { file: file.to_owned(), expected: expected.to_owned() }
        }
        _ => DataError::Read { file: file.to_owned(), source },
    };
    std::fs::read(file).map_err(trouble)
}

fn bound(file: &Path, length: usize) -> Result<(), DataError> {
    if length <= MAX_WHOLE {
        return Ok(());
    }
    Err(DataError::Bound {
        place: file.display().to_string(),
        found: format!("more than {} in a file that must be read as a whole", size(MAX_WHOLE)),
        limit: format!("{}; split the file", size(MAX_WHOLE)),
    })
}

fn unpacked(reader: impl Read + 'static, length: u64) -> Box<dyn BufRead> {
    let left = MAX_EXPANDED.saturating_add(length.saturating_mul(MAX_RATIO));
    Box::new(BufReader::with_capacity(1 << 16, Bounded { reader, length, left }))
}

/// Stops the decompression of a file that expands much more than text does.
struct Bounded<R> {
    reader: R,
    length: u64,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(to)?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            let most = MAX_EXPANDED.saturating_add(self.length.saturating_mul(MAX_RATIO));
            return Err(io::Error::other(format!(
                "{} decompress to more than {}, the limit for a compressed file of this length",
                size(usize::try_from(self.length).unwrap_or(usize::MAX)),
                size(usize::try_from(most).unwrap_or(usize::MAX)),
            )));
        };
        self.left = left;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::path::Path;

    use super::{ending, open};

    #[test]
    fn the_ending_before_the_packing() {
        for (name, expected) in [
            ("a/train.jsonl", Some("jsonl")),
            ("train.jsonl.gz", Some("jsonl")),
            ("train.csv.zst", Some("csv")),
            ("train.gz", None),
            ("train", None),
        ] {
            assert_eq!(ending(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn packed_files_and_marks() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "\u{feff}größer\n";
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).expect("packed");
        let files = [
            ("a.jsonl", text.as_bytes().to_vec()),
            ("a.jsonl.gz", packed.finish().expect("packed")),
            ("a.jsonl.zst", zstd::stream::encode_all(text.as_bytes(), 1).expect("packed")),
        ];
        for (name, bytes) in files {
            let file = folder.path().join(name);
            std::fs::write(&file, &bytes).expect("written");
            let mut read = String::new();
            open(&file, "rows").expect("opened").read_to_string(&mut read).expect("read");
            assert_eq!(read, "größer\n", "{name}");
            // A truncated compressed file is an error.
            std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("written");
            let half = open(&file, "rows").and_then(|mut rows| {
                rows.read_to_end(&mut Vec::new())
                    .map_err(|source| crate::DataError::Read { file: file.clone(), source })
            });
            assert!(half.is_err() || name == "a.jsonl", "{name}");
        }
        let file = folder.path().join("wide.jsonl");
        std::fs::write(&file, b"\xFF\xFE{\0}\0").expect("written");
        let error = open(&file, "rows").err().expect("UTF-16").to_string();
        assert!(error.contains("wide.jsonl:1: expected UTF-8 text, but the file begins with"), "{error}");
    }

    #[test]
    fn excessive_decompression_is_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("bomb.jsonl.zst");
        let bomb = zstd::stream::encode_all(std::io::repeat(b' ').take(3 << 30), 1).expect("packed");
        assert!(bomb.len() < 1 << 20);
        std::fs::write(&file, bomb).expect("written");
        let mut rows = open(&file, "rows").expect("opened");
        let error = std::io::copy(&mut rows, &mut std::io::sink()).expect_err("no end").to_string();
        assert!(error.contains("decompress to more than 1.0 GiB, the limit"), "{error}");
    }
}
