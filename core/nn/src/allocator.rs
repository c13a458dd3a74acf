//! Memory allocation for binaries that train, and a measure of peak memory. Large tensors are allocated and freed in
//! every step; an allocator that returns their pages to the system pays page faults for them again each time.

/// The global allocator for binaries that use a learner.
pub type Allocator = mimalloc::MiMalloc;

/// Configures mimalloc to keep freed pages. Call this first in the `main` of a binary whose global allocator is
/// [`Allocator`]; with another allocator it has no effect. The environment variable `MIMALLOC_PURGE_DELAY` takes
/// precedence.
pub fn keep_freed_pages() {
    /// Index of `mi_option_purge_delay` in mimalloc's `mi_option_t`.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number inside mimalloc; -1 means "never purge".
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, -1) };
}

/// Peak resident memory of this process in bytes, from `VmHWM` on Linux; 0 on other systems.
pub fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
