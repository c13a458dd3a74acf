//! Append-only evidence: the byte segments of one subject in one file, each with its length and digest. A segment that
//! is truncated by a kill or damaged on disk is moved to quarantine; the others stay readable.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::atomic::{parent, sync_folder, write_atomic};
use crate::{Digest, KeyLock, StoreError};

/// Header line of a segments file, version 1.
const HEADER: &[u8] = b"cadre-segments 1\n";
const HEADER_STEM: &str = "cadre-segments ";
/// Start marker of a segment; after damage, reading continues at the next segment that verifies.
const MARK: &[u8; 4] = b"SEG1";
const HEAD: usize = MARK.len() + 8 + 32;

/// The segments of one subject. Cheap to create; the file is opened only when it is read or appended to.
#[derive(Clone, Debug)]
pub struct Segments {
    path: PathBuf,
    lock: PathBuf,
    quarantine: PathBuf,
}

/// All intact segments, and the damaged ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentsRead {
    /// The payloads in append order.
    pub segments: Vec<Vec<u8>>,
    /// Damaged or truncated ranges.
    pub damaged: Vec<DamagedSegment>,
}

/// A byte range of a segments file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedSegment {
    /// Start, in bytes from the beginning of the file.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// The quarantine file that now contains the bytes.
    pub moved_to: PathBuf,
}

impl Segments {
    pub(crate) fn new(path: PathBuf, lock: PathBuf, quarantine: PathBuf) -> Self {
        Self { path, lock, quarantine }
    }

    /// Reads every intact segment. Damaged ranges are moved to `quarantine/` and reported.
    ///
    /// # Errors
    /// If the file cannot be read, or a newer version wrote it.
    pub fn read_all(&self) -> Result<SegmentsRead, StoreError> {
        let bytes = self.bytes()?;
        let (segments, gaps) = scan(&self.path, &bytes)?;
        if gaps.is_empty() {
            return Ok(SegmentsRead { segments, damaged: Vec::new() });
        }
        // What looks truncated may be a segment that another process is appending: read again under the lock.
        let _lock = self.hold()?;
        self.repair()
    }

    /// Appends one segment and syncs it. A segment truncated by a kill is moved to quarantine first.
    ///
    /// # Errors
    /// If the file cannot be written; earlier segments are unaffected.
    pub fn append(&self, payload: &[u8]) -> Result<(), StoreError> {
        let folder = parent(&self.path);
        fs::create_dir_all(folder).map_err(StoreError::write(folder))?;
        let _lock = self.hold()?;
        if self.ends_cut_off()? {
            self.repair()?;
        }
        let fresh = !self.path.exists();
        let mut record = Vec::with_capacity(HEADER.len() + HEAD + payload.len());
        if fresh {
            record.extend_from_slice(HEADER);
        }
        record.extend_from_slice(MARK);
        record.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        record.extend_from_slice(check(payload).as_bytes());
        record.extend_from_slice(payload);
        if fresh {
            return write_atomic(&self.path, &record);
        }
        let mut file =
            OpenOptions::new().append(true).open(&self.path).map_err(StoreError::write(&self.path))?;
        let before = file.metadata().map_err(StoreError::write(&self.path))?.len();
        let written = file.write_all(&record).and_then(|()| file.sync_data());
        written.map_err(|source| {
            // The disk is full: truncate the partial write. If that fails too, the next reader moves it to quarantine.
            if let Err(problem) = file.set_len(before) {
                tracing::debug!(path = %self.path.display(), %problem, "a partial segment was not removed");
            }
            StoreError::write(&self.path)(source)
        })
    }

    fn hold(&self) -> Result<KeyLock, StoreError> {
        KeyLock::take(&self.lock, &mut |_| {})
    }

    fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(bytes),
            Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(StoreError::read(&self.path)(source)),
        }
    }

    /// Reads segment headers only: whether the file ends within a segment.
    fn ends_cut_off(&self) -> Result<bool, StoreError> {
        use std::os::unix::fs::FileExt;
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(StoreError::read(&self.path)(source)),
        };
        let length = file.metadata().map_err(StoreError::read(&self.path))?.len();
        let mut offset = HEADER.len() as u64;
        let mut head = [0u8; HEAD];
        while offset + HEAD as u64 <= length {
            file.read_exact_at(&mut head, offset).map_err(StoreError::read(&self.path))?;
            if &head[..4] != MARK {
                return Ok(true);
            }
            offset = offset.saturating_add(HEAD as u64).saturating_add(length_of(&head));
        }
        Ok(offset != length)
    }

    /// Copies damaged ranges to quarantine and rewrites the file without them. The lock must be held.
    fn repair(&self) -> Result<SegmentsRead, StoreError> {
        let bytes = self.bytes()?;
        let (segments, gaps) = scan(&self.path, &bytes)?;
        let mut damaged = Vec::new();
        let stem = self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        for (start, end) in &gaps {
            let stretch = &bytes[*start..*end];
            let name = format!("evidence-{stem}-{}", Digest::of_bytes(stretch).short());
            let moved_to = self.quarantine.join(name);
            write_atomic(&moved_to, stretch)?;
            tracing::warn!(file = %self.path.display(), offset = start, bytes = end - start, "damaged evidence moved to quarantine");
            damaged.push(DamagedSegment { offset: *start as u64, bytes: (end - start) as u64, moved_to });
        }
        if !gaps.is_empty() {
            let mut rest = Vec::with_capacity(bytes.len());
            rest.extend_from_slice(HEADER);
            let mut from = HEADER.len().min(bytes.len());
            for (start, end) in &gaps {
                rest.extend_from_slice(&bytes[from.min(*start)..*start]);
                from = *end;
            }
            rest.extend_from_slice(&bytes[from..]);
            write_atomic(&self.path, &rest)?;
            sync_folder(parent(&self.path))?;
        }
        Ok(SegmentsRead { segments, damaged })
    }
}

type Gaps = Vec<(usize, usize)>;

/// Every segment that verifies, and the gaps between them.
fn scan(path: &Path, bytes: &[u8]) -> Result<(Vec<Vec<u8>>, Gaps), StoreError> {
    let mut segments = Vec::new();
    let mut gaps: Gaps = Vec::new();
    if bytes.is_empty() {
        return Ok((segments, gaps));
    }
    let mut offset = 0;
    if bytes.starts_with(HEADER) {
        offset = HEADER.len();
    } else {
        refuse_newer(path, bytes)?;
    }
    let mut gap = None;
    while offset < bytes.len() {
        if let Some(payload) = segment_at(bytes, offset) {
            if let Some(start) = gap.take() {
                gaps.push((start, offset));
            }
            segments.push(payload.to_vec());
            offset += HEAD + payload.len();
        } else {
            gap.get_or_insert(offset);
            offset = next_mark(bytes, offset + 1);
        }
    }
    if let Some(start) = gap {
        gaps.push((start, bytes.len()));
    }
    Ok((segments, gaps))
}

fn segment_at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    let head = bytes.get(offset..offset.checked_add(HEAD)?)?;
    if &head[..4] != MARK {
        return None;
    }
    let length = usize::try_from(length_of(head)).ok()?;
    let start = offset + HEAD;
    let payload = bytes.get(start..start.checked_add(length)?)?;
    (check(payload).as_bytes() == &head[12..HEAD]).then_some(payload)
}

fn length_of(head: &[u8]) -> u64 {
    let mut length = [0u8; 8];
    length.copy_from_slice(&head[4..12]);
    u64::from_le_bytes(length)
}

fn next_mark(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(MARK.len()).position(|window| window == MARK).map_or(bytes.len(), |place| from + place)
}

fn refuse_newer(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(&line[..line.len().min(40)]);
    match line.strip_prefix(HEADER_STEM).and_then(|version| version.parse::<u64>().ok()) {
        Some(found) if found > 1 => {
            Err(StoreError::NewerFormat { path: path.to_path_buf(), found, known: 1 })
        }
        // Damaged header: the segments after it are still verified one by one.
        _ => Ok(()),
    }
}

fn check(payload: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(payload.len() as u64).to_le_bytes());
    hasher.update(payload);
    Digest::from_hash(hasher.finalize())
}
