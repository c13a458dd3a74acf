//! How binaries that train should hold memory, and how much they held. Large tensors come and go every step; an allocator
//! that gives their pages back pays a page fault for each of them again.

/// The allocator for binaries that use a learner.
pub type Allocator = mimalloc::MiMalloc;

/// Tells mimalloc to keep freed pages. Call it first in `main` of a binary whose global allocator
/// is [`Allocator`]; elsewhere it changes nothing. `MIMALLOC_PURGE_DELAY` in the environment wins.
pub fn keep_freed_pages() {
    /// `mi_option_purge_delay` of mimalloc's `mi_option_t`.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number inside mimalloc; -1 means "never purge".
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, -1) };
}

/// Most memory this process ever held, in bytes, by Linux's `VmHWM`; 0 on other systems.
pub fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
